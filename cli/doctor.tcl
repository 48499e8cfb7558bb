# tossl doctor

::cli::command doctor {
    "doctor ?NAME ...?"
    "looks at the machine, the store, the CA and each name, and says what keeps certificates from being had; orders nothing"
} doctor {} {names options} {
    # In a log the lines themselves are enough.
    if {[is_terminal stderr]} {
        dict set options -progress ::cli::progress
    }
    set found [tossl::doctor [host_names $names] {*}$options]
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

# What was found, and below it what to do: a line each, on a terminal in its width.
proc ::cli::print_finding {one} {
    set subject [dict get $one subject]
    set message [dict get $one message]
    if {$subject ne "" && [string first $subject $message] < 0} {
        set message "$subject: $message"
    }
    print_hanging [format "%-8s %-12s " [dict get $one status] [dict get $one check]] [in_words $message]
    if {[dict get $one advice] ne ""} {
        print_hanging "" [in_words [dict get $one advice]]
    }
}

proc ::cli::print_hanging {head text} {
    set text [shown $text]
    if {[is_terminal stdout]} {
        puts "[format %-22s $head][string range [wrapped $text 22] 22 end]"
    } else {
        puts "[format %-22s $head]$text"
    }
}

proc ::cli::summary_of {found} {
    set counts {failed 0 warning 0 ok 0}
    foreach one $found {
        dict incr counts [dict get $one status]
    }
    return [join [lmap {status count} $counts {string cat "$count $status"}] ", "]
}
