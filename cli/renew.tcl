# tossl renew

::cli::command renew {
    "renew ?NAME ...?"
    "renews the certificates that are due, or those with these names; runs what is to be run with them"
} {acme::renew_certificates acme::renew_certificate} {} {names options} {
    if {[llength $names]} {
        renew_by_name $names [fitting acme::renew_certificate $options]
    } else {
        set options [fitting acme::renew_certificates $options]
        if {[dict exists $options -force]} {
            misuse "--force needs the name of a certificate"
        }
        renew_all $options
    }
}

# One after the other; one that fails does not stop the rest.
proc ::cli::renew_by_name {names options} {
    if {[dict exists $options -within]} {
        misuse "--within is for all certificates, without a name"
    }
    foreach name $names {
        try {
            set certificate [tossl::acme::renew_certificate $name {*}$options -progress ::cli::progress]
        } on error {message details} {
            if {[dict get $details -errorcode] eq "TOSSL CANCELLED"} {
                return -options $details $message
            }
            raise_status [failed "$name: $message" $details]
            continue
        }
        end_line
        show_warnings $certificate
        if {[catch {show_kept $certificate} message details]} {
            set unwritten [list -options $details $message]
        }
    }
    if {[info exists unwritten]} {
        return {*}$unwritten
    }
}

proc ::cli::renew_all {options} {
    set result [tossl::acme::renew_certificates {*}$options -progress ::cli::progress]
    end_line
    show_warnings $result
    foreach kind {failed waiting} {
        foreach one [dict get $result $kind] {
            if {$kind eq "failed" || ![is_quiet]} {
                say "tossl: [dict get $one name]: [in_words [dict get $one message]]"
            }
            raise_status [exit_status [dict get $one errorcode]]
        }
    }
    dict set result renewed [lmap one [dict get $result renewed] {summary $one}]
    variable kept_types
    show $result [dict create renewed [list dicts $kept_types] failed dicts waiting dicts skipped dicts warnings dicts \
        clean_up_failed dicts next number] {
        foreach one [dict get $result renewed] {
            show_kept $one
        }
        foreach one [dict get $result skipped] {
            if {![is_quiet]} {
                say "tossl: [dict get $one name] is not renewed: [dict get $one message]"
            }
        }
        if {![llength [dict get $result renewed]] && [dict get $result next] && ![is_quiet]} {
            say "tossl: the next one is due [time_text [dict get $result next]]"
        }
    }
}
