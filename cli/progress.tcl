# Reports the steps of a call on standard error: one changing line on a terminal, a line for each step in a log.

namespace eval ::cli {
    variable width 0
}

proc ::cli::progress {step} {
    variable width
    # Warnings are in the result.
    if {[is_quiet] || [dict get $step step] eq "warning"} return
    set text [dict get $step step]
    foreach name {name check subject domain type what status seconds folder} {
        if {[dict exists $step $name]} {
            append text " " [dict get $step $name]
        }
    }
    set text [shown $text]
    if {[is_terminal stderr]} {
        catch {
            puts -nonewline stderr "\r[format %-${width}s $text]"
            flush stderr
        }
        set width [string length $text]
    } elseif {[dict get $step step] ne "waiting"} {
        say "[clock format [clock seconds] -format %Y-%m-%dT%H:%M:%SZ -gmt 1] $text"
    }
}

proc ::cli::end_line {} {
    variable width
    if {$width} {
        catch {puts -nonewline stderr "\r[string repeat " " $width]\r"}
        set width 0
    }
}

proc ::cli::is_terminal {channel} {
    # Only a terminal has a mode.
    return [expr {![catch {chan configure $channel -mode}]}]
}
