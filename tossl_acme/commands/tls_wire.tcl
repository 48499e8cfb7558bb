# tls_wire.tcl: what tcltls reads from and writes to in place of a socket.
#
# When a peer has ended TLS (close_notify), tcltls 1.7 takes every error of a write for "nothing written yet", and Tcl tries
# again at once, for ever if the peer is gone: one such peer would stop the whole program. So what is written from then on
# counts as written: it waits in the socket's buffer, or is lost. Everything else is as on the socket itself.

oo::class create ::tossl::tls::Wire {
    variable socket channel blocks

    constructor {peer} {
        set socket $peer
        set blocks 1
        chan configure $socket -blocking 1 -translation binary -buffering none
        set channel [chan create {read write} [self]]
    }

    destructor {
        catch {close $socket}
    }

    method channel {} {
        return $channel
    }

    method initialize {channel mode} {
        return {initialize finalize watch read write blocking configure cget cgetall}
    }

    method finalize {channel} {
        my destroy
    }

    method blocking {channel mode} {
        set blocks $mode
        chan configure $socket -blocking $mode
    }

    method watch {channel wanted} {
        foreach {event name} {read readable write writable} {
            chan event $socket $name [expr {$event in $wanted ? [list chan postevent $channel $event] : ""}]
        }
    }

    method read {channel count} {
        if {[catch {chan read $socket $count} bytes details]} {
            my Fail $details
        }
        if {$bytes eq "" && ![chan eof $socket]} {
            return -code error EAGAIN
        }
        return $bytes
    }

    method write {channel bytes} {
        if {!$blocks && [chan pending output $socket] && ![my HasEnded]} {
            return -code error EAGAIN
        }
        if {[catch {chan puts -nonewline $socket $bytes} - details] && ![my HasEnded]} {
            my Fail $details
        }
        return [string length $bytes]
    }

    # Whether the peer has ended TLS. Also once a script has closed the channel: nobody is left to be told of an error.
    method HasEnded {} {
        return [expr {[catch {chan eof $channel} is_ended] || $is_ended}]
    }

    # Passes an error on as a channel that is written in Tcl does: by minus its number.
    method Fail {details} {
        set name [lindex [dict get $details -errorcode] 1]
        set numbers [expr {$::tcl_platform(os) eq "Linux" ? {ECONNRESET 104 ETIMEDOUT 110 EHOSTUNREACH 113} : {}}]
        return -level 2 -code error [expr {-([dict exists $numbers $name] ? [dict get $numbers $name] : 32)}]
    }

    # Whether a script has closed the channel, and something waits to be written.
    method isWaiting {} {
        return [catch {chan eof $channel}]
    }

    # Has the event loop write what waits.
    method writeRest {} {
        chan configure $socket -blocking [set blocks 1]
        catch {chan flush $socket}
        chan postevent $channel write
    }

    method configure {channel option value} {
        chan configure $socket $option $value
    }

    method cget {channel option} {
        return [chan configure $socket $option]
    }

    method cgetall {channel} {
        set own {-blocking -buffering -buffersize -encoding -eofchar -translation -profile}
        return [dict filter [chan configure $socket] script {option value} {expr {$option ni $own}}]
    }

    unexport destroy
}

# A program ends: what closed channels have to write is written while they can be, as Tcl does for its own.
proc ::tossl::tls::WriteRest args {
    foreach wire [info class instances ::tossl::tls::Wire] {
        if {[$wire isWaiting]} {
            catch {$wire writeRest}
            after 0 {set ::tossl::tls::written 1}
            vwait ::tossl::tls::written
        }
    }
}

# A program may have renamed it.
if {[llength [info commands ::exit]]} {
    trace add execution ::exit enter ::tossl::tls::WriteRest
}
# Whoever deletes the namespace has an `exit` without it.
trace add command ::tossl::tls::WriteRest delete {apply {args {
    catch {trace remove execution ::exit enter ::tossl::tls::WriteRest}
}}}
