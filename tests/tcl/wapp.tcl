# wapp.tcl EXAMPLE ?ARG ...?: runs the example on as much of wapp 1.0 as it uses, with the limits that wapp has: its own
# server answers GET, HEAD and POST alone, for paths of small letters, digits and -._/ alone; takes whatever gets returns
# empty for the end of the header, also where more is still to come; wants "Name: value" in each line of it; and SCGI's
# header in one piece. What it does not take, it closes the connection on.

namespace eval ::imitation {
    variable request
    variable reply
}

proc wapp-param {name {default ""}} {
    return [expr {[dict exists $::imitation::request $name] ? [dict get $::imitation::request $name] : $default}]
}
proc wapp-unsafe {text} {append ::imitation::reply $text}
proc wapp-trim {text} {
    while {[regexp {%html\((.*?)\)} $text whole value]} {
        set value [string map {& &amp; < &lt; > &gt;} [uplevel 1 [list subst $value]]]
        set text [string map [list $whole $value] $text]
    }
    append ::imitation::reply [string trim $text]
}

proc wapp-start {words} {
    foreach {option value} [string map {-nowait {-nowait 1}} $words] {
        set given($option) $value
    }
    if {[info exists given(-scgi)]} {
        socket -server {::imitation::accept read_scgi} -myaddr 127.0.0.1 $given(-scgi)
    } elseif {[info exists given(-local)]} {
        socket -server {::imitation::accept read_http} -myaddr 127.0.0.1 $given(-local)
    } else {
        socket -server {::imitation::accept read_http} $given(-server)
    }
    if {![info exists given(-nowait)]} {
        vwait ::imitation::forever
    }
}

namespace eval ::imitation {
    proc accept {reader channel host port} {
        chan configure $channel -blocking 0 -translation binary
        set ::imitation::come($channel) {}
        chan event $channel readable [list ::imitation::guarded $reader $channel]
    }

    proc guarded {reader channel} {
        if {[catch {$reader $channel} message]} {
            puts stderr $message
            close $channel
        }
    }

    proc read_http {channel} {
        variable come
        set line [string trimright [gets $channel]]
        if {$line ne ""} {
            lappend come($channel) $line
            return
        }
        if {![llength $come($channel)]} {
            error "no request"
        }
        set fields [lassign $come($channel) first]
        lassign $first method uri
        if {$method ni {GET HEAD POST}} {
            error "unsupported request method: \"$method\""
        }
        set path [lindex [split $uri ?] 0]
        if {![regexp {^/[-.a-z0-9_/]*$} $path]} {
            error "invalid request uri: \"$path\""
        }
        set names [dict create REQUEST_METHOD $method REQUEST_URI $path]
        foreach field $fields {
            if {![regexp {^(.+): +(.*)$} $field -> name value]} {
                error "invalid header line: \"$field\""
            }
            if {[string toupper $name] eq "HOST"} {
                dict set names HTTP_HOST $value
            }
        }
        answer $channel $names
    }

    proc read_scgi {channel} {
        variable come
        scan [set begin [read $channel 15]] %d:%s size header
        set rest [expr {$size + [string length "$size:,"] - 15}]
        append header [set more [read $channel $rest]]
        if {[string length $more] < $rest} {
            error "the header is not there in one piece"
        }
        answer $channel [lrange [split $header \0] 0 end-1]
    }

    proc answer {channel names} {
        variable request
        variable reply ""
        set request $names
        set host [expr {[dict exists $names HTTP_HOST] ? [dict get $names HTTP_HOST] : ""}]
        dict set request BASE_URL [expr {[dict exists $names HTTPS] ? "https" : "http"}]://$host
        set page wapp-page-[lindex [split [lindex [split [dict get $names REQUEST_URI] ?] 0] /] 1]
        if {[info commands ::$page] eq ""} {
            set page wapp-default
        }
        $page
        set reply [encoding convertto utf-8 $reply]
        puts -nonewline $channel "HTTP/1.1 200 Ok\r\nConnection: close\r\nContent-Type: text/html; charset=utf-8\r\n"
        puts -nonewline $channel "Content-Length: [string length $reply]\r\n\r\n$reply"
        close $channel
    }
}

package provide wapp 1.0
set argv [lassign $argv example]
set argc [llength $argv]
source $example
