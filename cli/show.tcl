# tossl show

::cli::command show {
    "show NAME"
    "a certificate in the store, and its files"
} acme::get_certificate {} {names options} {
    if {[llength $names] != 1} {
        misuse "show needs the name of one certificate; list shows the names"
    }
    set found [tossl::acme::get_certificate [lindex $names 0] {*}$options]
    source_command list
    # The key stays in its file.
    show [summary $found] $::cli::kept_types {
        line name [dict get $result name]
        line names [join [dict get $result domains]]
        line issuer [dict get $result issuer]
        line serial [dict get $result serial]
        line CA [dict get $result directory]
        line "valid from" [time_text [dict get $result not_before]]
        line "valid until" [time_text [dict get $result not_after]]
        line due [time_text [dict get $result due]]
        if {[dict exists $result explanation_url] && [dict get $result explanation_url] ne ""} {
            line "due then because" [dict get $result explanation_url]
        }
        line state [state_of $result]
        if {[dict get $result deploy_command] ne ""} {
            line "deploy command" [dict get $result deploy_command]
        }
        dict for {what path} [dict get $result files] {line $what $path}
        if {[has_nodes $result]} {
            line "obtained by" [dict get $result node]
            foreach one [dict get $result nodes] {
                line "on [dict get $one node]" [expr {[dict get $one has] ? "since [time_text [dict get $one at]]" : "not yet"}]
            }
        }
    }
}
