# tls.tcl: tossl::tls::socket, over the package's own commands and tcltls. Sourced when the command is first called.

foreach file {tls_listener.tcl tls_wire.tcl tls_certificate.tcl http_port.tcl} {
    source -encoding utf-8 [file join [file dirname [file normalize [info script]]] $file]
}

namespace eval ::tossl::tls {
    variable usage {wrong # args: should be "tossl::tls::socket -server command -domains names ?-option value ...? port"}
    # Options of tcltls that say which certificate is shown, or are for clients.
    variable kept {-cafile -cert -certfile -key -keyfile -password -server -model -servername -autoservername}
    # Options of manage that are not for the caller.
    variable unused {-command -domains -self_signed}
}

proc ::tossl::tls::Socket args {
    variable usage
    if {[llength $args] % 2 == 0} {
        return -code error -errorcode {TCL WRONGARGS} $usage
    }
    RequireTls
    set options [Sorted [lrange $args 0 end-1]]
    return [[Listener new [lindex $args end] $options] channel]
}

proc ::tossl::tls::RequireTls {} {
    if {[catch {package require tls 1.7-} message]} {
        Refuse {PACKAGE tls} "tossl::tls::socket needs the package tls (tcltls), version 1.7 or later ($message): apt\
            install tcl-tls on Debian and Ubuntu; its home is https://core.tcl-lang.org/tcltls"
    }
}

proc ::tossl::tls::Refuse {code message} {
    return -code error -errorcode [list TOSSL {*}$code] $message
}

# A message without that word where it may be a key, in a wrong place.
proc ::tossl::tls::Masked {word message} {
    if {[string length $word] <= 24} {
        return $message
    }
    set shown "a value of [string length $word] characters"
    return [string map [list \"$word\" $shown $word $shown] $message]
}

# A dict of the options, by kind: own, tls, socket, fconfigure, manage.
proc ::tossl::tls::Sorted {options} {
    set kinds [Kinds]
    set sorted [dict map {kind names} $kinds {dict create}]
    foreach {option value} $options {
        dict set sorted [KindOf $option $kinds [dict exists $options -provider]] $option $value
    }
    foreach option {-server -domains} {
        if {![dict exists $sorted own $option] || [string trim [dict get $sorted own $option]] eq ""} {
            Refuse [list VALUE [string range $option 1 end]] "$option is required"
        }
    }
    set defaults {-name "" -http_port "" -handshake_timeout 10 -deploy ""}
    dict set sorted own [dict merge $defaults [dict get $sorted own]]
    foreach option {-server -domains -deploy} {
        if {![string is list [dict get $sorted own $option]]} {
            Refuse [list VALUE [string range $option 1 end]] "$option must be a list"
        }
    }
    dict set sorted own -handshake_timeout [Limit [dict get $sorted own -handshake_timeout]]
    CheckConfigured [dict get $sorted fconfigure]
    return $sorted
}

# The names of all options, by kind; the first kind that has a name counts.
proc ::tossl::tls::Kinds {} {
    variable kept
    variable unused
    set is_new [package vsatisfies [package provide Tcl] 9-]
    lassign [::tossl::call Outline acme::manage] - manage
    return [dict create \
        own {-server -domains -name -http_port -handshake_timeout -deploy} \
        tls [Without [TlsOptions] $kept] \
        socket [concat -myaddr [expr {$is_new ? {-backlog -reuseaddr -reuseport} : {}}]] \
        fconfigure [concat {-blocking -buffering -buffersize -encoding -eofchar -translation} \
            [expr {$is_new ? {-profile -keepalive -nodelay} : {}}]] \
        manage [Without [dict keys $manage] $unused]]
}

# The options of this version of tcltls, which only its errors tell.
proc ::tossl::tls::TlsOptions {} {
    set channel [open /dev/null r+]
    catch {::tls::import $channel -no_such_option 1} message
    close $channel
    set names [split [regsub {^.*must be (one of )?} $message {}] ,]
    return [lmap name $names {string cat - [string trimleft [regsub {^ *(or )?} $name {}] -]}]
}

proc ::tossl::tls::Without {names others} {
    return [lmap name $names {expr {$name in $others ? [continue] : $name}}]
}

# has_provider: then the provider's own fields are options of manage, too, which describes none of them.
proc ::tossl::tls::KindOf {option kinds has_provider} {
    variable kept
    variable unused
    dict for {kind names} $kinds {
        if {$option in $names} {
            return $kind
        }
    }
    set name [string trimleft $option -]
    if {$option in $kept} {
        Refuse [list VALUE $name] "$option is for the command itself, which shows the certificate that it keeps; the CAs\
            of clients' certificates are given as -cadir"
    }
    if {$has_provider && $option ni $unused && [regexp {^-[a-z]\w*$} $option]} {
        return manage
    }
    dict with kinds {
        set code [list VALUE [expr {[string length $name] > 24 ? "" : $name}]]
        Refuse $code "[Masked $option "unknown option \"$option\""]: must be [join $own {, }]; for the connection\
            [join [lsort [concat $tls $socket $fconfigure]] {, }]; for the certificate [join [lsort $manage] {, }]"
    }
}

# Digits behind a 0 are decimal ones, as in all numbers of this package.
proc ::tossl::tls::Limit {seconds} {
    set seconds [regsub {^\s*0+(?=\d)} $seconds {}]
    if {![string is double -strict $seconds] || !($seconds > 0 && $seconds <= 86400)} {
        Refuse {VALUE handshake_timeout} "-handshake_timeout: must be a number of seconds, more than 0, a day at most"
    }
    return $seconds
}

# Raises the error of a value that a channel cannot have.
proc ::tossl::tls::CheckConfigured {options} {
    set channel [open /dev/null r+]
    try {
        dict for {option value} $options {
            # What only a socket has is a boolean.
            set like [expr {$option in {-keepalive -nodelay} ? "-blocking" : $option}]
            if {[catch {chan configure $channel $like $value} message]} {
                Refuse [list VALUE [string trimleft $option -]] "$option: [Masked $value $message]"
            }
        }
    } finally {
        close $channel
    }
}
