#!/bin/sh
# cross.sh: compiles the C for macOS and Windows with zig, with warnings as errors: the loader for all, the bridge for macOS
# (it needs threads and signals of POSIX; on Windows `python -m tossl_acme` takes its place). Nothing is run. The headers are
# this machine's, those of $PYTHON and $TCLSH; what is linked for macOS lacks Tcl's stub library, which is not here.
set -eu
here=$(dirname "$0")
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
export ZIG_GLOBAL_CACHE_DIR="$PWD/build/zig" ZIG_LOCAL_CACHE_DIR="$PWD/build/zig"
# shellcheck source=/dev/null
. "$(sh "$here/tclconfig.sh")"
eval "$("$PYTHON" -I "$here/libpython.py")"

# Debian's pyconfig.h leads to that of an architecture; the macOS of zig is like Linux in what it says.
cp -R "$PYTHON_INCLUDE" "$made/python"
for file in /usr/include/*/"$(basename "$PYTHON_INCLUDE")/pyconfig.h"; do
    [ ! -f "$file" ] || cp "$file" "$made/python/pyconfig.h"
done

# compile TARGET FILE...
compile() {
    target=$1
    shift
    for file in "$@"; do
        # shellcheck disable=SC2086 # flags are several words
        .venv/bin/python -m ziglang cc -target "$target" -std=c11 -O2 -Wall -Wextra -Werror -fvisibility=hidden \
            -DUSE_TCL_STUBS ${TCL_INCLUDE_SPEC:-} -isystem "$made/python" -c "$file" -o "$made/$(basename "$file").o"
    done
    echo "tossl: compiled for $target:" $(basename -a "$@")
}

loader=$(sed -n "s/^of_loader='\([^']*\)'.*/\1/p" "$here/build.sh")
files=
for name in $loader; do
    files="$files bridge/$name.c"
done
for target in x86_64-macos aarch64-macos; do
    compile "$target" bridge/*.c
    .venv/bin/python -m ziglang cc -target "$target" -dynamiclib -undefined dynamic_lookup "$made"/*.o -o "$made/all.dylib"
done
# shellcheck disable=SC2086 # names of this tree
compile x86_64-windows-gnu $files
