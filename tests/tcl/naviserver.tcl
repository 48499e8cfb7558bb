# naviserver.tcl CONFIGURATION ?RELOADS?: as much of NaviServer as a configuration of ours uses, in its order: the
# configuration in an interpreter of its own, then nsssl, which does not start without a certificate and a key in one
# file, then for each server an interpreter that runs its initcmds, of which an error ends the server, then scheduled
# scripts and requests. Prints what is logged, and what nsssl reads at each reload; it shuts down after that many. With 0 it
# ends before there are any.

namespace eval ::navi {
    # By section: a list of key and value, for a key may be there twice.
    variable sections {}
    variable section ""
    variable once {}
    variable pages {}
    variable reloads 0
    variable stopping 0
}

# ---- commands in both kinds of interpreter ----

proc ::navi::log {severity args} {
    puts "$severity: [join $args]"
}
proc ::navi::config {section key {default ""}} {
    variable sections
    if {[dict exists $sections $section]} {
        foreach {name value} [dict get $sections $section] {
            if {[string equal -nocase $name $key]} {
                return $value
            }
        }
    }
    return $default
}
proc ::navi::configsection {name} {
    variable sections
    return [expr {[dict exists $sections $name] ? $name : ""}]
}
proc ::navi::set_command {action set args} {
    variable sections
    set words [dict get $sections $set]
    switch $action {
        array {return $words}
        find {return [lsearch -exact [dict keys $words] [lindex $args 0]]}
        get {return [config $set [lindex $args 0]]}
        update {dict set sections $set [dict replace $words {*}$args]}
    }
}
proc ::navi::info_command {server what} {
    variable stopping
    switch $what {
        server {return $server}
        shutdownpending {return $stopping}
        patchlevel {return 5.1.0}
    }
}

# ---- of the configuration ----

proc ::navi::section {interpreter name {script ""}} {
    variable section $name
    variable sections
    if {![dict exists $sections $name]} {
        dict set sections $name {}
    }
    $interpreter eval $script
}
proc ::navi::param {key value} {
    variable section
    variable sections
    # NaviServer keeps texts. Tcl 9.0 has two interpreters fail over one value that is a lambda in both.
    dict set sections $section [list {*}[dict get $sections $section] $key [string range " $value" 1 end]]
}

# ---- of a server ----

proc ::navi::register {server method url script args} {
    variable pages
    dict set pages $server $method $url $script
}
proc ::navi::runonce {interpreter option script} {
    variable once
    if {$option ne "-global"} {
        error "for this server alone?"
    }
    if {$script ni $once} {
        lappend once $script
        $interpreter eval $script
    }
}
proc ::navi::schedule {interpreter option seconds script} {
    if {$option ne "-thread"} {
        error "in the thread of all schedules?"
    }
    after [expr {1000 * $seconds}] [list ::navi::scheduled $interpreter $seconds $script]
}
proc ::navi::scheduled {interpreter seconds script} {
    variable stopping
    if {[catch {$interpreter eval $script} message]} {
        puts "error in a scheduled script: $message"
    }
    if {$stopping} {
        exit
    }
    schedule $interpreter -thread $seconds $script
}
proc ::navi::certctl {action} {
    variable reloads
    variable stopping
    foreach file [certificates] {
        puts "reload: [describe $file]"
    }
    incr reloads
    set stopping [expr {$reloads == $::most_reloads}]
}

# ---- nsssl ----

proc ::navi::certificates {} {
    variable sections
    set found {}
    foreach section [dict keys $sections] {
        if {[string match */module/https $section] || $section eq "ns/module/https"} {
            lappend found [config $section certificate]
        }
    }
    return [lsort -unique $found]
}
proc ::navi::describe {file} {
    set channel [open $file]
    set pem [read $channel]
    close $channel
    set blocks [regexp -all -inline -line {^-----BEGIN (?:.*)} $pem]
    if {![string match "*PRIVATE KEY*" $blocks] || ![string match *CERTIFICATE* $blocks]} {
        error "nsssl: cannot load certificate and key of $file"
    }
    set names [lindex [regexp -inline {DNS:[^\n]*} [exec openssl x509 -noout -ext subjectAltName << $pem]] 0]
    return "[file tail $file] [string range [file attributes $file -permissions] end-2 end] [llength $blocks] blocks $names"
}

# ---- requests ----

proc ::navi::accept {channel host port} {
    chan configure $channel -translation crlf -blocking 0
    chan event $channel readable [list ::navi::read_request $channel]
}
proc ::navi::read_request {channel} {
    variable asked
    if {[catch {gets $channel line} size] || ($size < 0 && [eof $channel])} {
        unset -nocomplain asked($channel)
        close $channel
    } elseif {$size > 0} {
        lappend asked($channel) $line
    } elseif {$size == 0} {
        set lines $asked($channel)
        unset asked($channel)
        answer $channel [lindex $lines 0] [lindex [regexp -inline -nocase {host: ([^ :\}]*)} $lines] 1]
    }
}
proc ::navi::answer {channel request host} {
    variable pages
    variable connection
    lassign $request method url
    set server [config ns/module/http defaultserver]
    foreach {name value} [dict get $::navi::sections ns/module/http/servers] {
        if {$value eq $host} {
            set server $name
        }
    }
    set connection [dict create channel $channel url $url]
    dict for {pattern script} [dict get $pages $server $method] {
        if {[string match $pattern $url]} {
            return [servers_$server eval $script]
        }
    }
    give 404 text/plain "not found"
}
proc ::navi::give {status type body} {
    variable connection
    set channel [dict get $connection channel]
    puts $channel "HTTP/1.1 $status -\nContent-Type: $type\nContent-Length: [string length $body]\nConnection: close\n"
    puts -nonewline $channel $body
    close $channel
}
proc ::navi::connection {what} {
    variable connection
    return [dict get $connection $what]
}

# ---- from the configuration to requests ----

proc ::navi::both {interpreter server} {
    foreach {name command} {
        ns_log log   ns_config config   ns_configsection configsection   ns_set set_command   ns_certctl certctl
    } {
        $interpreter alias $name ::navi::$command
    }
    $interpreter alias ns_info ::navi::info_command $server
}

lassign $argv configuration most_reloads
interp create configuring
configuring eval [list set argv [list nsd -f -t $configuration]]
navi::both configuring ""
configuring alias ns_section ::navi::section configuring
configuring alias ns_param ::navi::param
configuring eval [list source $configuration]
interp delete configuring

foreach file [navi::certificates] {
    puts "nsssl: [navi::describe $file]"
}
foreach server [dict keys [dict get $navi::sections ns/servers]] {
    set interpreter [interp create servers_$server]
    navi::both $interpreter $server
    $interpreter alias ns_register_proc ::navi::register $server
    $interpreter alias ns_runonce ::navi::runonce $interpreter
    $interpreter alias ns_schedule_proc ::navi::schedule $interpreter
    $interpreter alias ns_conn ::navi::connection
    $interpreter alias ns_return ::navi::give
    $interpreter alias ns_returnnotfound ::navi::give 404 text/plain "not found"
    $interpreter eval [navi::config ns/server/$server/tcl initcmds]
}
if {$most_reloads == 0} exit
socket -server navi::accept -myaddr [navi::config ns/module/http address] [navi::config ns/module/http port]
vwait forever
