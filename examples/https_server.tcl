#!/usr/bin/env tclsh
# https_server.tcl DIRECTORY NAMES HTTP_PORT HTTPS_PORT ?OPTION VALUE ...?
#
# An https server in one event loop: its certificate comes when it starts, it answers the CA's challenge itself, and a
# renewed certificate is shown from the next connection on, while open connections go on. The options are those of
# tossl::acme::manage:
#
#     tclsh https_server.tcl letsencrypt "example.com www.example.com" 80 443 -email me@example.com
#
# It needs tcltls. tossl::tls::socket does all of this in one line; this is how, for servers that do it in their own way.

package require tls
package require tossl

if {$argc < 4} {
    puts stderr "usage: https_server.tcl DIRECTORY NAMES HTTP_PORT HTTPS_PORT ?OPTION VALUE ...?"
    exit 2
}
set options [lassign $argv directory names http_port https_port]
set name [lindex $names 0]

# ---- http: answers the CA, and sends everybody else to https ----

proc accept_http {channel address port} {
    chan configure $channel -blocking 0 -translation crlf
    chan event $channel readable [list read_request $channel]
    after 10000 [list drop $channel]
}

proc read_request {channel} {
    if {[catch {chan gets $channel line} length]} {
        drop $channel
    } elseif {$length < 0} {
        if {[chan eof $channel] || [chan pending input $channel] > 4096} {
            drop $channel
        }
    } elseif {[regexp {^GET /\.well-known/acme-challenge/(\S+) HTTP} $line -> token]} {
        set response [tossl::acme::http01_response $token]
        send $channel [expr {$response eq "" ? "404 Not Found" : "200 OK"}] {} $response
    } elseif {[regexp {^\S+ (/\S*) HTTP} $line -> path]} {
        send $channel "301 Moved Permanently" "Location: https://$::name$path\n" ""
    } else {
        drop $channel
    }
}

proc send {channel status headers body} {
    catch {
        puts -nonewline $channel "HTTP/1.1 $status\n${headers}Content-Length: [string length $body]\nConnection: close\n\n$body"
        chan close $channel write
    }
    chan event $channel readable [list wait_for_end $channel]
}

# The client closes: a close with its words unread would take the answer away.
proc wait_for_end {channel} {
    if {[catch {read $channel}] || [eof $channel]} {
        drop $channel
    }
}

proc drop {channel} {
    after cancel [list drop $channel]
    catch {close $channel}
}

# ---- https ----

# The options of tls::import for the certificate in force: the files of one renewal, in the folder that ..data leads to.
# -certfile sends the leaf alone; its issuers are found in -cafile. A self-signed one has none.
proc certificate_options {} {
    set set [file join $::folder [file readlink [file join $::folder ..data]]]
    set chain [file join $set chain.pem]
    return [list -certfile [file join $set cert.pem] -keyfile [file join $set privkey.pem] \
        {*}[expr {[file size $chain] ? [list -cafile $chain] : {}}]]
}

# A peer's faults are its own: with a -command tcltls makes no background error of them.
proc say_nothing {args} {}

proc accept_https {channel address port} {
    after 10000 [list drop $channel]
    chan configure $channel -blocking 0
    tls::import $channel -server 1 -request 0 -require 0 -command say_nothing {*}[certificate_options]
    chan event $channel readable [list shake_hands $channel]
}

proc shake_hands {channel} {
    if {[catch {tls::handshake $channel} is_done] || (!$is_done && [eof $channel])} {
        drop $channel
    } elseif {$is_done} {
        after cancel [list drop $channel]
        chan configure $channel -translation crlf
        chan event $channel readable [list serve $channel]
    }
}

proc serve {channel} {
    if {[catch {chan gets $channel line} length] || [eof $channel]} {
        drop $channel
    } elseif {$length == 0} {
        catch {puts -nonewline $channel "HTTP/1.1 200 OK\nContent-Type: text/plain\nConnection: close\n\nhello"}
        drop $channel
    }
}

# ---- the certificate ----

proc failed {what} {
    puts stderr "certificate: [dict get $what message]"
}

proc renewed {certificate} {
    puts "certificate: issued by [dict get $certificate issuer]"
    flush stdout
}

# With -self_signed a certificate is in place when manage returns: the CA's, if the store holds it already.
socket -server accept_http $http_port
tossl::acme::manage [dict create $name [list domains $names]] -directory $directory -http01_response 1 \
    -self_signed 1 -on_renewed renewed -on_error failed {*}$options
set held [tossl::acme::get_certificate $name {*}[dict filter $options key -store]]
set folder [file dirname [dict get $held files certificate]]
set listener [socket -server accept_https $https_port]
puts "listening on port [lindex [chan configure $listener -sockname] 2]"
flush stdout
vwait forever
