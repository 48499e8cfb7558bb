#!/bin/sh
# check.sh: exercises the bridge under valgrind's memcheck and with gcc's AddressSanitizer and
# UndefinedBehaviorSanitizer, for each way in which the process may end. What they find is shown, and is this script's
# exit status.
#
# Memcheck counts what is definitely lost. AddressSanitizer looks for no leaks: Python is never ended, and keeps what it
# has. Neither sees into the blocks that Tcl's own allocator hands out; tests/tcl/memory.test watches their number.
set -eu
here=$(dirname "$0")
build=build/memory
mkdir -p "$build"

case $(echo 'puts [info tclversion]' | "$TCLSH") in 8.*) loader=libtossl.so ;; *) loader=libtcl9tossl.so ;; esac

bridge() {
    CFLAGS="${CFLAGS:-} -Werror -O1 -g -fno-omit-frame-pointer $2" sh build-aux/build.sh all "$build/$1" >"$build/$1.log"
}

# exercise NAME PRELOADED LIBRARY WORD...: with these words before the tclsh.
exercise() {
    name=$1 preloaded=$2 library=$3
    shift 3
    for ending in exit end callback progress child thread; do
        log=$build/$name-$ending.log
        if timeout 300 env LD_PRELOAD="$preloaded" "$@" "$TCLSH" "$here/exercise.tcl" "$library" "$ending" >"$log" 2>&1 &&
            grep -qx exercised "$log"; then
            echo "$name, $ending: clean"
        else
            echo "$name, $ending: not clean; the whole of it is in $log"
            head -n 60 "$log"
            failed=1
        fi
    done
}

include=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')
${CC:-cc} -O1 -g -Wall -Wextra -Werror -fPIC -shared -isystem "$include" "$here/malloc.c" -ldl -o "$build/malloc.so"
bridge plain ""
bridge sanitized "-fsanitize=address,undefined -fno-sanitize-recover=undefined"
malloc=$PWD/$build/malloc.so
failed=0

exercise memcheck "$malloc" "$build/plain/$loader" \
    valgrind -q --num-callers=40 --suppressions="$here/python.supp" --error-exitcode=9 \
    --leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
export ASAN_OPTIONS=detect_leaks=0
exercise sanitizers "$(readlink -f "$(${CC:-cc} -print-file-name=libasan.so)") $malloc" "$build/sanitized/$loader"
exit "$failed"
