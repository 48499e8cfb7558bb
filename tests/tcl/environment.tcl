# Where the package is, and the environment in which it has the commands of tests/tcl/probe as well.

namespace eval environment {
    variable tree [file dirname [file dirname [file dirname [file normalize [info script]]]]]

    # A virtual environment like the tree's own, plus the probe. Nothing in the package knows of it.
    proc Make {folder} {
        variable tree
        set packages [lindex [glob $tree/.venv/lib/python3*/site-packages] 0]
        set mine $folder/[string range $packages [string length $tree/.venv/] end]
        file mkdir $folder/bin $mine
        file copy -force $tree/.venv/pyvenv.cfg $folder/pyvenv.cfg
        file delete $folder/bin/python
        file link -symbolic $folder/bin/python [file normalize $tree/.venv/bin/python]
        set out [open $mine/probe.pth w]
        puts $out [join [list $packages $tree $tree/tests/tcl/probe "import add_probe"] \n]
        close $out
        return $folder/bin/python
    }

    # The words that start another such tclsh.
    proc Tclsh {} {
        return [list [info nameofexecutable]]
    }
}

lappend auto_path $environment::tree
set env(TOSSL_PYTHON) [environment::Make $environment::tree/build/probe]
