#!/usr/bin/env tclsh
# wapp.tcl DIRECTORY NAMES HTTPS_PORT HTTP_PORT SCGI_PORT ?OPTION VALUE ...?: a wapp application with its own certificate
#
#     tclsh wapp.tcl letsencrypt "example.com www.example.com" 443 80 9000 -email me@example.com
#
# wapp's own web server has no TLS, and refuses every path with a capital letter: it cannot answer a CA's token. So
# tossl::tls::socket listens here: on HTTPS_PORT with the certificate, on HTTP_PORT for the CA, which the names must reach
# at port 80. wapp gets each request by SCGI, as it would from nginx, on loopback.

package require wapp
package require tossl

proc wapp-default {} {
    set url [wapp-param BASE_URL]
    set host [wapp-param REMOTE_ADDR]
    wapp-trim {
        <h1>Hello</h1>
        <p>You asked for %html($url), from %html($host).</p>
    }
}

# Reads a request's header.
proc read_header {channel host header} {
    if {[catch {append header [read $channel]}]} {
        return [close $channel]
    }
    set end [string first \r\n\r\n $header]
    if {$end >= 0} {
        pass_on $channel $host [string range $header 0 $end-1] [string range $header $end+4 end]
    } elseif {[eof $channel] || [string length $header] > 16384} {
        close $channel
    } else {
        chan event $channel readable [list read_header $channel $host $header]
    }
}

# The header as SCGI has it, then the body, then the answer.
proc pass_on {channel host header body} {
    chan event $channel readable {}
    set fields [lassign [split [string map {\r "" \0 ""} $header] \n] request]
    lassign [split $request] method uri
    set names [dict create CONTENT_LENGTH 0 SCGI 1 HTTPS on REMOTE_ADDR $host REQUEST_METHOD $method \
        REQUEST_URI $uri QUERY_STRING [lindex [split $uri ?] 1]]
    foreach field $fields {
        if {[regexp {^([\w-]+):\s*(.*?)\s*$} $field -> name value]} {
            set name [string map {- _} [string toupper $name]]
            dict set names [expr {$name in {CONTENT_LENGTH CONTENT_TYPE} ? $name : "HTTP_$name"}] $value
        }
    }
    set scgi [join [dict values [dict map {name value} $names {string cat $name \0 $value \0}]] ""]
    set wapp [socket 127.0.0.1 $::scgi_port]
    chan configure $wapp -blocking 0 -translation binary -buffersize 65536
    puts -nonewline $wapp "[string length $scgi]:$scgi,$body"
    flush $wapp
    chan copy $channel $wapp -command [list finish $channel $wapp]
    chan copy $wapp $channel -command [list finish $channel $wapp]
}

# When the client has gone, nothing is written to it any more: tcltls 1.7 would try for ever.
proc finish {channel wapp args} {
    catch {close $wapp}
    catch {close $channel}
}

proc accept {channel host port} {
    chan configure $channel -blocking 0 -translation binary
    chan event $channel readable [list read_header $channel $host ""]
}

if {$argc < 5} {
    puts stderr "usage: wapp.tcl DIRECTORY NAMES HTTPS_PORT HTTP_PORT SCGI_PORT ?OPTION VALUE ...?"
    exit 2
}
set options [lassign $argv directory names https_port http_port scgi_port]
tossl::tls::socket -server accept -domains $names -directory $directory -http_port $http_port {*}$options $https_port
wapp-start [list -scgi $scgi_port]
