# wapp.tcl EXAMPLE PORT ?ARG ...?: runs the example on as much of wapp as it uses, prints its page at the start and at the
# end, and leaves when the certificate is there.

namespace eval ::wapp_stub {
    variable reply
    variable parameters
}

proc wapp-trim {text} {
    # wapp substitutes %html(...) with the escaped value
    while {[regexp {%html\(([^)]*)\)} $text whole value]} {
        set value [string map {& &amp; < &lt; > &gt;} [uplevel 1 [list subst $value]]]
        set text [string map [list $whole $value] $text]
    }
    append ::wapp_stub::reply(body) [string trim $text]
}
proc wapp-unsafe {text} {append ::wapp_stub::reply(body) $text}
proc wapp-mimetype {type} {set ::wapp_stub::reply(type) $type}
proc wapp-reply-code {code} {set ::wapp_stub::reply(code) $code}
proc wapp-param {name} {return $::wapp_stub::parameters($name)}

# The page of a path, as wapp finds its proc.
proc page {path} {
    array set ::wapp_stub::reply {code "200 OK" type text/html body ""}
    set ::wapp_stub::parameters(PATH_INFO) [join [lrange [split $path /] 2 end] /]
    set procedure wapp-page-[lindex [split $path /] 1]
    if {[info commands $procedure] eq ""} {
        set procedure wapp-default
    }
    $procedure
    return $::wapp_stub::reply(body)
}

proc serve {channel args} {
    chan configure $channel -translation crlf -blocking 0
    chan event $channel readable [list answer $channel]
}
proc answer {channel} {
    if {[gets $channel line] > 0 && [regexp {^GET (\S+)} $line -> path]} {
        set body [page $path]
        puts $channel "HTTP/1.1 $::wapp_stub::reply(code)\nContent-Type: $::wapp_stub::reply(type)"
        puts -nonewline $channel "Content-Length: [string length $body]\nConnection: close\n\n"
        chan configure $channel -translation binary
        puts -nonewline $channel $body
        close $channel
    } elseif {[eof $channel]} {
        close $channel
    }
}
proc wapp-start {arguments} {
    socket -server serve -myaddr 127.0.0.1 $::port
    puts [page /]
    trace add variable ::state write {apply {args {
        puts [page /]
        exit
    }}}
}

package provide wapp 1.0
set argv [lassign $argv example port]
source $example
