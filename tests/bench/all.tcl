# all.tcl STORE list|renew TIMES: lists or renews all certificates of a store, so many times; prints the seconds of the
# best, by the clock and of the processor, how many were renewed at first, and the peak of the memory in MB.

package require tossl

lassign $argv store what times
set call [dict get {
    list {tossl::acme::list_certificates -store $store}
    renew {tossl::acme::renew_certificates -store $store -timeout 600}
} $what]

# Seconds of the processor that this process's threads have had: what is waited for on a busy machine is others' work.
proc spent {} {
    set nanoseconds 0
    foreach path [glob /proc/self/task/*/schedstat] {
        set file [open $path]
        incr nanoseconds [lindex [read $file] 0]
        close $file
    }
    return [expr {$nanoseconds / 1e9}]
}

set walls {}
set processor {}
for {set run 0} {$run < $times} {incr run} {
    set before [spent]
    lappend walls [expr {[lindex [time {set result [eval $call]}] 0] / 1e6}]
    lappend processor [expr {[spent] - $before}]
    if {$run == 0 && $what eq "renew"} {
        if {[dict get $result failed] ne ""} {
            error [dict get $result failed]
        }
        puts "renewed [llength [dict get $result renewed]]"
    }
}
puts "wall [tcl::mathfunc::min {*}$walls]"
puts "processor [tcl::mathfunc::min {*}$processor]"
set file [open /proc/self/status]
regexp {VmHWM:\s+(\d+)} [read $file] -> kilobytes
puts "peak [expr {$kilobytes / 1024.0}]"
