# What the tests of the commands share. The servers come from the environment, as `python -m tests.servers` sets it:
#
#     python -m tests.servers --pebble --cloudflare --httpreq --impersonate --authz-reuse 0 -- tclsh tests/tcl/all.tcl
#
# A test whose server is not there is skipped. The package is loaded with the servers' CA trusted, and an empty store.

package require tcltest
namespace import ::tcltest::*
package require http

namespace eval support {
    variable tree [file dirname [file dirname [file dirname [file normalize [info script]]]]]

    proc given {name} {
        upvar #0 ::env(TOSSL_TEST_$name) value
        return [expr {[info exists value] ? $value : ""}]
    }

    foreach {constraint name} {
        pebble DIRECTORY   proxy PROXY   cloudflare CLOUDFLARE   httpreq HTTPREQ   postgresql POSTGRESQL
    } {
        testConstraint $constraint [expr {[given $name] ne ""}]
    }
    # The documented hosts lead to the local servers.
    testConstraint impersonate [expr {[given CONNECT_PROXY] ne "" && [info exists ::env(HTTPS_PROXY)]
        && $::env(HTTPS_PROXY) eq [given CONNECT_PROXY]}]

    if {[given CA_BUNDLE] ne ""} {
        set ::env(REQUESTS_CA_BUNDLE) [given CA_BUNDLE]
    }
    set ::env(TOSSL_RESOLVERS) [given DNS]
    set ::env(TOSSL_HOME) [makeDirectory [file rootname [file tail [info script]]][pid].home]

    # {message errorcode} of an error.
    proc failure {args} {
        if {[catch {uplevel 1 $args} message options]} {
            return [list $message [dict get $options -errorcode]]
        }
        return [list "no error" $message]
    }

    # Everything that an error leaves behind, however the command is called: what a log could show. Called from global
    # level, for Tcl itself puts the arguments of a caller's proc into errorStack.
    proc traces {command} {
        variable words $command
        set found {}
        foreach way {{{*}$::support::words} {eval $::support::words} {uplevel #0 $::support::words}
                     {namespace eval :: $::support::words} {try $::support::words on ok {} {}}} {
            if {![uplevel #0 [list catch $way ::support::message ::support::options]]} {
                error "no error: [string range $::support::message 0 200]"
            }
            lappend found $::support::message $::support::options $::errorInfo $::errorCode [info errorstack]
        }
        return $found
    }

    # Which of these secrets an error of the command shows; a key counts as shown when any line of it is.
    proc leaks {secrets words} {
        set found [traces $words]
        set shown {}
        foreach secret $secrets {
            foreach line [split [string trim $secret] \n] {
                if {![string match -----* $line] && [string length $line] >= 8 && [string first $line $found] >= 0} {
                    lappend shown $line
                }
                # Shown in part is shown.
                set part [string range $line 0 23]
                if {![string match -----* $line] && [string length $line] > 24 && [string first $part $found] >= 0} {
                    lappend shown $part
                }
            }
        }
        return $shown
    }

    # ---- the fault proxy's control ----

    proc Post {url {body "{}"} {headers {}}} {
        set token [::http::geturl $url -query $body -type application/json -headers $headers -timeout 10000]
        try {
            if {[::http::ncode $token] ni {200 201}} {
                error "$url answered [::http::code $token]: [::http::data $token]"
            }
            return [::http::data $token]
        } finally {
            ::http::cleanup $token
        }
    }

    proc Read {url {headers {}}} {
        set token [::http::geturl $url -headers $headers -timeout 10000]
        try {
            return [::http::data $token]
        } finally {
            ::http::cleanup $token
        }
    }

    # Forgets faults and requests.
    proc quiet {} {
        Post [given CONNECT_PROXY]/control/clear
    }

    # fault ACTION ?path P? ?nth N? ?times N? ?args JSON?
    proc fault {action args} {
        set members [list "\"action\":\"$action\""]
        foreach {name value} $args {
            lappend members "\"$name\":[expr {$name in {path method} ? "\"$value\"" : $value}]"
        }
        Post [given CONNECT_PROXY]/control/fault "{[join $members ,]}"
    }

    # What reached the fault proxy: METHOD PATH ...; and a word for connections that carried none.
    proc requests {} {
        set text [Read [given CONNECT_PROXY]/control/requests]
        set found {}
        foreach {- method path} [regexp -all -inline {"method": "(\w+)", "path": "([^"]*)"} $text] {
            lappend found $method $path
        }
        regexp {"connections": (\d+)} $text - connections
        if {![llength $found] && $connections} {
            lappend found connections $connections
        }
        return $found
    }

    # ---- the DNS providers ----

    # What reached Cloudflare's look-alike: METHOD ...
    proc cloudflare_requests {} {
        set url [string range [given CLOUDFLARE] 0 end-[string length /client/v4]]/control/requests
        return [lmap {- method} [regexp -all -inline {"method": "(\w+)"} [Read $url]] {set method}]
    }

    # The TXT values in Cloudflare's zone example.com at a name, sorted.
    proc cloudflare_txt {name} {
        set url [given CLOUDFLARE]/zones/[given CLOUDFLARE_ZONE_ID]/dns_records?type=TXT&name=$name
        set text [Read $url [list Authorization "Bearer [given CLOUDFLARE_TOKEN]"]]
        return [lsort [lmap {- value} [regexp -all -inline {"content": "(?:\\")?([^"\\]*)} $text] {set value}]]
    }

    # Somebody else's record.
    proc cloudflare_add {name value} {
        Post [given CLOUDFLARE]/zones/[given CLOUDFLARE_ZONE_ID]/dns_records \
            "{\"type\":\"TXT\",\"name\":\"$name\",\"content\":\"$value\",\"ttl\":60}" \
            [list Authorization "Bearer [given CLOUDFLARE_TOKEN]"]
    }

    # How often the mock DNS server was asked about a name.
    proc dns_questions {name} {
        return [regexp -all {"Qtype"|"Name"} [Post [given CHALLTESTSRV]/dns-request-history "{\"host\":\"$name\"}"]]
    }

    # A server on loopback that takes connections and says nothing; [accepted] tells how many it got.
    proc deaf {} {
        variable accepted 0
        set server [socket -server {apply {{channel host port} {incr ::support::accepted; close $channel}}} -myaddr 127.0.0.1 0]
        return [list $server [lindex [fconfigure $server -sockname] 2]]
    }

    proc accepted {} {
        variable accepted
        update
        return $accepted
    }

    namespace export {[a-z]*}
}
namespace import ::support::*

if {$support::tree ni $auto_path} {
    lappend auto_path $support::tree
}
package require tossl
