# Converts words of the command line to arguments and options, as the package's commands declare them.

namespace eval ::cli {
    # Options of the tool itself, {word text}: those without a word take no value.
    variable everywhere {
        -config {FILE {the configuration file; "" for none}}
        -json {{} {the result as JSON on standard output}}
        -quiet {{} {no progress}}
        -log_file {FILE {a log of what is done; "-" is standard error, with systemd's priorities where that is its journal}}
        -log_level {LEVEL {the least that is logged: error, warning, info (the default), debug}}
        -help {{} {shows this}}
    }
    # The state of those without a value, empty where nothing was said; and whether all words were read for it.
    variable settings {json "" quiet ""}
    variable are_read 0
    # Options of the package's commands that are not for a terminal, or that a sub-command gives by itself.
    variable unused {
        -command -progress -deploy -return_details -http01_response -on_renewed -on_error -config -log -names
    }
    # Options that have served, or that the configuration file gives to whoever takes them.
    variable spare {}
    # Those with a value, and where the log goes: an option of tossl::log::configure each.
    variable valued {config log_file log_level}
    variable log {}
    # For sub-commands that use an account: its key is an argument of the package's commands.
    variable account_options {
        -directory {URL "the CA; by default TOSSL_DIRECTORY of the environment"}
        -store {FOLDER "the store with the account's key, as for obtain"}
        -seal_key_file {FILE "a file with the keys that the store is sealed with, as for obtain"}
        -seal_key_env {VARIABLE "an environment variable with these keys"}
        -account_key_file {FILE "a file with the account's private key, instead of the store's"}
        -account_key_env {VARIABLE "an environment variable with the account's private key"}
    }
    # For those that may make one.
    variable new_account_options [dict merge $account_options {
        -email {ADDRESS "a mail address for a new account; by default TOSSL_EMAIL of the environment"}
    }]
    # Characters of a file that is read as text.
    variable most_chars 1048576
}

# Returns the options of a sub-command: dicts of word, default and is_secret by name; with "described" for `how` of text and
# choices, too.
proc ::cli::options_of {name {how outlined}} {
    variable declared
    set found [plain_options [dict get $declared $name own]]
    foreach command [dict get $declared $name over] {
        dict for {option about} [$how $command] {
            if {$option ni $::cli::unused && ![dict exists $found $option]} {
                dict set found $option $about
            }
        }
    }
    return $found
}

# The same of {word text ?choices?}, by name.
proc ::cli::plain_options {declared} {
    return [dict map {option about} $declared {
        lassign $about word text choices
        dict create word $word text $text default "" is_secret 0 choices $choices
    }]
}

# The message of a package's command, with its options as they are written here: --key-type for -key_type, and
# --overwrite for -overwrite 1; and its commands, as far as there are sub-commands for them.
proc ::cli::in_words {message} {
    variable known
    set message [regsub -all {\m(?:tossl::)?(?:acme::)?(obtain|renew|list|forget|import)_certificates?\M} $message {tossl \1}]
    foreach {- option} [regexp -all -inline {(?:^|[\s("'])(-[a-z][a-z0-9_]*)(?![\w-])} $message] {
        if {[dict exists $known $option]} {
            set value [expr {[is_flag $option $known] ? {(?: 1(?![\w-]))?} : ""}]
            set message [regsub "(^|\[\\s(\"'\])${option}${value}(?!\[\\w-\])" $message "\\1[long_name $option]"]
        }
    }
    return $message
}

proc ::cli::outlined {command} {
    lassign [::tossl::call Outline $command] options about
    return -level 0 {*}$options $about
}

# Takes longer: texts and choices have all DNS providers, for one.
proc ::cli::described {command} {
    lassign [::tossl::call Describe $command] options about
    return -level 0 {*}$options [expr {$options eq "" ? [dict get $about options] : $about}]
}

# Returns those of a sub-command's options that are for one of the package's commands: a spare one that it lacks is left out.
proc ::cli::fitting {command options} {
    variable spare
    set taken [outlined $command]
    return [dict filter $options script {option value} {expr {$option ni $spare || [dict exists $taken $option]}}]
}

# Returns --key-type for -key_type.
proc ::cli::long_name {option} {
    return -[string map {_ -} $option]
}

# {arguments options}: --ca-bundle F becomes -ca_bundle F, and so does --ca-bundle=F. One that says yes or no, and is no
# without it, takes no value: --force. Behind "--" no word is an option. What the configuration file gives besides is among
# the options. It reads all words before it tells the first fault: --json may stand last.
proc ::cli::read_words {words known} {
    variable conf
    variable are_read
    variable is_undeterred
    lassign [parse_words $words $known] arguments options own faults
    set conf [conf_path $own]
    if {$conf ne ""} {
        lassign [add_conf $conf $options $known] options wrong
        if {$is_undeterred && [llength $wrong] && ![llength $faults]} {
            say "tossl: [lindex $wrong 0]"
        } elseif {!$is_undeterred} {
            lappend faults {*}$wrong
        }
    }
    set are_read 1
    if {[dict exists $options -store] && [dict get $options -store] eq ""} {
        lappend faults "--store is empty, and nothing would be kept: give a folder, or leave --store out"
    }
    if {[llength $faults]} {
        misuse [lindex $faults 0]
    }
    return [list $arguments [in_seconds $options $known]]
}

# The options with those that are times in seconds; a number is the package's to judge.
proc ::cli::in_seconds {options known} {
    return [dict map {option text} $options {
        set word [dict get $known $option word]
        if {$word eq "DURATION" || ($word eq "seconds" && ![string is double -strict $text])} {
            set text [duration $option $text]
        }
        set text
    }]
}

# The seconds of "10d", "12h", "30m", "30s" and "30"; digits behind a 0 are decimal ones.
proc ::cli::duration {option text} {
    if {![regexp {^0*(\d{1,9}(?:\.\d{1,6})?)([smhd]?)$} $text - count unit]} {
        misuse "[long_name $option]: expected a duration, as 10d, 12h, 30m or seconds, but got \"$text\""
    }
    return [expr {$count * [dict get {s 1 "" 1 m 60 h 3600 d 86400} $unit]}]
}

# Reads the settings alone, of words for a command that is not known, or whose options are not.
proc ::cli::read_settings {words} {
    set conf [conf_path [lindex [parse_words $words {}] 2]]
    if {$conf ne ""} {
        take_settings [lindex [read_conf $conf] 0]
    }
}

# {arguments options own faults}: own are those options of the tool that have a value, but for the log's.
proc ::cli::parse_words {words known} {
    variable settings
    variable valued
    variable log
    lassign {} arguments options own faults
    while {[llength $words]} {
        set words [lassign $words word]
        if {$word eq "--"} {
            lappend arguments {*}$words
            break
        }
        if {![string match --?* $word]} {
            lappend arguments $word
            continue
        }
        set has_value [regexp {^(--[^=]+)=(.*)$} $word - word value]
        set name [string map {- _} [string range $word 2 end]]
        try {
            if {[dict exists $settings $name]} {
                dict set settings $name [expr {$has_value ? [truth $word $value] : 1}]
                continue
            }
            if {$name ni $valued} {
                check_option $word -$name $known
            }
            if {!$has_value && [is_flag -$name $known]} {
                set value 1
            } elseif {!$has_value} {
                if {![llength $words]} {
                    misuse "value for $word missing"
                }
                set words [lassign $words value]
            }
        } trap {TOSSL USAGE} message {
            lappend faults $message
            continue
        }
        if {$name eq "config"} {
            dict set own config $value
        } elseif {$name in $valued} {
            dict set log -[string range $name 4 end] $value
        } else {
            dict set options -$name $value
        }
    }
    return [list $arguments $options $own $faults]
}

# The value of one that says yes or no.
proc ::cli::truth {word value {where ""}} {
    try {
        return [tcl::mathfunc::bool $value]
    } on error {} {
        misuse "${where}expected boolean value for $word but got \"$value\""
    }
}

# Whether an option says yes or no, and is no where it is not given.
proc ::cli::is_flag {option known} {
    return [expr {[dict exists $known $option] && [dict get $known $option word] eq "boolean"
        && [dict get $known $option default] eq "0"}]
}

proc ::cli::check_option {word option known} {
    if {![dict exists $known $option]} {
        misuse "unknown option $word"
    }
    if {[dict get $known $option is_secret]} {
        misuse "$word would show in the process list; give $word-file FILE or $word-env VARIABLE"
    }
}

# Returns texts as they were typed, or as files are named. In a locale without letters beyond ASCII, as cron has it, Tcl 8
# takes each byte for a character; what is UTF-8 was typed as that.
proc ::cli::typed {texts} {
    if {[encoding system] ne "iso8859-1"} {
        return $texts
    }
    return [lmap text $texts {
        if {![catch {encoding convertto iso8859-1 $text} bytes] && [encoding convertfrom iso8859-1 $bytes] eq $text
                && ![catch {encoding convertfrom utf-8 $bytes} other] && [encoding convertto utf-8 $other] eq $bytes} {
            set text $other
        }
        set text
    }]
}

# Returns names of hosts as they were typed. Refuses what is meant as an option: no name begins with a hyphen.
proc ::cli::host_names {words} {
    set wrong [lsearch -inline $words -?*]
    if {$wrong ne ""} {
        misuse "unknown option $wrong: options begin with --"
    }
    return [typed $words]
}

# Removes an option from the dict and returns its value, else the default. Raises an error without either.
proc ::cli::take {variable name args} {
    upvar 1 $variable options
    if {[dict exists $options $name]} {
        set value [dict get $options $name]
        dict unset options $name
        return $value
    }
    if {![llength $args]} {
        misuse "[long_name $name] is required"
    }
    return [lindex $args 0]
}

# Removes an option that says where something is, and returns the place; empty without the option. An empty place, as of a
# shell's variable that is not set, is refused: something else would be taken in its place.
proc ::cli::take_place {variable name} {
    upvar 1 $variable options
    if {![dict exists $options $name]} return
    set place [take options $name]
    if {$place eq ""} {
        misuse "[long_name $name] is empty"
    }
    return $place
}

proc ::cli::take_directory {variable} {
    upvar 1 $variable options
    if {[info exists ::env(TOSSL_DIRECTORY)]} {
        return [take options -directory $::env(TOSSL_DIRECTORY)]
    }
    return [take options -directory]
}

proc ::cli::take_email {variable} {
    upvar 1 $variable options
    return [take options -email [expr {[info exists ::env(TOSSL_EMAIL)] ? $::env(TOSSL_EMAIL) : ""}]]
}

# Returns the account key: from its file or the environment, else from the store, whose options stay, for commands that take
# them. args: options of get_account_key.
proc ::cli::take_account_key {variable directory args} {
    upvar 1 $variable options
    variable spare
    set store [dict filter $options key -store -seal_key_*]
    lappend spare {*}[dict keys $store]
    set file [take_place options -account_key_file]
    set name [take_place options -account_key_env]
    if {$file ne "" && $name ne ""} {
        misuse "give only one of --account-key-file and --account-key-env"
    }
    if {$file ne ""} {
        return [read_file $file]
    }
    if {$name ne ""} {
        if {![info exists ::env($name)]} {
            misuse "--account-key-env: $name is not set in the environment"
        }
        return $::env($name)
    }
    return [tossl::acme::get_account_key $directory {*}$store {*}$args]
}

# Returns a file's text. A pipe that nobody writes to is empty: it is not waited for.
proc ::cli::read_file {path {most 0}} {
    variable most_chars
    set most [expr {$most ? $most : $most_chars}]
    try {
        set channel [open [file join . $path] {RDONLY NONBLOCK}] ;# a path may begin with "|"
        chan configure $channel -blocking 1 -encoding utf-8
        set text [read $channel [expr {$most + 1}]]
    } trap POSIX {- details} {
        misuse "cannot read \"$path\": [lindex [dict get $details -errorcode] 2]"
    } finally {
        if {[info exists channel]} {
            close $channel
        }
    }
    if {[string length $text] > $most} {
        misuse "cannot read \"$path\": it is longer than $most characters"
    }
    return $text
}

proc ::cli::misuse {message} {
    return -code error -errorcode {TOSSL USAGE} $message
}
