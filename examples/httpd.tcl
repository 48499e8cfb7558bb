#!/usr/bin/env tclsh
# httpd.tcl DIRECTORY NAMES FOLDER HTTPS_PORT HTTP_PORT ?OPTION VALUE ...?: a folder's files by tcllib's httpd, with its own
# certificate. The server answers the CA itself, on HTTP_PORT, which the names must reach at port 80:
#
#     tclsh httpd.tcl letsencrypt "example.com www.example.com" /var/www 443 80 -email me@example.com

package require httpd
package require tossl

if {$argc < 5} {
    puts stderr "usage: httpd.tcl DIRECTORY NAMES FOLDER HTTPS_PORT HTTP_PORT ?OPTION VALUE ...?"
    exit 2
}
set options [lassign $argv directory names folder https_port http_port]

httpd::server create site port $http_port myaddr all doc_root [file normalize $folder]
site plugin dict_dispatch
site uri direct * /.well-known/acme-challenge/* {} {
    set response [tossl::acme::http01_response [file tail [my request get REQUEST_PATH]]]
    if {$response eq ""} {
        my error 404 {Not Found}
    } else {
        my reply set Content-Type application/octet-stream
        my puts $response
    }
}

# Each connection goes on to the port above once its TLS handshake is done: httpd need not know of TLS. When the client
# has gone, nothing is written to it any more: tcltls 1.7 would try for ever.
proc accept {channel host port} {
    set site [socket 127.0.0.1 $::http_port]
    chan configure $channel -blocking 0 -translation binary
    chan configure $site -blocking 0 -translation binary
    chan copy $channel $site -command [list finish $channel $site]
    chan copy $site $channel -command [list finish $channel $site]
}

proc finish {channel site args} {
    catch {close $site}
    catch {close $channel}
}

tossl::tls::socket -server accept -domains $names -directory $directory -http01_response 1 {*}$options $https_port
puts "[join $names {, }] on port $https_port"
vwait forever
