#!/bin/sh
# choose.sh: writes the Python and folder of the environment to build/for-python, its extras to build/for-extras, and to
# build/for-library the tclsh, Python and compiler of the libraries, with a checksum of their sources. Writes each only if
# it changes, and then checks the system packages too.
set -eu
here=$(dirname "$0")

# A Python may be a script that starts another (pyenv): the one that runs counts.
find_python() {
    command -v "$PYTHON" >/dev/null &&
        "$PYTHON" -I -c 'import os, sys; print(os.path.realpath(sys.executable))'
}

find_tclsh() {
    found=$(command -v "$TCLSH") && echo 'puts [file normalize [info nameofexecutable]/.]' | "$found"
}

# A checkout may bring older files than the libraries are.
sum_sources() {
    cat "$here"/../bridge/*.[ch] "$here/build.sh" "$here/libpython.py" "$here/tclconfig.sh" | cksum
}

# An environment, unlike the library, contains the path of its folder.
choose() {
    python=$(find_python) && tclsh=$(find_tclsh) || return
    library="$tclsh $python ${CC:-cc} ${CFLAGS:-} ${LDFLAGS:-}
$(sum_sources)
$(sh "$here/tclconfig.sh" all 2>/dev/null)"
    python="$python $PWD"
}

noted() {
    printf '%s\n' "$2" | cmp -s - "build/$1"
}

# Returns whether each library that was built is there.
are_there() {
    [ -f build/libraries ] && while IFS= read -r name; do [ -s "$name" ] || return; done <build/libraries
}

mkdir -p build
noted for-extras "${EXTRAS:-}" || printf '%s\n' "${EXTRAS:-}" >build/for-extras
are_there || rm -f build/for-library
if choose && noted for-python "$python" && noted for-library "$library"; then
    exit 0
fi
sh "$here/need.sh" build
choose
noted for-python "$python" || printf '%s\n' "$python" >build/for-python
noted for-library "$library" || printf '%s\n' "$library" >build/for-library
