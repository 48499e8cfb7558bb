# https_server.tcl SCRIPT ARGUMENT ...: runs the example SCRIPT, and renews its certificate for each line of standard
# input: prints the serial number of the new one. The end of standard input ends it.

proc command {} {
    if {[gets stdin line] >= 0} {
        tossl::acme::renew_certificate $::name {*}[dict filter $::options key -store] -force 1 -http01_response 1 \
            -command print_serial
    } elseif {[eof stdin]} {
        exit
    }
}

proc print_serial {job} {
    puts "serial [dict get [tossl::job::result $job] serial]"
    flush stdout
}

chan configure stdin -blocking 0
chan event stdin readable command
set argv [lassign $argv script]
set argc [llength $argv]
set argv0 $script
source $script
