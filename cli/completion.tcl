# tossl completion: what bash and zsh complete, of what all commands declare.

::cli::command completion {
    "completion bash | zsh"
    "the script by which that shell completes the words of tossl; installed with it, else: source <(tossl completion bash)"
} {} {} {arguments options} {
    if {[llength $arguments] != 1 || [lindex $arguments 0] ni {bash zsh}} {
        misuse "completion needs one of bash, zsh"
    }
    puts -nonewline [completion_in [lindex $arguments 0]]
}

proc ::cli::completion_in {shell} {
    variable folder
    variable commands
    foreach name $commands {
        source_command $name
        dict set options $name [dict filter [completed_options $name] script {option about} {
            expr {![dict get $about is_secret]}
        }]
    }
    return [string map [${shell}_parts $options] [read_file [file join $folder completion.$shell]]]
}

# The options of a sub-command and of the tool itself; the latter's log is that of tossl::log.
proc ::cli::completed_options {name} {
    variable everywhere
    set shared [plain_options $everywhere]
    dict set shared -log_level choices [dict get [described log::configure] -level choices]
    return [dict merge [options_of $name described] $shared]
}

# The kinds of an option's value: words that it may have, and @file, @folder, @variable. Options of the same name have the
# same.
proc ::cli::kinds_of {option options} {
    set kinds {}
    dict for {name known} $options {
        if {[dict exists $known $option]} {
            set about [dict get $known $option]
            lappend kinds {*}[lmap word [dict get $about choices] {regsub {:NAME$} $word :}]
            if {[dict get $about word] eq "boolean"} {
                lappend kinds no yes
            }
            if {[regexp -nocase {\m(path|file|folder|variable)\M} [dict get $about word] kind]} {
                lappend kinds @[string map {path file} [string tolower $kind]]
            }
        }
    }
    return [lsort -unique $kinds]
}

# For each place behind a sub-command its kinds, as the forms say them, the last for all that follow.
proc ::cli::places_of {name options} {
    variable declared
    set places {}
    foreach {form text} [dict get $declared $name forms] {
        set place -1
        set is_choice 0
        # Options in between stand in question marks.
        set form [regsub -all {[?]|\.\.\.} [regsub -all {\?--[^?]*\?} $form {}] {}]
        foreach word [lrange [split $form] 1 end] {
            if {[string match -* $word]} break
            if {$word eq ""} continue
            if {$word eq "|"} {
                set is_choice 1
                continue
            }
            incr place [expr {!$is_choice}]
            set is_choice 0
            if {$place == [llength $places]} {
                lappend places {}
            }
            lset places $place [lsort -unique [concat [lindex $places $place] [kinds_of_word $name $word $options]]]
        }
    }
    return $places
}

proc ::cli::kinds_of_word {name word options} {
    variable declared
    switch $word {
        NAME {return @certificate}
        COMMAND {return @command}
        FILE {return @file}
        FOLDER - FROM - TO {return @folder}
        CA {return [kinds_of -directory $options]}
    }
    if {[string is upper $word]} { # an argument of the package's command
        foreach command [dict get $declared $name over] {
            lassign [::tossl::call Describe $command] - about
            if {[dict exists $about arguments [string tolower $word]]} {
                return [dict get $about arguments [string tolower $word] choices]
            }
        }
        return {}
    }
    return $word
}

proc ::cli::shell_quoted {text} {
    return '[string map {' '\\''} $text]'
}

proc ::cli::kept_part {} {
    variable folder
    return [string trim [read_file [file join $folder completion.sh]]]
}

# ---- bash ----

proc ::cli::bash_parts {options} {
    variable commands
    set all [dict merge {*}[dict values $options]]
    set declared [lmap name $commands {
        set known [dict get $options $name]
        set flags [lmap option [dict keys $known] {expr {[has_value $option $known] ? [continue] : [long_name $option]}}]
        set valued [lmap option [dict keys $known] {expr {[has_value $option $known] ? [long_name $option] : [continue]}}]
        string cat "        $name)\n            flags=[shell_quoted $flags]\n            options=[shell_quoted $valued]\n" \
            "            places=([join [lmap place [places_of $name $options] {shell_quoted $place}]])\n            ;;"
    }]
    set values [lmap option [dict keys $all] {
        set kinds [kinds_of $option $options]
        expr {$kinds eq "" || ![has_value $option $all] ? [continue]
            : "        [long_name $option]) kinds=[shell_quoted $kinds] ;;"}
    }]
    return [list @commands@ [join $declared \n] @values@ [join $values \n] @names@ $commands @kept@ [kept_part]]
}

proc ::cli::has_value {option known} {
    return [expr {[dict get $known $option word] ne "" && ![is_flag $option $known]}]
}

# ---- zsh ----

proc ::cli::zsh_parts {options} {
    variable commands
    set names [lmap name $commands {
        string cat "        " [shell_quoted "$name:[string map {: \\:} [beginning_of [lindex [forms_of $name] 1]]]"]
    }]
    set declared [lmap name $commands {
        set specs [list -S]
        dict for {option about} [dict get $options $name] {
            lappend specs [shell_quoted [zsh_option $option $about $options]]
        }
        set places [places_of $name $options]
        for {set at 0} {$at < [llength $places]} {incr at} {
            set place [expr {$at == [llength $places] - 1 ? "*" : $at + 1}]
            lappend specs [shell_quoted "$place: :[zsh_action [lindex $places $at]]"]
        }
        string cat "        $name)\n            _arguments [join $specs " \\\n                "]\n            ;;"
    }]
    return [list @commands@ [join $declared \n] @names@ [join $names \n] @kept@ [kept_part]]
}

proc ::cli::zsh_option {option about options} {
    set text [beginning_of [in_terminal [dict get $about text]]]
    set known [dict create $option $about]
    if {![has_value $option $known]} {
        regsub {^1:? } $text {} text
    }
    set spec "[long_name $option][expr {[has_value $option $known] ? "=" : ""}]\[[string map {[ \\[ ] \\] \\ \\\\} $text]\]"
    if {[has_value $option $known]} {
        append spec ":[string map {: \\:} [dict get $about word]]:[zsh_action [kinds_of $option $options]]"
    }
    return $spec
}

# How zsh completes these kinds: the first that is looked up, else the words.
proc ::cli::zsh_action {kinds} {
    foreach {kind action} {
        @file _files  @folder {_files -/}  @variable {_parameters -g "*export*"}
        @certificate _tossl_certificates  @command _tossl_commands
    } {
        if {$kind in $kinds} {
            return $action
        }
    }
    return "([string map {: \\:} $kinds])"
}

# The first part of a text, in a line.
proc ::cli::beginning_of {text} {
    set text [regsub {(; |\. |: ).*} $text {}]
    if {[string length $text] > 75} {
        set text [string range $text 0 [string wordstart $text 72]-1]...
    }
    return $text
}
