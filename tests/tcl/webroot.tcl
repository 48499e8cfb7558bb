# webroot.tcl PORT FOLDER: a web server that gives out the files of a folder; says "ready" once it listens.

lassign $argv port folder

proc serve {channel host peer} {
    chan configure $channel -translation crlf -blocking 0 -buffering full
    chan event $channel readable [list answer $channel]
}

proc answer {channel} {
    if {[catch {gets $channel line} size] || ($size < 0 && [eof $channel])} {
        close $channel
        return
    }
    if {$size > 0} {
        if {[regexp {^GET (/[\w./-]*)} $line -> path] && ![string match *..* $path]} {
            set ::path($channel) $::folder$path
        }
        return
    }
    if {$size < 0} return
    if {[info exists ::path($channel)] && [file isfile $::path($channel)]} {
        set file [open $::path($channel) rb]
        set body [read $file]
        close $file
        puts $channel "HTTP/1.1 200 OK\nContent-Length: [string length $body]\nConnection: close\n"
        chan configure $channel -translation binary
        puts -nonewline $channel $body
    } else {
        puts $channel "HTTP/1.1 404 Not Found\nContent-Length: 0\nConnection: close\n"
    }
    unset -nocomplain ::path($channel)
    close $channel
}

socket -server serve -myaddr 127.0.0.1 $port
puts ready
flush stdout
# It ends with whoever started it.
chan configure stdin -blocking 0
chan event stdin readable {if {[eof stdin]} exit else {read stdin}}
vwait forever
