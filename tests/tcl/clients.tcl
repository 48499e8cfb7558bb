# clients.tcl: what tests of web servers share: clients of TLS, and waiting for a server. Sourced after support.tcl.

if {[testConstraint pebble]} {
    set root [makeFile \
        [dict get [tossl::http::get [given PEBBLE_MANAGEMENT]/roots/0 -ca_bundle [given CA_BUNDLE]] body] root.pem]
}

proc free_port {} {
    set server [socket -server list -myaddr 127.0.0.1 0]
    set port [lindex [chan configure $server -sockname] 2]
    close $server
    return $port
}

# Waits until an expression of a script is true.
proc await {script} {
    set end [expr {[clock seconds] + 60}]
    while {[catch {uplevel 1 $script} value] || !$value} {
        if {[clock seconds] > $end} {
            error "waited in vain for: $script: $value"
        }
        after 100
    }
}

# What a server shows for a name: {serial number-of-certificates}, once it is one of the CA.
proc shown {port name} {
    set text [exec timeout 20 openssl s_client -connect 127.0.0.1:$port -servername $name -CAfile $::root -verify_return_error \
        -verify_hostname $name -showcerts </dev/null 2>/dev/null]
    set serial [exec openssl x509 -noout -serial << $text]
    return [list $serial [regexp -all -line {^-----BEGIN CERTIFICATE} $text]]
}

proc is_shown {port name} {
    return [expr {![catch {shown $port $name}]}]
}

# A client whose handshake is done, and that has not asked for anything.
proc connect {port name} {
    set client [open |[list timeout 60 openssl s_client -quiet -connect 127.0.0.1:$port -servername $name -CAfile $::root \
        -verify_return_error 2>@1] r+]
    chan configure $client -translation binary -buffering none
    # It tells of the certificates that it was shown.
    while {[gets $client line] >= 0 && ![string match "depth=0*" $line]} {}
    gets $client
    return $client
}

proc ask {client name path} {
    puts -nonewline $client "GET $path HTTP/1.1\r\nHost: $name\r\nConnection: close\r\n\r\n"
    set answer [read $client]
    catch {close $client}
    return [list [lindex [regexp -inline {^HTTP/1.[01] (\d+)} $answer] 1] [regexp {<h1>[^<]*</h1>} $answer]]
}

# The first certificate; then a client stays until another one is in force. Returns the number of certificates shown, and
# what a client from before and one from after that get.
proc live_through_a_renewal {port name {path /}} {
    await {is_shown $port $name}
    lassign [shown $port $name] serial count
    set client [connect $port $name]
    await {expr {[lindex [shown $port $name] 0] ne $serial}}
    return [list $count [ask $client $name $path] [ask [connect $port $name] $name $path]]
}

# What wapp 1.0's own server answers, of the requests that come in such pieces: its status, or nothing where it closes.
proc wapp_answers {tclsh words requests} {
    set port [free_port]
    set script [makeFile [format {
        package require wapp
        proc wapp-default {} {wapp-trim {<h1>Hello</h1>}}
        wapp-start {-server %s -fromip 127.0.0.1}
    } $port] page.tcl]
    set program [open |[list $tclsh {*}$words $script 2>@1] r]
    await {close [socket 127.0.0.1 $port]; string cat 1}
    try {
        return [lmap pieces $requests {
            set client [socket 127.0.0.1 $port]
            chan configure $client -translation binary -buffering none
            puts -nonewline $client [lindex $pieces 0]
            foreach piece [lrange $pieces 1 end] {
                after 200
                puts -nonewline $client $piece
            }
            catch {read $client} answer
            close $client
            lindex [regexp -inline {^HTTP/1.1 (\d+)} $answer] 1
        }]
    } finally {
        exec sh -c "kill [pid $program]"
        catch {close $program}
    }
}

# A token's path, one that wapp takes, a first line in two pieces, a method, a line without a value; a header that ends for
# wapp where its second line is in two pieces.
set wapp_requests {
    {"GET /.well-known/acme-challenge/aBc HTTP/1.1\r\nHost: x\r\n\r\n"} {"GET /a/b_c-d.e HTTP/1.1\r\nHost: x\r\n\r\n"}
    {"GET /" " HTTP/1.1\r\nHost: x\r\n\r\n"} {"PUT / HTTP/1.1\r\nHost: x\r\n\r\n"} {"GET / HTTP/1.1\r\nHost:\r\n\r\n"}
    {"GET / HTTP/1.1\r\nHost" ": x\r\n\r\n"}
}
