# http_port.tcl: the plain http beside a listener of tossl::tls::socket. It answers the CA's challenges, and sends
# everybody else to https. One request and one answer for each connection, all of it bounded: a slow or endless client
# costs only its own connection.

namespace eval ::tossl::tls {
    variable http_seconds 10
    # Connections at a time; the oldest makes room.
    variable most_http 256
    # Characters of a request's head, and of what comes behind it.
    variable most_head 8192
    variable most_rest 65536
}

oo::class create ::tossl::tls::HttpPort {
    variable server secure domains store timers heads rests

    # listener_port: the port of the listener. names: those of its certificate. where: its option -store, if it has one.
    constructor {port options listener_port names where} {
        set secure $listener_port
        set domains $names
        set store $where
        set timers {}
        set server [::tossl::tls::Open http_port $port $options [list [self] accept]]
    }

    destructor {
        if {[info exists server]} {
            close $server
        }
        foreach client [dict keys $timers] {
            my Drop $client
        }
    }

    method accept {client address port} {
        chan configure $client -blocking 0 -translation binary
        dict set timers $client [after [expr {1000 * $::tossl::tls::http_seconds}] [list [self] expire $client]]
        set heads($client) ""
        chan event $client readable [list [self] head $client]
        if {[dict size $timers] > $::tossl::tls::most_http} {
            my Drop [lindex [dict keys $timers] 0]
        }
    }

    method expire {client} {
        my Drop $client
    }

    method Drop {client} {
        after cancel [dict get $timers $client]
        dict unset timers $client
        unset -nocomplain heads($client) rests($client)
        catch {close $client}
    }

    # Reads until the head of the request is there.
    method head {client} {
        if {[catch {append heads($client) [chan read $client 4096]}]} {
            my Drop $client
        } elseif {[regexp {\r?\n\r?\n} $heads($client)]} {
            set is_wrong [catch {my Answer $heads($client)} answer details]
            my Send $client [expr {$is_wrong ? [my Response "500 Internal Server Error"] : $answer}]
            if {$is_wrong} {
                return -options $details $answer
            }
        } elseif {[string length $heads($client)] > $::tossl::tls::most_head} {
            my Send $client [my Response "431 Request Header Fields Too Large"]
        } elseif {[chan eof $client]} {
            my Drop $client
        }
    }

    # Closes with the client: unread bytes at a close would drop the answer on its way.
    method Send {client answer} {
        set rests($client) 0
        chan event $client readable [list [self] rest $client]
        if {[catch {
            chan puts -nonewline $client $answer
            chan close $client write
        }]} {
            my Drop $client
        }
    }

    method rest {client} {
        if {[catch {incr rests($client) [string length [chan read $client 4096]]}] || [chan eof $client]
                || $rests($client) > $::tossl::tls::most_rest} {
            my Drop $client
        }
    }

    method Answer {head} {
        if {![regexp {^([!-~]+) (?:https?://([^/\s]*))?(/[!-~]*) HTTP/1\.[01]\r?\n} $head - method named path]} {
            return [my Response "400 Bad Request"]
        }
        if {$named eq ""} {
            regexp -nocase -line {^Host:[ \t]*(.*?)[ \t\r]*$} $head - named
        }
        set body ""
        if {[regexp {^/\.well-known/acme-challenge/([^/?]+)(\?|$)} $path - token]} {
            set body [::tossl::acme::http01_response $token {*}$store]
        }
        if {$body eq ""} {
            return [my Redirect $method $named $path]
        }
        if {$method ni {GET HEAD}} {
            return [my Response "405 Method Not Allowed" "Allow: GET, HEAD\r\n"]
        }
        return [my Response "200 OK" "Content-Type: application/octet-stream\r\n" $body [expr {$method eq "HEAD"}]]
    }

    # RFC 9110 sections 15.4.2 and 15.4.9: 308 keeps the method, which 301 need not.
    method Redirect {method named path} {
        set authority [my Authority $named]
        if {$authority eq ""} {
            return [my Response "404 Not Found"]
        }
        set status [expr {$method in {GET HEAD} ? "301 Moved Permanently" : "308 Permanent Redirect"}]
        return [my Response $status "Location: https://$authority$path\r\n"]
    }

    # Where a name of the certificate is served by https, empty for other names: nobody is sent elsewhere. A client that
    # named another port than that of this server came through one that leads here; then its https is at 443, too.
    method Authority {named} {
        if {![regexp {^([A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])(?::(\d+))?$} $named - host port] || ![my Has $host]} {
            return ""
        }
        set own [lindex [chan configure $server -sockname] 2]
        set is_direct [expr {($port eq "" ? 80 : $port) == $own}]
        return $host[expr {$is_direct && $secure != 443 ? ":$secure" : ""}]
    }

    method Has {host} {
        set host [string trimright [string tolower [string trim $host {[]}]] .]
        return [expr {$host in $domains || "*[string range $host [string first . $host.] end]" in $domains}]
    }

    method Response {status {headers ""} {body ""} {is_head 0}} {
        set length [string length $body]
        set head "HTTP/1.1 $status\r\n${headers}Content-Length: $length\r\nConnection: close\r\n\r\n"
        return $head[expr {$is_head ? "" : $body}]
    }
}
