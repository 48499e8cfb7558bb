# Results on standard output, for people or as JSON; errors on standard error, with an exit status.

namespace eval ::cli {
    # Of a certificate's members, those that are no strings: number, list, dict or dicts, the last two perhaps with the types
    # of the members in them.
    variable kept_types {
        domains list files dict last_error dict not_before number not_after number due number issued number
        issued_at number renewable number revoked number self_signed number deploy_owed number persist_until number
        clean_up_failed dicts warnings dicts nodes {dicts {has number at number deploy_owed number}}
    }
    # Characters that steer a terminal, or show a text as another one: the controls of ASCII and of C1, those of
    # direction, and those without width. The end of a line and a tab are not among them.
    variable unsafe {[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]}
}

# Words of a CA, a certificate or a name server, fit for a terminal.
proc ::cli::printable {text} {
    variable unsafe
    return [regsub -all $unsafe $text ?]
}

# The same on one line.
proc ::cli::shown {text} {
    return [string map {\n ? \t ?} [printable $text]]
}

# A line on standard output, whatever stands in it.
proc ::cli::print {text} {
    puts [shown $text]
}

# Text on standard error. Where that is closed or full, there is nobody to tell.
proc ::cli::say {text} {
    catch {puts stderr [printable $text]}
}

proc ::cli::is_quiet {} {
    variable settings
    return [expr {[dict get $settings quiet] eq "1"}]
}

proc ::cli::is_json {} {
    variable settings
    return [expr {[dict get $settings json] eq "1"}]
}

# Epoch seconds as text.
proc ::cli::time_text {seconds} {
    return [clock format $seconds -format %Y-%m-%dT%H:%M:%SZ -gmt 1]
}

# A certificate that was obtained or renewed. Its key stays in its file: standard output may well be a log.
proc ::cli::show_kept {certificate} {
    variable kept_types
    show [summary $certificate] $kept_types {
        line names [join [dict get $result domains]]
        line issuer [dict get $result issuer]
        line "valid until" [clock format [dict get $result not_after] -gmt 1]
        dict for {what path} [dict get $result files] {line $what $path}
        if {![dict get $result issued] && [dict size [dict get $result files]]} {
            line state "held: nothing to do"
        }
    }
}

# Without texts in PEM.
proc ::cli::summary {certificate} {
    return [dict remove $certificate private_key certificate chain fullchain]
}

# A result: as JSON, with the types of those members that are no strings, or as `lines` prints it.
proc ::cli::show {result types lines} {
    if {[is_json]} {
        puts [json $result $types]
    } else {
        eval $lines
    }
}

proc ::cli::line {what value} {
    print [format "%-12s %s" $what $value]
}

# What did not fail the call but has to be known. A deployment that is owed makes the exit status 1: a person or cron's
# mail is to know of it.
proc ::cli::show_warnings {result} {
    foreach warning [dict get $result warnings] {
        say "tossl: [in_words [dict get $warning message]]"
        if {[dict get $warning warning] eq "deploy"} {
            raise_status 1
        }
    }
}

proc ::cli::json {result types} {
    set members {}
    dict for {name value} $result {
        lassign [expr {[dict exists $types $name] ? [dict get $types $name] : "string"}] type inner
        lappend members "[json_string $name]: [switch $type {
            list {string cat \[ [join [lmap item $value {json_string $item}] ", "] \]}
            dict {json $value $inner}
            dicts {string cat \[ [join [lmap item $value {json $item $inner}] ", "] \]}
            number {json_number $value}
            default {json_string $value}
        }]"
    }
    return "{[join $members ", "]}"
}

# What is not known is an empty text.
proc ::cli::json_number {value} {
    if {[regexp {^-?(0|[1-9]\d*)(\.\d+)?$} $value]} {
        return $value
    }
    return [json_string $value]
}

# JSON is UTF-8 (RFC 8259 section 8.1): what standard output has in another encoding is escaped, and so is half a character.
proc ::cli::json_string {text} {
    variable unsafe
    set escaped [string map {\\ \\\\ \" \\\" \n \\n \r \\r \t \\t} [lindex [typed [list $text]] 0]]
    set foreign [expr {[chan configure stdout -encoding] eq "utf-8" ? {[\ud800-\udfff]} : {[^\x00-\x7f]}}]
    foreach char [lsort -unique [regexp -all -inline $unsafe|$foreign $escaped]] {
        set escaped [string map [list $char [json_escape [scan $char %c]]] $escaped]
    }
    return "\"$escaped\""
}

proc ::cli::json_escape {code} {
    if {$code <= 0xffff} {
        return [format \\u%04x $code]
    }
    incr code -0x10000
    return [format \\u%04x\\u%04x [expr {0xd800 + ($code >> 10)}] [expr {0xdc00 + ($code & 0x3ff)}]]
}

# Tells of wrong use of a sub-command, or of the tool; returns the exit status.
proc ::cli::wrong {name message} {
    variable commands
    say "tossl: $message"
    say "tossl [expr {$name in $commands ? "$name " : ""}]--help describes the usage"
    show_failure $message {TOSSL USAGE}
    return 2
}

proc ::cli::failed {message details} {
    end_line
    set code [dict get $details -errorcode]
    if {[regexp {^error (?:writing|flushing) "stdout": (.*)} $message - cause]} {
        # A reader that has gone, as head does, wants to hear no more.
        if {[lrange $code 0 1] ne "POSIX EPIPE"} {
            say "tossl: cannot write to standard output: $cause"
        }
        return 1
    }
    if {$code eq "TOSSL CANCELLED"} {
        say "tossl: interrupted"
        show_failure interrupted $code
        return [expr {128 + [trap_signals]}]
    }
    say "tossl: [in_words $message]"
    show_failure $message $code
    return [exit_status $code]
}

# The same for a program that reads JSON: whatever kept a sub-command from its result, it finds an object.
proc ::cli::show_failure {message code} {
    if {[is_json]} {
        catch {puts [json [dict create error $message errorcode $code] {errorcode list}]}
    }
}

# What a plugin could not find out, where its monitoring system looks for that. Returns its exit status.
proc ::cli::unknown {message details} {
    if {[regexp {^error (?:writing|flushing) "stdout": } $message] || [is_json]} {
        failed $message $details
    } else {
        catch {puts "TOSSL UNKNOWN - [string map {| / \n " "} [printable [in_words $message]]]"}
    }
    return 3
}

# The exit status for an errorcode.
proc ::cli::exit_status {code} {
    if {[lindex $code 0] ne "TOSSL"} {
        return 1
    }
    switch [lindex $code 1] {
        VALUE - KEY {return 2}
        HTTP - TIMEOUT - RETRY {return 75}
        ACME {return [expr {[lindex $code 2] in {rateLimited serverInternal} || [lindex $code 3] >= 500 ? 75 : 1}]}
    }
    return 1
}

# Of several, "refused or failed" counts more than "try again later".
proc ::cli::raise_status {new} {
    variable status
    if {$status in {0 75}} {
        set status $new
    }
}
