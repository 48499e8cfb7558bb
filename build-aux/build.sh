#!/bin/sh
# build.sh WHAT FOLDER: makes these in the folder, with $CC, $CFLAGS and $LDFLAGS, and prints their names:
#
#   loaders  libtossl.so for Tcl 8.6, libtcl9tossl.so for Tcl 9: that of $TCLSH, the other if its headers are there
#   bridges  tossl-tcl8-python3.11.so, ...: for these Tcls and $PYTHON. They are linked with no libpython
#   config   python.cfg: which Python the loader opens, with the environment in .venv beside it; with SYSTEM_PYTHON, that
#            Python itself, and tossl_acme beside the file (SYSTEM_PYTHON=all: where that Python has it)
#   all      all of these
set -eu
here=$(dirname "$0")
sources=$here/../bridge
what=$1 folder=$2
of_loader='loader where places paths present system' # the other sources are the bridge's

case $(uname -s) in
    Darwin) end=dylib shared='-dynamiclib -undefined dynamic_lookup' ;;
    *) end=so shared=-shared ;;
esac

# compile NAME SOURCE... -- FLAG...: links with the stubs of the Tcl whose tclConfig.sh was read
compile() {
    # shellcheck disable=SC2086 # flags are several words
    ${CC:-cc} -std=c11 -O2 -Wall -Wextra ${CFLAGS:-} -fPIC -fvisibility=hidden $shared -DUSE_TCL_STUBS \
        ${TCL_INCLUDE_SPEC:-} "$@" ${TCL_STUB_LIB_SPEC} -ldl ${LDFLAGS:-} -o "$folder/$name.new"
    mv "$folder/$name.new" "$folder/$name" # a process may have the old one open
    echo "$name"
}

loader() {
    case $TCL_VERSION in 8.*) name=libtossl.$end ;; *) name=libtcl9tossl.$end ;; esac
    set --
    for source in $of_loader; do
        set -- "$@" "$sources/$source.c"
    done
    compile "$@"
}

bridge() {
    name=tossl-tcl${TCL_VERSION%%.*}-python$PYTHON_VERSION.$end
    set --
    for source in "$sources"/*.c; do
        case " $of_loader " in *" $(basename "$source" .c) "*) ;; *) set -- "$@" "$source" ;; esac
    done
    compile "$@" -isystem "$PYTHON_INCLUDE"
}

config() {
    program=.venv/bin/python packages=
    [ -z "${SYSTEM_PYTHON:-}" ] || program=$PYTHON_PROGRAM
    [ "${SYSTEM_PYTHON:-all}" = all ] || packages='packages = .'
    cat >"$folder/python.cfg" <<END
# The Python that tossl runs in; paths are relative to this folder. See docs/ARCHITECTURE.md.
program = $program${packages:+
$packages}
version = $PYTHON_VERSION
library = $PYTHON_LIBRARY
END
    echo python.cfg
}

case $what in
    loaders) ;;
    *)
        settings=$("$PYTHON" -I "$here/libpython.py")
        eval "$settings"
        ;;
esac
mkdir -p "$folder"
case $what in
    loaders) parts=loader ;;
    bridges) parts=bridge ;;
    config) parts= ;;
    *) parts='loader bridge' ;;
esac
sh "$here/tclconfig.sh" all >"$folder/.tcls"
while IFS= read -r config && [ -n "$parts" ]; do
    # shellcheck source=/dev/null
    . "$config"
    for part in $parts; do
        $part
    done
done <"$folder/.tcls"
rm "$folder/.tcls"
case $what in all | config) config ;; esac
