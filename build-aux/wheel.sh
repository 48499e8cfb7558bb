#!/bin/sh
# wheel.sh FOLDER: makes the sdist, and of that the wheel, in the folder, with the tools in .venv. Needs no network.
#
# The libraries are for the Pythons in $PYTHONS, by default $PYTHON and the python3.11, python3.12, ... of the PATH, and for
# Tcl 8.6 and 9: for those whose headers are there. On Linux zig compiles them, for glibc 2.17 (that of 2012) and later.
set -eu
folder=$1
here=$(dirname "$0")
tools=$PWD/.venv/bin
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT

stop() { echo "tossl: $*" >&2; exit 1; }

quote() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; }

# Prints the Pythons that have headers and a library, one of each version.
find_pythons() {
    known=
    for python in "$PYTHON" python3.11 python3.12 python3.13 python3.14 python3.15; do
        settings=$("$python" -I "$here/libpython.py" 2>/dev/null) || continue
        eval "$settings"
        case " $known " in *" $PYTHON_VERSION "*) continue ;; esac
        [ -f "$PYTHON_INCLUDE/Python.h" ] || continue
        known="$known $PYTHON_VERSION"
        quote "$(command -v "$python")"
        echo
    done
}

# zig knows no header of the system but its own libc's; Debian's Python has one in /usr/include.
use_zig() {
    export ZIG_GLOBAL_CACHE_DIR="$PWD/build/zig" ZIG_LOCAL_CACHE_DIR="$PWD/build/zig"
    cat >"$made/zig-cc" <<END
#!/bin/sh
exec $(quote "$tools/python") -m ziglang cc -target $(uname -m)-linux-gnu.2.17 "\$@" -idirafter /usr/include
END
    chmod +x "$made/zig-cc"
    export PATH="$made:$PATH" CC=zig-cc LDFLAGS="-s ${LDFLAGS:-}"
}

# By another's words: the tag of the wheel says no less than its libraries need.
check_tag() {
    said=$("$tools/auditwheel" show "$1") || stop "auditwheel refuses $1"
    tag=${1%.whl}
    case $said in *"\"${tag##*-}\""*) ;; *) stop "the tag of $1 is wrong: $said" ;; esac
}

PYTHONS=${PYTHONS:-$(find_pythons)}
[ -n "$PYTHONS" ] || stop "no Python with headers and a library: PYTHONS= names some"
export PYTHONS TOSSL_WHEEL=tcl
case $(uname -s) in Linux) use_zig ;; esac
mkdir -p "$folder"
rm -f "$folder"/tossl_acme-*.tar.gz "$folder"/tossl_acme-*.whl
"$tools/python" -m build --no-isolation --outdir "$folder" . >"$made/log" 2>&1 || { cat "$made/log" >&2; exit 1; }
"$tools/python" -m twine check --strict "$folder"/tossl_acme-* >"$made/log" || { cat "$made/log" >&2; exit 1; }
case $(uname -s) in Linux) check_tag "$folder"/tossl_acme-*.whl ;; esac
for file in "$folder"/tossl_acme-*; do
    echo "tossl: made $file"
done
