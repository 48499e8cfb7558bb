# copies.tcl DIRECTORY CA_BUNDLE WEBROOT STORE COUNT FOLDER DUE ASK: makes FOLDER a store with that many copies of one
# certificate, and with its account. So many of them (DUE) are due; for all of them the CA may be asked at once (ASK 1),
# or not before tomorrow.

package require tossl

lassign $argv directory ca_bundle webroot store count folder due ask
set name held.example.com
# The second call looks for the CA's renewal information, and keeps what it got.
foreach call {1 2} {
    tossl::acme::obtain_certificate $name -directory $directory -ca_bundle $ca_bundle -webroot $webroot -store $store
}

proc contents {path args} {
    set file [open $path {*}[expr {[llength $args] ? "wb" : "rb"}]]
    try {
        if {[llength $args]} {puts -nonewline $file [lindex $args 0]} else {read $file}
    } finally {
        close $file
    }
}

# Copies a set with its links.
proc copy {room name as} {
    set from [file join $::store $room $name]
    set to [file join $::folder $room $as]
    set set [file readlink [file join $from ..data]]
    file mkdir $to
    file copy -- [file join $from $set] [file join $to $set]
    file link -symbolic [file join $to ..data] $set
    foreach file [glob -tails -directory [file join $from $set] *] {
        file link -symbolic [file join $to $file] [file join ..data $file]
    }
}

# Writes other times into what the CA said of a certificate's renewal.
proc suggest {as times} {
    set path [file join $::folder renewal $as ..data renewal.json]
    set text [contents $path]
    dict for {member time} $times {
        regsub "(\"$member\": )\[-0-9.e+\]+" $text "\\1$time" text
    }
    contents $path $text
}

set now [clock seconds]
set later [expr {$now + 86400}]
set asked [expr {$ask ? $now - 60 : $later}]
file mkdir $folder
foreach shared [glob -directory $store *] {
    if {[file tail $shared] ni {certificates renewal}} {
        file copy -- $shared $folder
    }
}
for {set number 0} {$number < $count} {incr number} {
    set as n$number.example.com
    copy certificates $name $as
    copy renewal $name $as
    if {$number < $due} {
        suggest $as [dict create start [expr {$now - 7200}] end [expr {$now - 3600}] chosen [expr {$now - 5400}] \
            asked_at [expr {$now - 120}] retry_at $later]
    } else {
        suggest $as [dict create asked_at [expr {$now - 120}] retry_at $asked]
    }
}
if {[llength [tossl::acme::list_certificates -store $folder]] != $count} {
    error "not all of them are listed"
}
