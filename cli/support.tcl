# tossl support

::cli::command support {
    "support"
    "packs versions, configuration, the end of the log and the store's listing for a bug report, without secrets, and shows what it packed"
} support {} {arguments options} {
    if {[llength $arguments]} {
        misuse "support takes no argument: --output names the archive"
    }
    variable conf
    variable log
    foreach {option path} [list -config $conf -log [expr {[dict exists $log -file] ? [dict get $log -file] : ""}]] {
        if {$path ne ""} {
            dict set options $option $path
        }
    }
    set result [packed $options]
    if {[is_json]} {
        puts [json $result {members dicts}]
        return
    }
    line packed [dict get $result file]
    foreach member [dict get $result members] {
        print [format "  %8d  %-18s %s" [dict get $member size] [dict get $member name] [dict get $member about]]
    }
    print "Nothing was sent anywhere, and no secret is in it. Read it, then add it to your report yourself."
}

# Packs, and leaves out the settings that are wrong: it reports these, and the archive has them.
proc ::cli::packed {options} {
    while 1 {
        try {
            return [tossl::support {*}$options]
        } trap {TOSSL VALUE} {message details} {
            set name [lindex [dict get $details -errorcode] 2]
            if {$name eq "TOSSL_LOG" && [info exists ::env(TOSSL_LOG)]} {
                unset ::env(TOSSL_LOG)
            } elseif {$name ne "output" && [dict exists $options -$name]} {
                dict unset options -$name
            } else {
                return -options $details $message
            }
            say "tossl: [in_words $message]"
        }
    }
}
