#!/usr/bin/env wish
# window.tcl DIRECTORY NAMES ?OPTION VALUE ...?
#
# A Tk window with a progress bar.

package require Tk
package require tossl

set options [lassign $argv directory names]

wm title . "tossl"
ttk::label .names -text "A certificate for [join $names ", "]" -anchor w
ttk::progressbar .bar -length 420 -maximum 8
ttk::label .step -textvariable step -anchor w
ttk::label .result -textvariable result -anchor w -wraplength 420
ttk::button .close -text "Close" -command exit -state disabled
grid .names -padx 12 -pady {12 6} -sticky ew
grid .bar -padx 12 -pady 6 -sticky ew
grid .step -padx 12 -pady 6 -sticky ew
grid .result -padx 12 -pady 6 -sticky ew
grid .close -padx 12 -pady {6 12} -sticky e

set step "asking the CA"
set result " "

proc show {progress} {
    set ::step [string map {_ " "} [dict get $progress step]]
    .bar step [expr {[.bar cget -value] < 7 ? 1 : 0}]
}

proc done {job} {
    try {
        set certificate [tossl::job::result $job]
        set ::result "issued by [dict get $certificate issuer],\
            valid until [clock format [dict get $certificate not_after] -format %Y-%m-%d]"
        set ::step "done"
        .bar configure -value 8
    } on error message {
        set ::result $message
        set ::step "failed"
    } finally {
        tossl::job::forget $job
    }
    .close configure -state normal
}

tossl::acme::obtain_certificate $names -directory $directory {*}$options -command done -progress show
