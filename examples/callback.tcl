#!/usr/bin/env tclsh
# callback.tcl DIRECTORY NAMES ?OPTION VALUE ...?
#
# Gets a certificate for each of NAMES, all at once, while the event loop goes on. The options are those of
# tossl::acme::obtain_certificate.

package require tossl

if {$argc < 2} {
    puts stderr "usage: callback.tcl DIRECTORY NAMES ?OPTION VALUE ...?"
    exit 2
}
set options [lassign $argv directory names]

proc done {name job} {
    try {
        set certificate [tossl::job::result $job]
        puts "$name: valid until [clock format [dict get $certificate not_after]]"
    } on error message {
        puts "$name: $message"
    } finally {
        tossl::job::forget $job
    }
    incr ::open -1
}

proc tick {} {
    incr ::ticks
    after 10 tick
}

tick
set open [llength $names]
foreach name $names {
    tossl::acme::obtain_certificate $name -directory $directory {*}$options -command [list done $name]
}
while {$open} {
    vwait open
}
puts "the event loop ran on: [expr {$ticks > 1 ? "yes" : "no"}]"
