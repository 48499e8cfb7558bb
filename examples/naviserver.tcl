# naviserver.tcl: gets a certificate for a NaviServer (or OpenACS) site, configured in the server's configuration file,
# without blocking a connection thread. Put it into the server's tcl/ library folder; in the configuration file:
#
#     ns_section ns/server/${server}/tossl
#     ns_param   directory   letsencrypt
#     ns_param   names       "example.com www.example.com"
#     ns_param   email       webmaster@example.com
#     ns_param   store       /var/lib/tossl
#     ns_param   days        30
#
# The server itself answers the CA's challenge, from its page folder.

package require tossl

namespace eval ::certificate {}

proc ::certificate::setting {name {default ""}} {
    return [ns_config ns/server/[ns_info server]/tossl $name $default]
}

# Returns whether the certificate in use is missing, or ends within that many days.
proc ::certificate::is_due {} {
    set file [file join [setting store] not_after]
    if {![file exists $file]} {
        return 1
    }
    set channel [open $file]
    set not_after [read $channel]
    close $channel
    return [expr {$not_after - [clock seconds] < 86400 * [setting days 30]}]
}

proc ::certificate::get {} {
    if {![is_due]} return
    set options {}
    if {[setting ca_bundle] ne ""} {
        lappend options -ca_bundle [setting ca_bundle]
    }
    try {
        set certificate [tossl::acme::obtain_certificate [setting names] -directory [setting directory] \
            -email [setting email] -webroot [ns_server pagedir] -store [setting store] {*}$options]
    } trap {TOSSL} message {
        ns_log error "certificate: $message"
        return
    }
    set channel [open [file join [setting store] not_after] w]
    puts -nonewline $channel [dict get $certificate not_after]
    close $channel
    ns_log notice "certificate: valid until [clock format [dict get $certificate not_after]]"
    # The nsssl driver needs key and certificates in one file, and reads it again at SIGHUP.
    set channel [open [file join [setting store] server.pem] {WRONLY CREAT TRUNC} 0600]
    puts -nonewline $channel [dict get $certificate private_key][dict get $certificate fullchain]
    close $channel
}

# Runs in a separate thread, daily, and once soon after the start.
ns_schedule_proc -thread 86400 ::certificate::get
ns_schedule_proc -thread -once 5 ::certificate::get
