# What a certificate costs that is held.
#
# held.tcl obtain DIRECTORY PORT: the same call each time
# held.tcl many COUNT FOLDER: a store with that many copies of it, in FOLDER; what list_certificates and
# renew_certificates, none being due, take for all of them and for each

package require tossl

lassign $argv what
if {$what eq "obtain"} {
    lassign $argv what directory port
    tossl::acme::obtain_certificate held.example.com -directory $directory -port $port
    exit
}

lassign $argv what count folder
set record [tossl::acme::get_certificate held.example.com]
set whole [file dirname [dict get $record files fullchain]]
for {set number 0} {$number < $count} {incr number} {
    set copy [file join $folder certificates n$number.example.com]
    file mkdir $copy
    # The form with plain files.
    foreach name {cert.pem chain.pem fullchain.pem privkey.pem certificate.json} {
        set from [file join $whole ..data $name]
        file copy -- $from [file join $copy $name]
    }
}
if {[llength [tossl::acme::list_certificates -store $folder]] != $count} {
    error "not all of them are listed"
}
foreach {name call} {
    list {tossl::acme::list_certificates -store $folder}
    due {tossl::acme::renew_certificates -store $folder -timeout 600}
} {
    set times [lmap time {1 2 3} {lindex [time $call] 0}]
    set best [lindex [lsort -real $times] 0]
    lappend told [format "%s %7.3f s %6.3f ms" $name [expr {$best / 1e6}] [expr {$best / 1e3 / $count}]]
}
puts [join $told ";   "]
