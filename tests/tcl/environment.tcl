# Where the package is, and the environment in which it has the commands of tests/tcl/probe as well.

namespace eval environment {
    variable tree [file dirname [file dirname [file dirname [file normalize [info script]]]]]
    # What this Tcl loads.
    variable library [file join $tree [expr {[package vsatisfies [info tclversion] 9] ? "libtcl9tossl" : "libtossl"}].so]

    # A virtual environment like the tree's own, plus the probe. Nothing in the package knows of it.
    proc Make {folder} {
        variable tree
        set packages [lindex [glob $tree/.venv/lib/python3*/site-packages] 0]
        set mine $folder/[string range $packages [string length $tree/.venv/] end]
        file mkdir $folder/bin $mine
        Write $mine/probe.pth [join [list $packages $tree $tree/tests/tcl/probe "import add_probe"] \n]
        set python [exec readlink -f $tree/.venv/bin/python]
        Write $folder/pyvenv.cfg "home = [file dirname $python]\ninclude-system-site-packages = false"
        if {[catch {file readlink $folder/bin/python}]} {
            file link -symbolic $folder/bin/python $python
        }
        return $folder/bin/python
    }

    # Whole or not at all: test files may run at the same time.
    proc Write {file text} {
        set out [open $file.[pid] w]
        puts $out $text
        close $out
        file rename -force $file.[pid] $file
    }
}

lappend auto_path $environment::tree
set env(TOSSL_PYTHON) [environment::Make $environment::tree/build/probe]
