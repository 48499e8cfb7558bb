# Results on standard output, for people or as JSON; errors on standard error, with an exit status.

# Prints a result: as JSON, with the types of members that are not strings, or by the script `lines`.
proc ::cli::show {result types lines} {
    variable settings
    if {[dict get $settings json]} {
        puts [json $result $types]
    } else {
        eval $lines
    }
}

proc ::cli::line {what value} {
    puts [format "%-12s %s" $what $value]
}

proc ::cli::json {result types} {
    set members {}
    dict for {name value} $result {
        set type [expr {[dict exists $types $name] ? [dict get $types $name] : "string"}]
        lappend members "[json_string $name]: [switch $type {
            list {string cat \[ [join [lmap item $value {json_string $item}] ", "] \]}
            dict {json $value {}}
            dicts {string cat \[ [join [lmap item $value {json $item {}}] ", "] \]}
            number {set value}
            default {json_string $value}
        }]"
    }
    return "{[join $members ", "]}"
}

proc ::cli::json_string {text} {
    set escaped [string map {\\ \\\\ \" \\\" \n \\n \r \\r \t \\t} $text]
    set plain ""
    foreach char [split $escaped ""] {
        scan $char %c code
        append plain [expr {$code < 32 || $code == 127 ? [format \\u%04x $code] : $char}]
    }
    return "\"$plain\""
}

proc ::cli::wrong {message} {
    puts stderr "tossl: $message"
    puts stderr "tossl --help describes the usage"
    return 2
}

proc ::cli::failed {message details} {
    variable settings
    end_line
    set code [dict get $details -errorcode]
    if {$code eq "TOSSL CANCELLED"} {
        puts stderr "tossl: interrupted"
        return [expr {128 + [trap_signals]}]
    }
    puts stderr "tossl: $message"
    if {[dict get $settings json]} {
        puts [json [dict create error $message errorcode $code] {errorcode list}]
    }
    if {[lindex $code 0] ne "TOSSL"} {
        puts stderr [dict get $details -errorinfo]
        return 1
    }
    switch [lindex $code 1] {
        VALUE - KEY {return 2}
        HTTP - TIMEOUT {return 75}
        ACME {return [expr {[lindex $code 2] eq "rateLimited" || [lindex $code 3] >= 500 ? 75 : 1}]}
    }
    return 1
}
