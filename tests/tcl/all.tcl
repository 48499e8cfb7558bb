# all.tcl ?FILE ...?: runs the tcltest files beside it (all, or those named); the exit status says whether all passed.

package require tcltest
tcltest::configure -testdir [file dirname [file normalize [info script]]]
if {[llength $argv]} {
    tcltest::configure -file $argv
}
exit [tcltest::runAllTests]
