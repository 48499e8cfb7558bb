# tossl check

::cli::command check {
    "check ?--warn 10d --critical 3d? ?FILE ...?"
    "what will happen to the certificates unless somebody acts, as Nagios, Prometheus and people read it; FILE: PEM files instead of the store"
} acme::check_certificates {
    -warn {DURATION "how long before its end a certificate is a warning: 10d, 12h, 30m, or seconds; by default 10d, and no more than a quarter of its life"}
    -critical {DURATION "how long before its end it is critical; by default 3d, and no more than a tenth of its life"}
    -silent {DURATION "how long manage may have told nothing of itself, unless it was ended; by default 15m"}
    -prometheus {FILE "a file for node_exporter's textfile collector, written whole; - prints the metrics in place of the rest"}
} {files options} {
    variable status
    # A file "-name" is no option.
    set result [tossl::acme::check_certificates [lmap file $files {file join [pwd] $file}] {*}$options]
    if {[is_json]} {
        puts [check_json $result]
    } elseif {[dict get $result metrics] ne ""} {
        puts -nonewline [dict get $result metrics]
    } elseif {![is_quiet] || [dict get $result status]} {
        puts [printable [dict get $result text]]
    }
    set status [dict get $result status]
}

proc ::cli::check_json {result} {
    set types {
        domains list problems list not_before number not_after number due number last_success number failures number
        paused number deploy_owed number persist_until number heartbeat number ended number certificates number
        failing number process number
    }
    set lists [lmap name {certificates nodes others} {
        string cat "[json_string $name]: \[[join [lmap one [dict get $result $name] {json $one $types}] {, }]\]"
    }]
    set facts [json [dict create state [dict get $result state] status [dict get $result status] \
        text [lindex [split [dict get $result text] \n] 0]] {status number}]
    return "[string range $facts 0 end-1], [join $lists {, }]\}"
}
