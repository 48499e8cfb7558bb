#!/usr/bin/env tclsh
# coroutine.tcl DIRECTORY NAMES ?OPTION VALUE ...?
#
# Gets certificates in a coroutine: it reads like a blocking script, but does not block.

package require tossl

if {$argc < 2} {
    puts stderr "usage: coroutine.tcl DIRECTORY NAMES ?OPTION VALUE ...?"
    exit 2
}
set options [lassign $argv directory names]

proc get {directory names options} {
    foreach name $names {
        try {
            tossl::acme::obtain_certificate $name -directory $directory {*}$options -command [info coroutine]
            set certificate [tossl::job::result [yield]]
            puts "$name: issued by [dict get $certificate issuer]"
        } trap TOSSL message {
            puts "$name: $message"
        }
    }
    set ::done 1
}

coroutine main get $directory $names $options
# It is done already where nothing had to be waited for.
if {![info exists done]} {
    vwait done
}
