# The configuration file: options that need not stand on the command line.
#
#     # a comment
#     directory = letsencrypt
#     api-key-file = /etc/tossl/api-key
#
# A line is the name of an option, with "-" or "_", "=", and its value as it is, without quotes. An option that the
# sub-command does not take is passed over, if another one takes it.

# Returns the file's path, empty without a file: --config, else TOSSL_CONF, else the first existing file of the list.
proc ::cli::conf_path {options} {
    if {[dict exists $options config]} {
        return [dict get $options config]
    }
    if {[info exists ::env(TOSSL_CONF)]} {
        return $::env(TOSSL_CONF)
    }
    set homes {}
    if {[info exists ::env(XDG_CONFIG_HOME)] && $::env(XDG_CONFIG_HOME) ne ""} {
        lappend homes $::env(XDG_CONFIG_HOME)
    } elseif {[info exists ::env(HOME)] && $::env(HOME) ne ""} {
        lappend homes [file join $::env(HOME) .config]
    }
    foreach folder [list {*}$homes /etc] {
        set path [file join $folder tossl.conf]
        if {[file exists $path]} {
            return $path
        }
    }
    return ""
}

# {found faults}: {option {value line}} for each option that the file gives, those of the tool itself without "-"; and what
# is wrong with its lines.
proc ::cli::read_conf {path} {
    variable settings
    lassign {} found faults
    set number 0
    try {
        set text [read_file $path]
    } trap {TOSSL USAGE} message {
        return [list {} [list $message]]
    }
    foreach line [split $text \n] {
        incr number
        set line [string trim $line]
        if {$line eq "" || [string index $line 0] eq "#"} continue
        if {![regexp {^([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.*)$} $line - name value]} {
            lappend faults "$path:$number: expected a line \"name = value\""
            continue
        }
        set name [string map {- _} $name]
        if {![dict exists $settings $name]} {
            set name -$name
        } elseif {[catch {truth $name $value "$path:$number: "} value]} {
            lappend faults $value
            continue
        }
        if {[dict exists $found $name]} {
            lappend faults "$path:$number: [string trimleft $name -] stands in line [lindex [dict get $found $name] 1] already"
            continue
        }
        dict set found $name [list $value $number]
    }
    return [list $found $faults]
}

# Those of the tool that say yes or no, where the command line has not said it.
proc ::cli::take_settings {found} {
    variable settings
    dict for {name value} $settings {
        if {$value eq "" && [dict exists $found $name]} {
            dict set settings $name [lindex [dict get $found $name] 0]
        }
    }
}

# {options faults}: the options with those of the file added that this sub-command knows. The command line overrides the
# file: also a secret by the one way that by another.
proc ::cli::add_conf {path options known} {
    variable settings
    variable log
    variable spare
    set given [lmap option [dict keys $options] {secret_of $option}]
    lassign [read_conf $path] found faults
    take_settings $found
    dict for {option value} [dict remove $found {*}[dict keys $settings]] {
        lassign $value value number
        try {
            if {$option in {-log_file -log_level}} {
                set log [dict merge [list -[string range $option 5 end] $value] $log]
            } elseif {![dict exists $known $option]} {
                check_known $option $path:$number
            } elseif {[dict get $known $option is_secret]} {
                refuse_secret $option $path:$number
            } elseif {[secret_of $option] ni $given} {
                dict set options $option $value
                lappend spare $option
            }
        } trap {TOSSL USAGE} message {
            lappend faults $message
        }
    }
    return [list $options $faults]
}

proc ::cli::refuse_secret {option where} {
    set name [string range [long_name $option] 2 end]
    misuse "$where: a secret does not stand here: give $name-file or $name-env"
}

# -api_key, for -api_key_file and -api_key_env
proc ::cli::secret_of {option} {
    return [regsub {_(file|env)$} $option {}]
}

# Raises an error for an option that no sub-command takes, and for a secret.
proc ::cli::check_known {option where} {
    variable commands
    foreach name $commands {
        source_command $name
        set known [options_of $name]
        if {[dict exists $known $option]} {
            if {[dict get $known $option is_secret]} {
                refuse_secret $option $where
            }
            return
        }
    }
    misuse "$where: unknown option [string map {_ -} [string range $option 1 end]]"
}
