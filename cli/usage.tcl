# The usage of the tool and of its sub-commands, in the width of the terminal: the texts are those that the sub-commands
# and the package's commands declare.

# All sub-commands.
proc ::cli::usage {} {
    variable commands
    variable notes
    variable everywhere
    set lines [list [wrapped "usage: tossl COMMAND ?ARG ...? ?--OPTION VALUE ...?" 0 7] ""]
    foreach name $commands {
        foreach {form text} [forms_of $name] {
            lappend lines [wrapped "tossl $form" 2 8] [wrapped $text 21]
        }
    }
    foreach note $notes {
        lappend lines "" [wrapped $note 0]
    }
    lappend lines "" "options of every command:" {*}[option_lines [plain_options $everywhere]] "" [wrapped $::cli::statuses 0]
    return [join $lines \n]
}

# One sub-command: its forms, then its options with their texts.
proc ::cli::command_usage {name} {
    variable everywhere
    set lines {}
    foreach {form text} [forms_of $name] {
        lappend lines [wrapped "[expr {[llength $lines] ? "      " : "usage:"}] tossl $form" 0 13] [wrapped $text 11]
    }
    set options [dict filter [options_of $name described] script {option about} {expr {![dict get $about is_secret]}}]
    if {[dict size $options]} {
        lappend lines "" "options:" {*}[option_lines $options]
    }
    lappend lines "" "options of every command:" {*}[option_lines [plain_options $everywhere]]
    return [join $lines \n]
}

# {form text ...}
proc ::cli::forms_of {name} {
    variable declared
    source_command $name
    return [dict get $declared $name forms]
}

# Two lines for each option, or more: what it takes, and its text.
proc ::cli::option_lines {options} {
    set lines {}
    dict for {option about} $options {
        set word [string toupper [dict get $about word]]
        set default [dict get $about default]
        if {$word eq "" || [is_flag $option $options]} {
            set takes ""
        } else {
            set takes " $word[expr {$default eq "" ? "" : " (default $default)"}]"
        }
        set text [dict get $about text]
        if {$takes eq ""} { # the package's option takes a 1
            regsub {^1:? } $text {} text
        }
        lappend lines "  [long_name $option]$takes" [wrapped [in_terminal $text] 6]
    }
    return $lines
}

# Returns the text of a package's option with --key-type for -key_type.
proc ::cli::in_terminal {text} {
    set words [lmap word [split $text " "] {
        if {[regexp {^(\W*)(-[a-z][a-z0-9_]+)(.*)$} $word - before option after] && ![string match *- $before]} {
            set word $before[long_name $option]$after
        }
        set word
    }]
    return [join $words " "]
}

# Returns a text in lines that begin with so many spaces, those behind the first one with `further`. A word that is longer
# than a line has one for itself. Spaces at the beginning stay.
proc ::cli::wrapped {text indent {further ""}} {
    set width [tcl::mathfunc::max 30 [expr {[screen_width] - 1}]]
    regexp {^ *} $text start
    set line [string repeat " " $indent]$start
    set indent [string repeat " " [expr {$further eq "" ? $indent : $further}]]
    set lines {}
    set is_empty 1
    foreach word [regexp -all -inline {\S+} $text] {
        if {!$is_empty && [string length "$line $word"] > $width} {
            lappend lines $line
            set line $indent
            set is_empty 1
        }
        append line [expr {$is_empty ? "" : " "}] $word
        set is_empty 0
    }
    return [join [lappend lines $line] \n]
}

# Columns: those that COLUMNS of the environment says, else the terminal's, else 80; 1000 at most.
proc ::cli::screen_width {} {
    set known [expr {[info exists ::env(COLUMNS)] ? $::env(COLUMNS) : ""}]
    if {![string is integer -strict $known] && [is_terminal stdout]} {
        # Tcl 8 does not tell it.
        if {[catch {lindex [chan configure stdout -winsize] 0} known]} {
            catch {set known [lindex [exec stty size < /dev/tty 2> /dev/null] 1]}
        }
    }
    return [expr {[string is integer -strict $known] && $known > 0 ? min($known, 1000) : 80}]
}
