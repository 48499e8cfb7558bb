# all.tcl ?FILE ...?: runs the tcltest files beside it (all, or those named); the exit status says whether all passed.
# all.tcl -half 1 or 2: runs half of them, about as long as the other half. Each half needs servers of its own.

package require tcltest
set folder [file dirname [file normalize [info script]]]
# Of its own: tests of the same tree may run at the same time.
set scratch [file normalize [file join $folder .. .. build tcltest [pid]]]
file mkdir $scratch
tcltest::configure -testdir $folder -tmpdir $scratch
if {[lindex $argv 0] eq "-half"} {
    # The longest; what is not here belongs to the second half.
    set first {cli.test ending.test farewell.test fork.test memory.test paths.test reentry.test tls.test}
    tcltest::configure {*}[expr {[lindex $argv 1] == 1 ? [list -file $first] : [list -notfile [list {*}$first l.*.test]]}]
} elseif {[llength $argv]} {
    tcltest::configure -file $argv
}
set failed [tcltest::runAllTests]
file delete -force $scratch
exit $failed
