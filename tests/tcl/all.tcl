# all.tcl ?FILE ...?: runs the tcltest files beside it (all, or those named); the exit status says whether all passed.

package require tcltest
set folder [file dirname [file normalize [info script]]]
# Of its own: tests of the same tree may run at the same time.
set scratch [file normalize [file join $folder .. .. build tcltest [pid]]]
file mkdir $scratch
tcltest::configure -testdir $folder -tmpdir $scratch
if {[llength $argv]} {
    tcltest::configure -file $argv
}
set failed [tcltest::runAllTests]
file delete -force $scratch
exit $failed
