# tossl list

::cli::command list {
    "list"
    "the certificates in the store: until when each is valid, when it is due, and what failed last; in a terminal its life as a bar"
} acme::list_certificates {} {arguments options} {
    if {[llength $arguments]} {
        misuse "list takes no name: show does"
    }
    set found [tossl::acme::list_certificates {*}$options]
    if {[is_json]} {
        puts "{\"certificates\": \[[join [lmap one $found {json $one $::cli::kept_types}] ", "]\]}"
    } elseif {[is_terminal stdout]} {
        source [file join $::cli::folder bars.tcl]
        draw_list $found [screen_width] [clock seconds]
    } else {
        print_list $found
    }
}

# In plain columns, for a pipe, a file and a log.
proc ::cli::print_list {found} {
    set wide [tcl::mathfunc::max 4 {*}[lmap one $found {string length [dict get $one name]}]]
    # Who obtained it is said where several nodes are known.
    set nodes [lmap one $found {expr {[has_nodes $one] ? [dict get $one node] : ""}}]
    set by [tcl::mathfunc::max {*}[lmap node [list "" {*}$nodes] {string length $node}]]
    set by [expr {$by ? "%-[expr {max(3, $by)}]s  " : "%s"}]
    if {[llength $found]} {
        print [format "%-${wide}s  %-20s  %-20s  $by%s" name "valid until" due [expr {$by eq "%s" ? "" : "by"}] state]
    }
    foreach one $found node $nodes {
        lassign {- -} until due
        if {![dict exists $one damaged]} {
            set until [time_text [dict get $one not_after]]
            set due [time_text [dict get $one due]]
        }
        print [format "%-${wide}s  %-20s  %-20s  $by%s" [dict get $one name] $until $due $node [state_of $one]]
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
    return [join [lmap {short text} [states_of $kept] {set text}] "; "]
}

# {short text ...}, the worst first: how a certificate is, in one word or two, and in as many as it takes.
proc ::cli::states_of {kept} {
    if {[dict exists $kept damaged]} {
        return [list damaged "damaged: [dict get $kept damaged]"]
    }
    set states {}
    if {[dict get $kept revoked]} {
        lappend states revoked revoked
    }
    if {[dict get $kept not_after] <= [clock seconds]} {
        lappend states expired expired
    } elseif {[dict get $kept not_before] > [clock seconds]} {
        lappend states "not yet valid" "not yet valid"
    } elseif {[dict get $kept due] <= [clock seconds]} {
        lappend states due due
    }
    if {[dict size [dict get $kept last_error]]} {
        set at [expr {[has_nodes $kept] && [dict exists $kept last_error node] ? " on [dict get $kept last_error node]" : ""}]
        lappend states failed "failed$at: [dict get $kept last_error message]"
    }
    foreach text [nodes_behind $kept] {
        lappend states "not everywhere" $text
    }
    if {![has_nodes $kept] && [dict exists $kept deploy_owed] && [dict get $kept deploy_owed]} {
        set cause [dict get $kept deploy_error]
        lappend states "not deployed" "not deployed[expr {$cause eq "" ? "" : ": $cause"}]"
    }
    foreach warning [dict get $kept warnings] {
        lappend states warning [dict get $warning message]
    }
    if {![dict get $kept renewable]} {
        lappend states "not renewable" "not renewable by its name"
    }
    return [expr {[llength $states] ? $states : {valid valid}}]
}
