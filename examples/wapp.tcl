#!/usr/bin/env tclsh
# wapp.tcl DIRECTORY NAMES FOLDER ?OPTION VALUE ...?
#
# A wapp application that answers the CA's challenge on its own pages and gets its certificate in the background while it
# serves. Port 80 of the names must reach it:
#
#     tclsh wapp.tcl letsencrypt "example.com www.example.com" /var/lib/tossl -email me@example.com

package require wapp
package require tossl

set options [lassign $argv directory names folder]
set state "asking the CA"

proc wapp-default {} {
    wapp-trim {
        <h1>Hello</h1>
        <p>The certificate: %html($::state)</p>
    }
}

# obtain_certificate writes the answers below the folder; wapp serves them.
proc wapp-page-.well-known {} {
    set token [file tail [wapp-param PATH_INFO]]
    set file [file join $::folder .well-known acme-challenge $token]
    if {![regexp {^[A-Za-z0-9_-]+$} $token] || ![file isfile $file]} {
        wapp-reply-code "404 Not Found"
        return
    }
    set channel [open $file rb]
    wapp-mimetype application/octet-stream
    wapp-unsafe [read $channel]
    close $channel
}

proc done {job} {
    try {
        set certificate [tossl::job::result $job]
        set ::state "valid until [clock format [dict get $certificate not_after]]"
    } on error message {
        set ::state $message
    } finally {
        tossl::job::forget $job
    }
}

file mkdir $folder
tossl::acme::obtain_certificate $names -directory $directory -webroot $folder -store $folder \
    {*}$options -command done
wapp-start {-server 8080 -nowait}
vwait forever
