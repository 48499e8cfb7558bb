# tossl list

::cli::command list {
    "list"
    "the certificates in the store: until when each is valid, when it is due, and what failed last"
} acme::list_certificates {} {arguments options} {
    if {[llength $arguments]} {
        misuse "list takes no name: show does"
    }
    set found [tossl::acme::list_certificates {*}$options]
    if {[is_json]} {
        puts \[[join [lmap one $found {json $one $::cli::kept_types}] ", "]\]
        return
    }
    set wide [tcl::mathfunc::max 4 {*}[lmap one $found {string length [dict get $one name]}]]
    # Who obtained it is said where several nodes are known.
    set nodes [lmap one $found {expr {[has_nodes $one] ? [dict get $one node] : ""}}]
    set by [tcl::mathfunc::max {*}[lmap node [list "" {*}$nodes] {string length $node}]]
    set by [expr {$by ? "%-[expr {max(3, $by)}]s  " : "%s"}]
    if {[llength $found]} {
        print [format "%-${wide}s  %-20s  %-20s  $by%s" name "valid until" due [expr {$by eq "%s" ? "" : "by"}] state]
    }
    foreach one $found node $nodes {
        if {[dict exists $one damaged]} {
            print [format "%-${wide}s  %-20s  %-20s  $by%s" [dict get $one name] - - $node "damaged: [dict get $one damaged]"]
            continue
        }
        print [format "%-${wide}s  %-20s  %-20s  $by%s" [dict get $one name] [time_text [dict get $one not_after]] \
            [time_text [dict get $one due]] $node [state_of $one]]
    }
}

proc ::cli::has_nodes {kept} {
    return [expr {[dict exists $kept nodes] && [llength [dict get $kept nodes]] > 1}]
}

# In a few words for each node that has not all of it.
proc ::cli::nodes_behind {kept} {
    if {![has_nodes $kept]} return
    return [lmap one [dict get $kept nodes] {
        if {[dict get $one deploy_owed] && [dict get $one deploy_error] ne ""} {
            string cat [dict get $one node] ": not deployed: " [dict get $one deploy_error]
        } elseif {![dict get $one has] || [dict get $one deploy_owed]} {
            string cat [dict get $one node] ": not there yet"
        } else continue
    }]
}

# In a few words, the worst first.
proc ::cli::state_of {kept} {
    set words {}
    if {[dict get $kept revoked]} {
        lappend words revoked
    }
    if {[dict get $kept not_after] <= [clock seconds]} {
        lappend words expired
    } elseif {[dict get $kept due] <= [clock seconds]} {
        lappend words due
    }
    if {[dict size [dict get $kept last_error]]} {
        set at [expr {[has_nodes $kept] && [dict exists $kept last_error node] ? " on [dict get $kept last_error node]" : ""}]
        lappend words "failed$at: [dict get $kept last_error message]"
    }
    lappend words {*}[nodes_behind $kept]
    if {![has_nodes $kept] && [dict exists $kept deploy_owed] && [dict get $kept deploy_owed]} {
        lappend words "not deployed[expr {[dict get $kept deploy_error] eq "" ? "" : ": [dict get $kept deploy_error]"}]"
    }
    foreach warning [dict get $kept warnings] {
        lappend words [dict get $warning message]
    }
    if {![dict get $kept renewable]} {
        lappend words "not renewable by its name"
    }
    return [expr {[llength $words] ? [join $words "; "] : "valid"}]
}
