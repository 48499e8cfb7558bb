# naviserver.tcl: certificates that a NaviServer keeps. tossl::naviserver::init sources it when it is first called.
#
# The configuration file calls init, before NaviServer loads its drivers: nsssl finds a certificate, perhaps a self-signed
# one. From there on the configuration holds what init was called with. Each server's start registers the answer page; the
# first one's schedules Keep, in whose thread tossl::acme::manage has its event loop.

namespace eval ::tossl::naviserver {
    # This file, which each server sources.
    variable script [file normalize [info script]]
    # The section of NaviServer's configuration that every thread reads.
    variable section ns/tossl
    # Milliseconds between two looks whether the server shuts down, and before manage is started again.
    variable look 250
    variable pause 60000
}

# Refuses the call.
proc ::tossl::naviserver::Refuse {what message} {
    return -code error -errorcode [list TOSSL VALUE $what] $message
}

# In NaviServer's configuration file: gets these certificates and keeps them, as tossl::acme::manage does, and has nsssl
# take up each. certificates and options are manage's; each certificate has a -pem_file, the file that a driver's
# parameter `certificate` names.
proc ::tossl::naviserver::Init {certificates args} {
    variable section
    if {![llength [info commands ::ns_section]] || ![llength [info commands ::ns_param]]} {
        Refuse init "tossl::naviserver::init belongs into NaviServer's configuration file"
    }
    if {[llength $args] % 2} {
        set last [lindex $args end]
        if {![regexp {^-[a-z]\w{0,23}$} $last]} { # perhaps a key in a wrong place
            Refuse {} "expected -option value pairs behind the certificates"
        }
        Refuse [string trimleft $last -] "$last: it has no value"
    }
    if {[ns_config $section certificates] ne ""} {
        Refuse init "tossl::naviserver::init was called already: give all certificates to one call"
    }
    set servers [Keys ns/servers]
    if {![llength $servers]} {
        Refuse init "tossl::naviserver::init comes at the end of the configuration: there is no server in ns/servers yet"
    }
    dict for {name options} [Declared $certificates $args] {
        if {![dict exists $options domains]} {
            Refuse certificates "$name has no domains"
        }
        if {![dict exists $options -pem_file]} {
            Refuse pem_file "$name has no -pem_file: the file that nsssl's parameter certificate names"
        }
        # nsd -T checks a configuration, often as another user.
        if {"-T" ni $::argv} {
            Place $name $options
        }
    }
    ns_section $section
    ns_param certificates $certificates
    ns_param options $args
    foreach server $servers {
        AddToStart $server
    }
}

# The names in a section of the configuration.
proc ::tossl::naviserver::Keys {section} {
    set set [ns_configsection $section]
    if {$set eq ""} {
        return {}
    }
    return [dict keys [ns_set array $set]]
}

# The options of each certificate, with those of all. certificates: as manage takes them.
proc ::tossl::naviserver::Declared {certificates options} {
    set where ""
    if {![catch {llength $certificates} count] && $count == 1} {
        set path [lindex $certificates 0]
        set where "$path: "
        set certificates [regsub -all -line {^\s*#.*$} [ReadFile certificates $path] ""]
    }
    set declared {}
    set about ""
    try {
        dict for {name own} $certificates {
            set about "$name: "
            dict set declared $name [dict merge $options $own]
        }
    } on error message {
        Refuse certificates $where$about$message
    }
    return $declared
}

# Writes the file that nsssl is about to read: it does not start without one. That is the certificate in the store, else
# what is there, else a self-signed one. This has the key's type that the real one will have: a reload in OpenSSL leaves
# a certificate of another type in use.
proc ::tossl::naviserver::Place {name options} {
    set path [dict get $options -pem_file]
    if {[file exists $path] && ([file attributes $path -permissions] & 0o007)} {
        file attributes $path -permissions o-rwx
        ns_log warning "tossl: $path holds a key, and everyone could read it: no more"
    }
    if {[set kept [Kept $name $options]] ne ""} {
        set pem "[string trimright [dict get $kept private_key]]\n[dict get $kept fullchain]"
        if {![file exists $path] || [ReadFile pem_file $path] ne $pem} {
            WritePem $path $pem
        }
    } elseif {![file exists $path]} {
        set made [::tossl::key::self_signed [dict get $options domains] \
            -key_type [expr {[dict exists $options -key_type] ? [dict get $options -key_type] : "ec"}]]
        WritePem $path [dict get $made private_key][dict get $made certificate]
        ns_log notice "tossl: $name starts with a self-signed certificate, $path"
    }
}

# The certificate in the store; empty if there is none with a key.
proc ::tossl::naviserver::Kept {name options} {
    set store [dict filter $options key -store -seal_key*]
    if {[catch {::tossl::acme::get_certificate $name {*}$store} kept] || [dict get $kept private_key] eq ""} {
        return ""
    }
    return $kept
}

# The text of a file. what: what names it.
proc ::tossl::naviserver::ReadFile {what path} {
    try {
        set channel [open [file join . $path]] ;# a path may begin with "|"
        try {
            chan configure $channel -encoding utf-8
            return [read $channel]
        } finally {
            close $channel
        }
    } trap POSIX {- details} {
        Refuse $what "cannot read $path: [lindex [dict get $details -errorcode] 2]"
    }
}

# Writes a file whole, for nobody else to read.
proc ::tossl::naviserver::WritePem {path pem} {
    set new [file join . $path.[pid].new]
    try {
        file delete $new
        set channel [open $new {WRONLY CREAT EXCL} 0o600]
        try {
            puts -nonewline $channel $pem
        } finally {
            close $channel
        }
        file rename -force $new $path
    } trap POSIX {- details} {
        catch {file delete $new}
        Refuse pem_file "cannot write $path: [lindex [dict get $details -errorcode] 2]"
    }
}

# Has a server call Serve when it starts, after what the configuration has it do already.
proc ::tossl::naviserver::AddToStart {server} {
    variable script
    set version [package present tossl]
    set section ns/server/$server/tcl
    # The server finds the same package, also where only this interpreter's auto_path has it.
    set start [list apply {{version load script} {
        try {
            package ifneeded tossl $version $load
            package require -exact tossl $version
            source -encoding utf-8 $script
            ::tossl::naviserver::Serve
        } on error message {
            ns_log error "tossl: $message"
        }
    }} $version [package ifneeded tossl $version] $script]
    set set [ns_configsection $section]
    if {$set eq "" || [ns_set find $set initcmds] < 0} {
        ns_section $section
        ns_param initcmds $start
    } else {
        ns_set update $set initcmds [ns_set get $set initcmds]\n$start
    }
}

# In each server, when it starts: answers the CA, and has one of them keep the certificates.
proc ::tossl::naviserver::Serve {} {
    foreach method {GET HEAD} {
        ns_register_proc $method /.well-known/acme-challenge/* ::tossl::naviserver::Answer
    }
    # Run again a second after it has ended, however it has.
    ns_runonce -global {ns_schedule_proc -thread 1 ::tossl::naviserver::Keep}
}

proc ::tossl::naviserver::Answer args {
    set response [::tossl::acme::http01_response [lindex [split [ns_conn url] /] end]]
    if {$response eq ""} {
        return [ns_returnnotfound]
    }
    return [ns_return 200 application/octet-stream $response]
}

# In a scheduled thread: keeps the certificates until the server shuts down. What ends it is logged; it is run again.
proc ::tossl::naviserver::Keep {} {
    variable section
    variable pause
    try {
        ::tossl::log::configure -prefix [namespace current]::Log
        set job [::tossl::acme::manage [ns_config $section certificates] {*}[Words [ns_config $section options]]]
        ns_log notice "tossl: keeps [join [dict keys [Declared [ns_config $section certificates] {}]] {, }]"
        if {[Wait] eq "shutdown"} {
            ::tossl::job::cancel $job
            ::tossl::job::wait $job
        } else {
            ::tossl::job::result $job
        }
    } on error message {
        ns_log error "tossl: $message"
        Wait $pause
    } finally {
        catch {::tossl::job::forget $job}
    }
}

# Runs the event loop until the job has ended, the server shuts down, or that time is over; returns which of it:
# job, shutdown or time.
proc ::tossl::naviserver::Wait {{milliseconds ""}} {
    variable ended
    variable looking
    unset -nocomplain ended
    set timer [expr {$milliseconds eq "" ? "" : [after $milliseconds [list set [namespace current]::ended time]]}]
    Look
    if {![info exists ended]} {
        vwait [namespace current]::ended
    }
    after cancel $looking
    after cancel $timer
    return $ended
}

# Looks whether the server shuts down.
proc ::tossl::naviserver::Look {} {
    variable look
    variable looking
    variable ended
    set looking ""
    if {[ns_info shutdownpending]} {
        set ended shutdown
    } else {
        set looking [after $look [namespace current]::Look]
    }
}

proc ::tossl::naviserver::Ended {job} {
    variable ended
    set ended job
}

# Options of manage for this server: how its certificates are proven and taken up.
proc ::tossl::naviserver::Words {options} {
    set here [namespace current]
    set theirs [expr {[dict exists $options -deploy] ? [dict get $options -deploy] : ""}]
    if {![dict exists $options -webroot] && ![dict exists $options -port]} {
        dict set options -http01_response 1
    }
    return [dict merge $options [list -deploy [list ${here}::Deploy $theirs] -command ${here}::Ended]]
}

# Has the drivers take up a certificate, then calls the script's own prefix. A server that shuts down reads it at its next
# start; before 5.0, SIGHUP would kill it now.
proc ::tossl::naviserver::Deploy {theirs certificate} {
    if {[ns_info shutdownpending]} {
        return
    }
    if {[llength [info commands ::ns_certctl]]} {
        ns_certctl reload
    } elseif {[package vsatisfies [ns_info patchlevel] 4.99.22-]} {
        ns_kill [pid] 1
    } else {
        error "this NaviServer takes up no certificate while it runs: restart it"
    }
    if {$theirs ne ""} {
        uplevel #0 $theirs [list $certificate]
    }
}

# Hands a record of the log to NaviServer's own.
proc ::tossl::naviserver::Log {level message facts} {
    ns_log [expr {$level eq "info" ? "notice" : $level}] "tossl: $message"
}
