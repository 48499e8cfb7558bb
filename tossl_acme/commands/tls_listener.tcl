# tls_listener.tcl: a listening socket of tossl::tls::socket: its certificate, its renewals, its handshakes, its end.

namespace eval ::tossl::tls {
    # Handshakes at work at a time; the oldest makes room.
    variable most_handshakes 128
}

# For tcltls' -command: a peer's faults are not told, and a client's certificate counts as OpenSSL judges it.
proc ::tossl::tls::Judge {what args} {
    if {$what eq "verify"} {
        return [lindex $args 3]
    }
}

# Listens; `argument` names the port in the error.
proc ::tossl::tls::Open {argument port options command} {
    if {[catch {::socket -server $command {*}$options $port} result]} {
        set message "port $port cannot be used: [regsub {^couldn't open socket: } $result {}]"
        Refuse [list VALUE $argument] [Masked $port $message]
    }
    return $result
}

# The channel that scripts see is a reflected one, for Tcl tells nobody that a listening socket was closed: its handler
# is the object itself.
oo::class create ::tossl::tls::Listener {
    variable own tls configure kept_as certificate server web job channel pending fails

    # options: a dict of dicts own, tls, socket, fconfigure, manage.
    constructor {port options} {
        set own [dict get $options own]
        set tls [dict merge {-request 0 -require 0 -command ::tossl::tls::Judge} [dict get $options tls]]
        set configure [dict merge {-blocking 1 -translation {auto crlf}} [dict get $options fconfigure]]
        set pending {}
        set fails 0
        my Begin $port [dict get $options socket] [my Asked [dict get $options manage]]
    }

    # Ends all but the connections that scripts have; whatever there is after an error of the constructor.
    destructor {
        if {[info exists job]} {
            catch {::tossl::job::cancel $job}
        }
        if {[info exists server]} {
            close $server
        }
        foreach part {web certificate} {
            if {[info exists $part]} {
                [set $part] destroy
            }
        }
        foreach peer [dict keys $pending] {
            my Drop $peer
        }
    }

    method channel {} {
        return $channel
    }

    # The options of manage; the http port answers where nothing else is said to.
    method Asked {options} {
        set others [lmap name {-webroot -port -http01_response} {expr {[dict exists $options $name] ? $name : [continue]}}]
        if {[dict get $own -http_port] ne "" && ![llength $others]} {
            dict set options -http01_response 1
        }
        return $options
    }

    method Begin {port socket options} {
        set made [my Made $options]
        set kept_as [my Named [dict get $made domains]]
        my Choose [my Held $options] $made
        set server [::tossl::tls::Open port $port $socket [list [self] accept]]
        if {[dict get $own -http_port] ne ""} {
            set secure [lindex [chan configure $server -sockname] 2]
            set web [::tossl::tls::HttpPort new [dict get $own -http_port] $socket $secure [dict get $made domains] \
                [dict filter $options key -store]]
        }
        set job [::tossl::acme::manage [dict create $kept_as [list domains [dict get $own -domains]]] {*}$options \
            -deploy [list [self] deploy] -command ::tossl::job::forget]
        set channel [chan create read [self]]
    }

    # ---- the certificate ----

    # What it is kept as. domains: as orders have them; no store takes a name beyond ASCII.
    method Named {domains} {
        set first [lindex [dict get $own -domains] 0]
        if {[dict get $own -name] ne ""} {
            return [dict get $own -name]
        }
        return [expr {[string is ascii $first] ? $first : [lindex $domains 0]}]
    }

    # A self-signed one; its names are those of the certificate to come.
    method Made {options} {
        set type [dict filter $options key -key_type]
        try {
            return [::tossl::key::self_signed [dict get $own -domains] {*}$type]
        } trap {TOSSL VALUE names} message {
            ::tossl::tls::Refuse {VALUE domains} $message
        }
    }

    # What the store holds; empty without one.
    method Held {options} {
        if {[catch {::tossl::acme::get_certificate $kept_as {*}[dict filter $options key -store -seal_key*]} held]} {
            return ""
        }
        return $held
    }

    # Begins with what is held where it can serve, and raises the error of options that tcltls does not take.
    method Choose {held made} {
        if {$held ne ""} {
            set certificate [::tossl::tls::Certificate new $held]
            if {![catch {my Try}]} return
            $certificate destroy
            unset certificate
        }
        set certificate [::tossl::tls::Certificate new $made]
        if {[catch {my Try} message]} {
            ::tossl::tls::Refuse {VALUE option} "tls::import: $message"
        }
    }

    method Try {} {
        set null [open /dev/null r+]
        try {
            my Import $null
        } finally {
            close $null
        }
    }

    method Import {peer} {
        ::tls::import $peer -server 1 {*}$tls {*}[$certificate options]
    }

    # manage calls this with each certificate that is new, in the event loop.
    method deploy {new} {
        $certificate use $new
        if {[dict get $own -deploy] ne ""} {
            uplevel #0 [list {*}[dict get $own -deploy] $new]
        }
    }

    # ---- connections ----

    method accept {socket address port} {
        set peer [[::tossl::tls::Wire new $socket] channel]
        if {[catch {my Secure $peer} message details]} {
            close $peer
            if {[incr fails] == 1} { # once, until it goes well again: the fault is here, not the peer's
                return -options $details "tossl::tls::socket: $message"
            }
            return
        }
        set fails 0
        set limit [expr {int(1000 * [dict get $own -handshake_timeout])}]
        dict set pending $peer [after $limit [list [self] expire $peer $address $port]]
        chan event $peer readable [list [self] shake $peer $address $port]
        if {[dict size $pending] > $::tossl::tls::most_handshakes} {
            my Drop [lindex [dict keys $pending] 0]
        }
    }

    # Once more where a renewal took the files away between finding and reading them.
    method Secure {peer} {
        chan configure $peer -blocking 0
        if {[catch {my Import $peer}]} {
            my Import $peer
        }
    }

    method shake {peer address port} {
        if {[catch {::tls::handshake $peer} is_done details]} {
            if {[lrange [dict get $details -errorcode] 0 1] ne {POSIX EAGAIN}} {
                my Drop $peer
            }
        } elseif {$is_done} {
            my Serve $peer $address $port
        } elseif {[chan eof $peer]} {
            my Drop $peer
        }
    }

    method expire {peer address port} {
        if {[catch {::tls::handshake $peer} is_done] || !$is_done} {
            my Drop $peer
        } else {
            my Serve $peer $address $port
        }
    }

    method Serve {peer address port} {
        after cancel [dict get $pending $peer]
        dict unset pending $peer
        chan event $peer readable {}
        set code [catch {
            chan configure $peer {*}$configure
            uplevel #0 [list {*}[dict get $own -server] $peer $address $port]
        } message details]
        if {$code == 1} {
            catch {close $peer}
            return -options $details $message
        }
    }

    method Drop {peer} {
        after cancel [dict get $pending $peer]
        dict unset pending $peer
        catch {close $peer}
    }

    # ---- the channel that scripts see ----

    method initialize {channel mode} {
        return {initialize finalize watch read cget cgetall}
    }

    method finalize {channel} {
        my destroy
    }

    method watch {channel events} {}

    method read {channel count} {
        return -code error EAGAIN
    }

    method cget {channel option} {
        if {$option ne "-sockname"} {
            error "bad option \"$option\": should be one of -blocking, -buffering, -buffersize, -encoding, -eofchar,\
                -translation, or -sockname"
        }
        return [chan configure $server -sockname]
    }

    method cgetall {channel} {
        return [list -sockname [chan configure $server -sockname]]
    }

    unexport destroy
}
