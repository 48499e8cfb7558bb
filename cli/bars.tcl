# Certificates in a terminal, their lives drawn as bars, in its width and no wider.

namespace eval ::cli {
    # For what is past, what is left, and the due time: in a terminal that shows Unicode, and in any.
    variable strokes [dict create utf [list \u2588 \u2591 \u2503] ascii {# - |}]
    # Columns between two; the least that a bar has; those of a day under "valid until", and of "-3650 d".
    variable gap 2
    # In fewer, there are no columns: a name of 4, and "not yet valid" or "not renewable".
    variable least_room 19
    variable least_bar 10
    variable day_columns 11
    variable left_columns 7
    # SGR parameters of how a certificate is.
    variable colours {good 32 soon 33 bad 31}
    # Characters that take two columns, and those that take none.
    variable wide {[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]}
    variable narrow {[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u064b-\u065f\u0e31\u0e34-\u0e3a\u20d0-\u20ff\ufe00-\ufe0f\ufe20-\ufe2f]}
}

# A line for each certificate; below it what is wrong, whole.
proc ::cli::draw_list {found columns now} {
    set rows [lmap one $found {row_of $one $now}]
    if {![llength $rows]} return
    set room [tcl::mathfunc::max 1 [expr {$columns - 1}]]
    if {$room < $::cli::least_room} {
        foreach row $rows {
            puts [join [broken "[dict get $row name] [dict get $row state] [join [dict get $row texts]]" $room] \n]
        }
        return
    }
    set layout [layout_of $rows $room]
    draw_row $layout [dict create name name day "valid until" left "" by by state state bar [bar_title [dict get $layout bar]] colour ""]
    foreach row $rows {
        draw_name $layout row $room
        draw_row $layout $row
        foreach text [dict get $row texts] {
            foreach line [broken $text [expr {$room - 4}]] {
                puts "    $line"
            }
        }
    }
}

# What is shown of one: name, day, left, by (the node that obtained it), state, colour, texts; and times: those of its bar.
proc ::cli::row_of {kept now} {
    set states [states_of $kept]
    set row [dict create name [shown [dict get $kept name]] state [lindex $states 0] times {} day - left - by "" colour bad texts {}]
    foreach {short text} $states {
        # The first word stands in the line itself.
        if {[llength [dict get $row texts]] || $short ne [dict get $row state] || [string match "*: *" $text] || ![string match $short* $text]} {
            dict lappend row texts [shown $text]
        }
    }
    if {[dict exists $kept damaged]} {
        return $row
    }
    if {[has_nodes $kept]} {
        dict set row by [shown [dict get $kept node]]
    }
    set end [dict get $kept not_after]
    dict set row times [list [dict get $kept not_before] [dict get $kept due] $end $now]
    dict set row day [clock format $end -format %Y-%m-%d -gmt 1]
    dict set row left [left_text [expr {$end - $now}]]
    if {[dict get $row state] ni {revoked expired "not yet valid"}} {
        dict set row colour [expr {[dict get $row state] in {valid "not renewable"} ? "good" : "soon"}]
    }
    return $row
}

# The columns that each part gets; 0 where it is left out. Name and state never are.
proc ::cli::layout_of {rows room} {
    variable gap
    variable least_bar
    variable day_columns
    variable left_columns
    set state [tcl::mathfunc::max 5 {*}[lmap row $rows {columns_of [dict get $row state]}]]
    set names [lmap row $rows {columns_of [dict get $row name]}]
    set longest [tcl::mathfunc::max 4 {*}$names]
    set day $day_columns
    # One name that is much longer than the rest does not make its column wide.
    set most [tcl::mathfunc::max 12 [expr {$room * 3 / 10}]]
    set name [tcl::mathfunc::max 4 {*}[lmap each $names {expr {$each <= $most ? $each : 0}}]]
    # Who obtained it is said where several nodes are known.
    set by [tcl::mathfunc::max {*}[lmap row $rows {columns_of [dict get $row by]}]]
    foreach by [list [expr {$by ? max(2, $by) : 0}] 0] {
        set bar [expr {$room - $name - $day - $left_columns - $state - 4 * $gap - ($by ? $by + $gap : 0)}]
        if {$bar >= $least_bar} {
            return [dict create name $name day $day left $left_columns by $by bar $bar state $state]
        }
    }
    set left [expr {$room - $name - $day - $left_columns - $state - 3 * $gap >= 0 ? $left_columns : 0}]
    set name [tcl::mathfunc::min $longest [expr {$room - $day - $state - ($left ? $left_columns + $gap : 0) - 2 * $gap}]]
    if {$name >= 8 || $name == $longest} {
        return [dict create name $name day $day left $left by 0 bar 0 state $state]
    }
    set name [tcl::mathfunc::min $longest [expr {$room - $state - $gap}]]
    return [dict create name [tcl::mathfunc::max 4 $name] day 0 left 0 by 0 bar 0 state $state]
}

# A name that is longer than its column stands above, and the column is empty.
proc ::cli::draw_name {layout variable room} {
    upvar 1 $variable row
    if {[columns_of [dict get $row name]] <= [dict get $layout name]} return
    foreach line [broken [dict get $row name] $room] {
        puts $line
    }
    dict set row name ""
}

proc ::cli::draw_row {layout row} {
    variable gap
    set cells {}
    foreach part {name day left bar by state} {
        set columns [dict get $layout $part]
        if {!$columns} continue
        if {$part eq "bar" && [dict exists $row times]} {
            lappend cells [bar [dict get $row times] $columns [dict get $row colour]]
            continue
        }
        set text [dict get $row $part]
        set cell [padded $text $columns]
        lappend cells [expr {$part eq "state" ? [coloured [dict get $row colour] $text] : $cell}]
    }
    puts [string trimright [join $cells [string repeat " " $gap]]]
}

# The life of a certificate in so many columns: from its begin to its end, what is past of it, and when it is due.
proc ::cli::bar {times columns colour} {
    if {$times eq ""} {
        return [string repeat " " $columns]
    }
    lassign $times from due end now
    lassign [strokes] past left mark
    set life [expr {double(max(1, $end - $from))}]
    set done [expr {min($columns, max(0, round($columns * ($now - $from) / $life)))}]
    if {$now < $end} {
        set done [expr {min($done, $columns - 1)}]
    }
    set at [expr {min($columns - 1, max(0, int($columns * ($due - $from) / $life)))}]
    set line [string replace [string repeat $past $done][string repeat $left [expr {$columns - $done}]] $at $at $mark]
    return [coloured $colour [string range $line 0 $done-1]][string range $line $done end]
}

# Says what the strokes are.
proc ::cli::bar_title {columns} {
    lassign [strokes] past left mark
    foreach title [list "issued $past$past now $left$left $mark due $left$left end" "life: $mark due" life] {
        if {[string length $title] <= $columns} {
            return $title
        }
    }
    return ""
}

proc ::cli::strokes {} {
    variable strokes
    return [dict get $strokes [expr {[shows_unicode] ? "utf" : "ascii"}]]
}

# Whether standard output takes all characters, by the locale of its terminal.
proc ::cli::shows_unicode {} {
    foreach name {LC_ALL LC_CTYPE LANG} {
        if {[info exists ::env($name)] && $::env($name) ne ""} {
            return [expr {[regexp -nocase {utf-?8} $::env($name)] && [chan configure stdout -encoding] eq "utf-8"}]
        }
    }
    return 0
}

proc ::cli::coloured {colour text} {
    variable colours
    if {$colour eq "" || $text eq "" || ![shows_colours]} {
        return $text
    }
    return "\x1b\[[dict get $colours $colour]m$text\x1b\[0m"
}

# https://no-color.org
proc ::cli::shows_colours {} {
    return [expr {!([info exists ::env(NO_COLOR)] && $::env(NO_COLOR) ne "")
        && [info exists ::env(TERM)] && $::env(TERM) ni {dumb ""}}]
}

proc ::cli::left_text {seconds} {
    set span [expr {abs($seconds)}]
    set text [expr {$span >= 2 * 86400 ? "[expr {$span / 86400}] d" : $span >= 7200 ? "[expr {$span / 3600}] h" : "[expr {$span / 60}] min"}]
    return [expr {$seconds < 0 ? "-$text" : $text}]
}

# ---- texts in columns ----

# The columns of a terminal that a text takes.
proc ::cli::columns_of {text} {
    variable wide
    variable narrow
    if {[string is ascii $text]} {
        return [string length $text]
    }
    set columns [expr {[string length $text] + [regexp -all $wide $text] - [regexp -all $narrow $text]}]
    # Those above U+FFFF take two columns, mostly, and are two of Tcl 8's characters.
    set is_double [expr {[info tclversion] >= 9}]
    foreach char [expr {$is_double ? [split $text {}] : {}}] {
        incr columns [expr {[scan $char %c] > 0xffff}]
    }
    return $columns
}

proc ::cli::padded {text columns} {
    return $text[string repeat " " [tcl::mathfunc::max 0 [expr {$columns - [columns_of $text]}]]]
}

# Breaks a text into lines of so many columns: between words, and within a word that is longer than a line.
proc ::cli::broken {text columns} {
    set columns [tcl::mathfunc::max 2 $columns]
    set lines {}
    set line ""
    foreach word [regexp -all -inline {\S+} $text] {
        if {$line ne "" && [columns_of "$line $word"] > $columns} {
            lappend lines $line
            set line ""
        }
        append line [expr {$line eq "" ? "" : " "}] $word
        while {[columns_of $line] > $columns} {
            set count [string length $line]
            while {[columns_of [string range $line 0 $count-1]] > $columns} {
                incr count -1
            }
            lappend lines [string range $line 0 $count-1]
            set line [string range $line $count end]
        }
    }
    return [lappend lines $line]
}
