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
    if {[llength $found]} {
        print [format "%-${wide}s  %-20s  %-20s  %s" name "valid until" due state]
    }
    foreach one $found {
        if {[dict exists $one damaged]} {
            print [format "%-${wide}s  %-20s  %-20s  %s" [dict get $one name] - - "damaged: [dict get $one damaged]"]
            continue
        }
        print [format "%-${wide}s  %-20s  %-20s  %s" [dict get $one name] [time_text [dict get $one not_after]] \
            [time_text [dict get $one due]] [state_of $one]]
    }
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
        lappend words "failed: [dict get $kept last_error message]"
    }
    if {[dict exists $kept deploy_owed] && [dict get $kept deploy_owed]} {
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
