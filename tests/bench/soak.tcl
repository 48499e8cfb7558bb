# soak.tcl THREADS COUNT: that many Tcl threads each get that many certificates, all in one process. Says "stuck" when
# the CA fell silent, for its keeper to start it again; what failed because of that is asked for once more.

package require Thread

set work {
    lappend auto_path $tree
    package require tossl
    set options [list -directory $env(TOSSL_TEST_DIRECTORY) -ca_bundle $env(TOSSL_TEST_CA_BUNDLE) \
        -port $env(TOSSL_TEST_HTTP_PORT) -account_key $account_key -store "" -timeout 15]

    proc issue {name options} {
        for {set attempt 1} {$attempt <= 40} {incr attempt} {
            try {
                set certificate [tossl::acme::obtain_certificate $name {*}$options]
                if {[dict get $certificate domains] ne $name} {
                    error "a certificate for [dict get $certificate domains] instead of $name"
                }
                return $attempt
            } trap {TOSSL TIMEOUT} message {
                thread::send -async $::main [list report stuck $message]
            } trap {TOSSL HTTP} message {
                after 200
            } trap {TOSSL ACME} message {
                # The CA was started anew: it knows neither order nor account any more.
                after 50
            }
        }
        error "lost $name: $message"
    }

    for {set n 0} {$n < $count} {incr n} {
        thread::send -async $main [list report issued [issue t$number-$n.example.com $options]]
    }
}

proc report {what detail} {
    incr ::seen($what)
    if {$what eq "stuck"} {
        puts "stuck: $detail"
    } elseif {$detail > 1} {
        incr ::again
    }
}

proc ended {thread message} {
    puts "thread $thread: $message"
    exit 1
}

lassign $argv threads count
array set seen {issued 0 stuck 0}
set again 0
set tree [file dirname [file dirname [file dirname [file normalize [info script]]]]]
chan configure stdout -buffering line
thread::errorproc ended

lappend auto_path $tree
package require tossl
set began [clock milliseconds]
for {set number 0} {$number < $threads} {incr number} {
    set thread [thread::create]
    set key [dict get [tossl::key::generate -type ec] private]
    foreach {name value} [list main [thread::id] tree $tree number $number count $count account_key $key] {
        thread::send $thread [list set $name $value]
    }
    thread::send -async $thread $work
}
while {$seen(issued) < $threads * $count} {
    vwait seen(issued)
}
puts [format "%d issued by %d threads in %.1f s, %d of them not at the first attempt, CA silent %d times, lost 0" \
    $seen(issued) $threads [expr {([clock milliseconds] - $began) / 1000.0}] $again $seen(stuck)]
