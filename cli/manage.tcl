# tossl manage

::cli::command manage {
    "manage FILE --directory CA --webroot DIR | --port N | --provider P"
    "keeps the certificates that FILE declares: name {domains {a b} ?-option value ...?}; runs until it is ended"
} acme::manage {} {files options} {
    variable status
    # Messages are about the file, where options are written as the package's commands have them.
    variable known {}
    if {[llength $files] != 1} {
        misuse "manage needs one file, which declares the certificates"
    }
    set path [lindex $files 0]
    check_declared $path
    # A path, also if it has spaces.
    if {[file pathtype $path] eq "relative"} {
        set path [file join [pwd] $path]
    }
    set job [tossl::acme::manage $path {*}$options -progress ::cli::progress -on_renewed ::cli::managed_one \
        -on_error ::cli::managed_failure -command {set ::cli::managed}]
    if {![is_quiet]} {
        say_managed "keeps the certificates that $path declares"
    }
    vwait ::cli::managed
    end_line
    if {[tossl::job::status $job] ne "cancelled"} {
        tossl::job::result $job
    } elseif {[trap_signals] ni {2 15}} {
        set status [expr {128 + [trap_signals]}]
    }
}

# Refuses what a script alone can do. What is no dict, and no file of a usual size, is the package's to refuse.
proc ::cli::check_declared {path} {
    variable most_chars
    set text [read_file $path [expr {64 * $most_chars}]]
    set lines [lsearch -all -inline -not -regexp [split $text \n] {^\s*#}]
    if {![string is list [join $lines \n]]} return
    foreach {name declared} [join $lines \n] {
        foreach option {-http01_response -deploy} {
            if {![catch {dict exists $declared $option} is_there] && $is_there} {
                misuse "$name: $option is for programs of your own; a terminal has --deploy-command, --webroot and --port"
            }
        }
    }
}

proc ::cli::managed_one {certificate} {
    if {[is_json]} {
        # A reader that is gone must not end it.
        catch {
            puts [json [summary $certificate] $::cli::kept_types]
            flush stdout
        }
    }
    if {![is_quiet]} {
        say_managed "[dict get $certificate name]: valid until [time_text [dict get $certificate not_after]]"
    }
}

proc ::cli::managed_failure {failure} {
    set name [dict get $failure name]
    set next [expr {[dict exists $failure next] ? "; tried again at [time_text [dict get $failure next]]" : ""}]
    say_managed "[expr {$name eq "" ? "" : "$name: "}][dict get $failure message]$next"
}

proc ::cli::say_managed {text} {
    end_line
    say "[time_text [clock seconds]] $text"
}
