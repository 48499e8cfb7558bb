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

# {option {value line}} for each option that the file gives. Those of the tool itself are without "-".
proc ::cli::read_conf {path} {
    variable settings
    set found {}
    set number 0
    foreach line [split [read_file $path] \n] {
        incr number
        set line [string trim $line]
        if {$line eq "" || [string index $line 0] eq "#"} continue
        if {![regexp {^([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.*)$} $line - name value]} {
            misuse "$path:$number: expected a line \"name = value\""
        }
        set name [string map {- _} $name]
        if {![dict exists $settings $name]} {
            set name -$name
        } else {
            set value [truth $name $value "$path:$number: "]
        }
        if {[dict exists $found $name]} {
            misuse "$path:$number: [string trimleft $name -] stands in line [lindex [dict get $found $name] 1] already"
        }
        dict set found $name [list $value $number]
    }
    return $found
}

# The options with those of the file added that this sub-command knows. The command line overrides the file: also a
# secret by the one way that by another.
proc ::cli::add_conf {path options known} {
    variable settings
    variable log
    set given [lmap option [dict keys $options] {secret_of $option}]
    dict for {option value} [read_conf $path] {
        lassign $value value number
        if {[dict exists $settings $option]} {
            dict set settings $option [expr {[dict get $settings $option] || $value}]
        } elseif {$option in {-log_file -log_level}} {
            set log [dict merge [list -[string range $option 5 end] $value] $log]
        } elseif {![dict exists $known $option]} {
            check_known $option $path:$number
        } elseif {[dict get $known $option is_secret]} {
            refuse_secret $option $path:$number
        } elseif {[secret_of $option] ni $given} {
            dict set options $option $value
        }
    }
    return $options
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
