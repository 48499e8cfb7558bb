# What a certificate costs that is held.
#
# held.tcl obtain DIRECTORY PORT: the same call each time
# held.tcl many COUNT FOLDER: a store with that many copies of it, in FOLDER; what list_certificates and
# renew_certificates, none being due, take for all of them and for each (the best of three)

package require tossl

lassign $argv what
if {$what eq "obtain"} {
    lassign $argv what directory port
    tossl::acme::obtain_certificate held.example.com -directory $directory -port $port
    exit
}

lassign $argv what count folder
# What the store has of one: the certificate, and what its CA said last of its renewal.
set store [file dirname [file dirname [file dirname [dict get [tossl::acme::get_certificate held.example.com] \
    files fullchain]]]]
for {set number 0} {$number < $count} {incr number} {
    foreach room {certificates renewal} {
        set from [file join $store $room held.example.com]
        set copy [file join $folder $room n$number.example.com]
        set set [file readlink [file join $from ..data]]
        file mkdir $copy
        file copy -- [file join $from $set] [file join $copy $set]
        file link -symbolic [file join $copy ..data] $set
        foreach name [glob -tails -directory [file join $from $set] *] {
            file link -symbolic [file join $copy $name] [file join ..data $name]
        }
    }
}
if {[llength [tossl::acme::list_certificates -store $folder]] != $count} {
    error "not all of them are listed"
}
# Seconds of the processor that this thread has had: what is waited for on a busy machine is others' work.
proc spent {} {
    set file [open /proc/thread-self/schedstat]
    set nanoseconds [lindex [read $file] 0]
    close $file
    return [expr {$nanoseconds / 1e9}]
}

foreach {name call} {
    list {tossl::acme::list_certificates -store $folder}
    due {tossl::acme::renew_certificates -store $folder -timeout 600}
} {
    set spent {}
    set times [lmap time {1 2 3} {
        set before [spent]
        set took [lindex [time $call] 0]
        lappend spent [expr {[spent] - $before}]
        expr {$took / 1e6}
    }]
    set best [tcl::mathfunc::min {*}$times]
    set least [tcl::mathfunc::min {*}$spent]
    lappend told [format "%s %7.3f s %6.3f ms (processor: %.3f ms)" $name $best [expr {1e3 * $best / $count}] \
        [expr {1e3 * $least / $count}]]
}
puts [join $told ";   "]
