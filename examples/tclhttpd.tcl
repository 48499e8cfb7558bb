# tclhttpd.tcl: tclhttpd with its own certificate. Put it into tclhttpd's folder custom/, and into tclhttpd.rc:
#
#     Config acme_directory  letsencrypt
#     Config acme_names      {example.com www.example.com}
#     Config acme_options    {-email webmaster@example.com -store /var/lib/tossl}
#     Config acme_pem_file   /var/lib/tossl/tclhttpd.pem
#
# The server answers the CA itself, on the port that the names must reach at port 80. The settings SSL_* are not used.

package require tossl
package require tls

Url_PrefixInstall /.well-known/acme-challenge answer_ca

proc answer_ca {sock suffix} {
    set response [tossl::acme::http01_response [string trimleft $suffix /]]
    if {$response eq ""} {
        Doc_NotFound $sock
    } else {
        Httpd_ReturnData $sock application/octet-stream $response
    }
}

proc report {failure} {
    Stderr "certificate: [dict get $failure message]"
}

# Worker threads, which tclhttpd may have, source this file too.
if {![Thread_Enabled] || [Thread_IsMaster]} {
    set pem [cget acme_pem_file]
    tossl::acme::manage [dict create tclhttpd [list domains [cget acme_names] -pem_file $pem]] \
        -directory [cget acme_directory] -http01_response 1 -self_signed 1 -on_error report {*}[cget acme_options]
    # The one file holds key and chain. tcltls reads it for each connection, so a renewed one is in use at once.
    tls::init -certfile $pem -keyfile $pem -cafile $pem -request 0 -require 0
    Httpd_SecureServer $Config(https_port) $Config(https_host) $Config(https_ipaddr)
}
