# tossl import

::cli::command import {
    "import PROGRAM FOLDER ?NAME ...?"
    "takes the certificates, keys and accounts of certbot, acme.sh, lego, dehydrated or NaviServer's module; --dry-run shows what would be taken"
} acme::import_certificate {} {arguments options} {
    if {[llength $arguments] < 2} {
        misuse "import needs a program and its folder"
    }
    set names [lassign $arguments program folder]
    set result [tossl::acme::import_certificate $program $folder {*}$options -names $names]
    set is_trial [expr {[dict exists $options -dry_run] && [dict get $options -dry_run]}]
    if {[is_json]} {
        puts [import_json $result]
    } else {
        foreach one [dict get $result imported] {
            print "[expr {$is_trial ? {would import} : {imported}}] [dict get $one name]: [join [dict get $one domains]],\
                valid until [time_text [dict get $one not_after]], from [dict get $one directory]"
            foreach note [dict get $one notes] {
                print "  $note"
            }
        }
    }
    foreach one [dict get $result skipped] {
        say "tossl: skipped [dict get $one name] ([dict get $one source]): [dict get $one message]"
        raise_status 1
    }
    if {![llength [dict get $result imported]] && ![llength [dict get $result skipped]]} {
        say "tossl: there is no certificate in $folder"
        raise_status 1
    }
}

proc ::cli::import_json {result} {
    set types {domains list notes list files dict not_after number renewable number}
    return "{[join [lmap {name list} $result {
        string cat "[json_string $name]: \[[join [lmap one $list {json $one $types}] {, }]\]"
    }] {, }]}"
}
