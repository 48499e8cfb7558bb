# C extensions for tests, compiled when they are wanted first. Needs environment.tcl.

namespace eval native {
    # The library of tests/tcl/NAME.c, compiled for this tclsh with these words more for the compiler.
    proc build {name args} {
        return [build_as $name-[info patchlevel].so $name {*}$args]
    }

    # The same, with a file name of its own.
    proc build_as {file name args} {
        set tree $::environment::tree
        set source $tree/tests/tcl/$name.c
        set library $tree/build/probe/$file
        if {[file exists $library] && [file mtime $library] > [file mtime $source]} {
            return $library
        }
        set script {. "$(sh "$1"/build-aux/tclconfig.sh)"; source=$2 library=$3; shift 3
            ${CC:-cc} -std=c11 -Wall -Wextra -Werror -fPIC -shared -DUSE_TCL_STUBS ${TCL_INCLUDE_SPEC:-} \
                "$source" ${TCL_STUB_LIB_SPEC} "$@" -o "$library"}
        set ::env(TCLSH) [info nameofexecutable]
        exec sh -c $script sh $tree $source $library.[pid] {*}$args
        file rename -force $library.[pid] $library
        return $library
    }
}
