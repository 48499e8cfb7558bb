# tossl forget

::cli::command forget {
    "forget NAME"
    "removes a certificate from the store, with its key: it is renewed no more; it is not revoked"
} acme::forget_certificate {} {names options} {
    if {[llength $names] != 1} {
        misuse "forget needs the name of one certificate; list shows the names"
    }
    set name [lindex $names 0]
    tossl::acme::forget_certificate $name {*}$options
    show [dict create forgotten $name] {} {line forgotten [dict get $result forgotten]}
}
