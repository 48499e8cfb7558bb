# tossl obtain

::cli::command obtain {
    "obtain NAME ?NAME ...? --directory CA --webroot DIR | --port N | --provider P"
    "a certificate for these names; its files are in the store"
} acme::obtain_certificate {} {names options} {
    if {![llength $names]} {
        misuse "obtain needs at least one name"
    }
    set certificate [tossl::acme::obtain_certificate $names {*}$options -progress ::cli::progress]
    end_line
    # The key stays in its file: standard output may be a log.
    show [dict remove $certificate private_key certificate chain fullchain] {
        domains list files dict not_before number not_after number clean_up_failed dicts warnings dicts
    } {
        line names [join [dict get $result domains]]
        line issuer [dict get $result issuer]
        line "valid until" [clock format [dict get $result not_after] -gmt 1]
        dict for {what path} [dict get $result files] {line $what $path}
    }
}
