# The terminal tool: finds the sub-command, passes its words on, and turns its outcome into an exit status.

namespace eval ::cli {
    variable folder [file dirname [file normalize [info script]]]
    # Each is a file beside this one. They are listed in this order.
    variable commands {
        obtain renew manage list show doctor check import store persist revoke forget account directory support
        completion help
    }
    # What the files say of themselves, by sub-command.
    variable declared {}
    # Those that a monitoring system runs: their exit status is 0 to 3, and 3 where they could not do their work.
    variable plugins {check}
    # Those that are wanted where the configuration file or the log is broken: they get on without.
    variable undeterred {support}
    # Those that serve until they are ended: to end one is no failure.
    variable serving {manage}
    # The options of the sub-command that runs.
    variable known {}
    # The configuration file that was read, and whether its faults are only reported.
    variable conf ""
    variable is_undeterred 0
    # The exit status of a sub-command that ends without an error.
    variable status 0

    variable notes {
        {CA is a directory URL or a short name (letsencrypt, letsencrypt-staging, ...). An option is that of the package's
        command, as --key-type ec384 for -key_type ec384; tossl help COMMAND lists them. Secrets come from files and the
        environment, never from the command line: --api-key-file FILE or --api-key-env VARIABLE. What stands in a
        configuration file ("name = value" lines; --config, else TOSSL_CONF, else ~/.config/tossl.conf, else
        /etc/tossl.conf) need not be given.}
        {tossl help tossl lists the commands of the Tcl package, tossl help acme::obtain_certificate describes one of
        them, tossl help cloudflare a DNS provider. tossl --version says the version.}
    }
    variable statuses "exit status: 0 done, or nothing to do, 1 refused or failed, 2 wrong use (nothing was sent), 75 try again\
        later, 128 and more: ended by a signal; what was presented to the CA is removed first, unless a second signal comes"
}

foreach ::cli::file {words conf output progress usage} {
    source [file join $::cli::folder $::cli::file.tcl]
}
unset ::cli::file

# Declares a sub-command, in its file: the forms of its words, each with a text; the package's commands whose options it
# takes; its other options (a dict of {word text} by name, perhaps with the words that it may have); and the script that
# runs with arguments and options. Help and completion are made of it. In a form, lower case is a word as it is, and upper
# case one to be given: NAME is a certificate in the store, FILE, FOLDER and CA are what they say.
proc ::cli::command {name forms over own parameters body} {
    variable declared
    dict set declared $name [dict create forms $forms over $over own $own]
    proc ::cli::run_$name $parameters $body
}

# Returns the exit status.
proc ::cli::main {words} {
    # A character that the locale does not have is a question mark, as in Tcl 8; in Tcl 9 it would be an error.
    catch {chan configure stdout -profile replace}
    try {
        return [run $words]
    } on error {message details} {
        return [unanswered $words $message $details]
    }
}

proc ::cli::run {words} {
    variable commands
    variable serving
    set name [lindex $words 0]
    if {$name in $commands && ("--help" in $words || "-h" in $words)} {
        load_package
        puts [command_usage $name]
        return 0
    }
    if {$words eq "" || "--help" in $words || "-h" in $words} {
        puts [usage]
        return [expr {$words eq "" ? 2 : 0}]
    }
    if {$name eq "--version"} {
        load_package
        puts "tossl [package present tossl]"
        return 0
    }
    if {[string match -* $name]} {
        misuse "options stand behind a command: tossl COMMAND $name"
    }
    if {$name ni $commands} {
        misuse "unknown command \"$name\": must be [join [lrange $commands 0 end-1] ", "] or [lindex $commands end]"
    }
    load_package {*}[expr {$name in $serving ? "serve" : ""}]
    return [perform $name [lrange $words 1 end]]
}

# Runs a sub-command; returns its exit status.
proc ::cli::perform {name words} {
    variable status
    variable undeterred
    variable is_undeterred [expr {$name in $undeterred}]
    source_command $name
    variable known [options_of $name]
    lassign [read_words $words $known] arguments options
    if {!$is_undeterred} open_log
    run_$name $arguments $options
    return $status
}

# Tells why the words were refused, or a sub-command could not do its work; returns the exit status.
proc ::cli::unanswered {words message details} {
    variable plugins
    variable are_read
    if {!$are_read} {
        catch {read_settings $words}
    }
    if {[lindex $words 0] in $plugins && [dict get $details -errorcode] ne "TOSSL CANCELLED"} {
        return [unknown $message $details]
    }
    if {[dict get $details -errorcode] eq "TOSSL USAGE"} {
        return [wrong [lindex $words 0] $message]
    }
    return [failed $message $details]
}

# Begins the log that --log-file and --log-level ask for.
proc ::cli::open_log {} {
    variable log
    if {![dict size $log]} return
    if {![dict exists $log -file] && [dict get [::tossl::log::configure] file] eq ""} {
        dict set log -file -
    }
    ::tossl::log::configure {*}$log
}

proc ::cli::source_command {name} {
    variable folder
    source [file join $folder $name.tcl]
}

# Loads the package beside it, without Tcl's search of all of them; args are trap_signals'.
proc ::cli::load_package {args} {
    variable folder
    set dir [file dirname $folder]
    if {[catch {source [file join $dir pkgIndex.tcl]} message] || [package versions tossl] eq ""} {
        return -code error -errorcode {TOSSL TCL} "[file join $dir pkgIndex.tcl] does not load\
            tossl[expr {$message eq "" ? "" : ": $message"}]; install tossl again"
    }
    package require tossl 0.1
    trap_signals {*}$args
}

# Makes Ctrl-C and the like cancel a call, which then cleans up. With "serve", one that comes before the first call ends the
# process with status 0, and SIGHUP reads files again. Returns the number of the signal received, or 0.
proc ::cli::trap_signals {args} {
    return [lindex [::tossl::call Trap {*}$args] 1]
}
