# tossl doctor

::cli::command doctor {
    "doctor ?NAME ...?"
    "looks at the machine, the store, the CA and each name, and says what keeps certificates from being had; orders nothing"
} doctor {} {names options} {
    # In a log the lines themselves are enough.
    if {[is_terminal stderr]} {
        dict set options -progress ::cli::progress
    }
    set found [tossl::doctor $names {*}$options]
    end_line
    if {[is_json]} {
        puts \[[join [lmap one $found {finding_json $one}] ", "]\]
    } else {
        foreach one $found {
            print_finding $one
        }
        print [summary_of $found]
    }
    if {"failed" in [lmap one $found {dict get $one status}]} {
        raise_status 1
    }
}

proc ::cli::finding_json {one} {
    set types {addresses list redirects list errorcode list challenges list records list}
    foreach name {port free files count most hours not_after due ahead seconds failures retry_after ends certificates} {
        dict set types $name number
    }
    set facts [json [dict get $one facts] $types]
    return "[string range [json [dict remove $one facts] {}] 0 end-1], \"facts\": $facts\}"
}

# A line that says what was found, and below it what to do.
proc ::cli::print_finding {one} {
    set subject [dict get $one subject]
    set message [dict get $one message]
    if {$subject ne "" && ![string match "*$subject*" $message]} {
        set message "$subject: $message"
    }
    print [format "%-8s %-12s %s" [dict get $one status] [dict get $one check] $message]
    if {[dict get $one advice] ne ""} {
        print "                      [dict get $one advice]"
    }
}

proc ::cli::summary_of {found} {
    set counts {failed 0 warning 0 ok 0}
    foreach one $found {
        dict incr counts [dict get $one status]
    }
    return [join [lmap {status count} $counts {string cat "$count $status"}] ", "]
}
