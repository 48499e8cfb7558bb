#!/bin/sh
# choose.sh: writes the Python and folder of the environment to build/for-python, its extras to build/for-extras, and the
# tclsh, Python and compiler of the library to build/for-library. Writes each only if it changes, and then checks the
# system packages too.
set -eu

real() {
    found=$(command -v "$1") && readlink -f "$found"
}

# An environment, unlike the library, contains the path of its folder.
choose() {
    python=$(real "$PYTHON") && tclsh=$(real "$TCLSH") || return
    library="$tclsh $python ${CC:-cc} ${CFLAGS:-} ${LDFLAGS:-}"
    python="$python $PWD"
}

noted() {
    printf '%s\n' "$2" | cmp -s - "build/$1"
}

mkdir -p build
noted for-extras "${EXTRAS:-}" || printf '%s\n' "${EXTRAS:-}" >build/for-extras
if choose && noted for-python "$python" && noted for-library "$library"; then
    exit 0
fi
sh "$(dirname "$0")/need.sh" build
choose
noted for-python "$python" || printf '%s\n' "$python" >build/for-python
noted for-library "$library" || printf '%s\n' "$library" >build/for-library
