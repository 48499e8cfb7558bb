# all.tcl ?FILE ...?: runs the tcltest files beside it (all, or those named); the exit status says whether all passed.

package require tcltest
set folder [file dirname [file normalize [info script]]]
set scratch [file normalize [file join $folder .. .. build tcltest]]
file mkdir $scratch
tcltest::configure -testdir $folder -tmpdir $scratch
if {[llength $argv]} {
    tcltest::configure -file $argv
}
exit [tcltest::runAllTests]
