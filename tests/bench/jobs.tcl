# jobs.tcl DIRECTORY CA_BUNDLE WEBROOT STORE PARALLEL TICKS NAME ?NAME ...?: gets a certificate for each name, side by side
# as jobs. TICKS: whether a timer of one millisecond runs meanwhile; prints the longest time in milliseconds that the event
# loop did not come to it. Its wakes cost a certificate 1 ms of the processor.

package require tossl

lassign $argv directory ca_bundle webroot store parallel ticks
tossl::job::configure -parallel $parallel
set names [lrange $argv 6 end]
set left [llength $names]

proc finished {job} {
    tossl::job::result $job
    tossl::job::forget $job
    incr ::left -1
}

proc tick {} {
    set now [clock microseconds]
    set ::gap [expr {max($::gap, $now - $::last)}]
    set ::last $now
    after 1 tick
}

proc bgerror {message} {
    puts stderr $::errorInfo
    exit 1
}

if {$ticks} {
    set gap 0
    set last [clock microseconds]
    after 1 tick
}
foreach name $names {
    tossl::acme::obtain_certificate $name -directory $directory -ca_bundle $ca_bundle -webroot $webroot -store $store \
        -command finished
}
while {$left} {
    vwait left
}
if {$ticks} {
    puts [format "gap %.1f" [expr {$gap / 1000.0}]]
}
