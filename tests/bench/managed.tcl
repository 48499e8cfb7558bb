# What manage costs the program around it.
#
# managed.tcl idle FILE STORE SECONDS: manage with the set in FILE, all held; the seconds until it has begun, and the share
# of a core that the whole process takes for SECONDS after that
# managed.tcl gap DIRECTORY PORT STORE: the event loop's largest gap in milliseconds, without anything for 5 seconds, and
# while a certificate is renewed

package require tossl

proc cpu_seconds {} {
    set channel [open /proc/self/stat]
    set fields [read $channel]
    close $channel
    set ticks [lrange [lindex [split $fields )] end] 11 12]
    return [expr {([lindex $ticks 0] + [lindex $ticks 1]) / 100.0}]
}

proc pause {seconds} {
    after [expr {int($seconds * 1000)}] {set ::paused 1}
    vwait ::paused
}

# Calls itself as often as it can, and keeps the largest gap.
proc tick {} {
    set now [clock microseconds]
    set ::gap [expr {max($::gap, $now - $::ticked)}]
    set ::ticked $now
    set ::timer [after 1 tick]
}

proc largest_gap {script} {
    set ::gap 0
    set ::ticked [clock microseconds]
    tick
    uplevel #0 $script
    after cancel $::timer
    return [expr {$::gap / 1000.0}]
}

switch [lindex $argv 0] {
    idle {
        lassign $argv - file store seconds
        set begun [clock milliseconds]
        tossl::acme::manage $file -store $store -on_error {apply {failure {puts stderr $failure}}}
        set called [expr {([clock milliseconds] - $begun) / 1000.0}]
        # It has begun once it takes no more than a tenth of a core.
        while 1 {
            set before [cpu_seconds]
            pause 2
            if {[cpu_seconds] - $before < 0.2} break
        }
        set loaded [expr {([clock milliseconds] - $begun) / 1000.0 - 2}]
        # In the first minute it asks at once; from then on the questions are spread.
        pause 60
        set before [cpu_seconds]
        pause $seconds
        puts [format "%.1f s until the call returned, %.1f s until all were loaded; idle for %d s: %.2f %% of a core" \
            $called $loaded $seconds [expr {([cpu_seconds] - $before) / $seconds * 100}]]
    }
    gap {
        lassign $argv - directory port store
        set set {gap {domains gap.example.com}}
        set options [list -directory $directory -port $port -store $store -on_renewed {set ::certificate}]
        set job [tossl::acme::manage $set {*}$options]
        vwait certificate
        tossl::job::cancel $job
        tossl::job::wait $job
        set without [largest_gap {pause 5}]
        set with [largest_gap {
            tossl::acme::manage {gap {domains {gap.example.com www.gap.example.com}}} {*}$options
            vwait certificate
        }]
        puts [format "largest gap of the event loop: %.1f ms without, %.1f ms while a certificate is renewed" $without $with]
    }
}
exit
