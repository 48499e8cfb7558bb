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
    set result [tossl::support {*}$options]
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
