# tls_load.tcl SWAPS ?EXAMPLE?: a server by tossl::tls::socket, or by examples/https_server.tcl, whose certificate is
# renewed that often while it serves.
# Prints `port N` once the CA's certificate is shown, `swap N` for each renewal, and ends with its standard input.

package require tossl

set names {load.example.com www.load.example.com}
set swaps [lindex $argv 0]

proc serve {channel address port} {
    chan configure $channel -blocking 0 -translation crlf
    chan event $channel readable [list page $channel]
}

proc page {channel} {
    if {[catch {chan gets $channel line} length] || [eof $channel]} {
        catch {close $channel}
    } elseif {[string trim $line] eq ""} {
        catch {puts -nonewline $channel "HTTP/1.1 200 OK\nContent-Type: text/plain\nConnection: close\n\nhello"}
        catch {close $channel}
    }
}

proc issued {certificate} {
    if {![info exists ::begun]} {
        set ::begun 1
        say port [lindex [chan configure $::listener -sockname] 2]
        renew
    }
}

proc renew {} {
    tossl::acme::renew_certificate load.example.com -force 1 -http01_response 1 -command swapped
}

proc swapped {job} {
    if {[catch {tossl::job::result $job} message]} {
        say failed $message
    } else {
        say swap [incr ::done]
    }
    tossl::job::forget $job
    if {$::done < $::swaps} renew
}

proc say {args} {
    puts [join $args]
    flush stdout
}

proc bgerror {message} {
    say error $message
}

set done 0
chan configure stdin -blocking 0
chan event stdin readable {if {[gets stdin line] < 0 && [eof stdin]} exit}
set trust [list -ca_bundle $env(TOSSL_TEST_CA_BUNDLE) -deploy issued]
if {$argc == 2} {
    set argv [list $env(TOSSL_TEST_DIRECTORY) $names $env(TOSSL_TEST_HTTP_PORT) 0 {*}$trust]
    set argc [llength $argv]
    source [file join [file dirname [file normalize [info script]]] .. .. examples https_server.tcl]
} else {
    set listener [tossl::tls::socket -server serve -domains $names -directory $env(TOSSL_TEST_DIRECTORY) \
        -http_port $env(TOSSL_TEST_HTTP_PORT) {*}$trust 0]
    vwait forever
}
