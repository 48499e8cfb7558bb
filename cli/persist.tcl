# tossl persist

::cli::command persist {
    "persist DOMAIN --directory CA"
    "the permanent DNS record that lets this account get certificates for the name (dns-persist-01), and whether it stands"
} acme::dns_persist01_record $::cli::new_account_options {names options} {
    if {[llength $names] != 1} {
        misuse "persist needs one name"
    }
    set directory [take_directory options]
    set email [take_email options]
    set key [take_account_key options $directory -generate 1]
    set own [outlined acme::create_account]
    set asked [list tossl::acme::dns_persist01_record $directory $key [lindex [host_names $names] 0] \
        {*}[fitting acme::dns_persist01_record $options] -progress ::cli::progress]
    # A wrong name is refused before an account is made for it.
    try {
        set record [{*}$asked]
    } trap {TOSSL ACME accountDoesNotExist} {} {
        tossl::acme::create_account $directory $key $email {*}[dict filter $options script {option value} {
            dict exists $own $option
        }]
        set record [{*}$asked]
    }
    end_line
    show $record {dns_record_values list dns_record_lines list persist_until number} {
        foreach value [dict get $result dns_record_lines] {
            line record $value
        }
        line state [standing_text $result]
    }
    if {[dict get $record standing] eq "0"} {
        variable status
        set status 1
    }
}

proc ::cli::standing_text {record} {
    switch [dict get $record standing] {
        1 {
            set until [dict get $record persist_until]
            return "it stands[expr {$until ? ", until [time_text $until]" : ""}]"
        }
        0 {
            return "it does not stand: [dict get $record difference]"
        }
        default {
            return "not known: [dict get $record difference]"
        }
    }
}
