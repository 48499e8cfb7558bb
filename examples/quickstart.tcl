#!/usr/bin/env tclsh
# quickstart.tcl ?DIRECTORY NAMES? ?OPTION VALUE ...?
#
# Gets a certificate and reports each step. DIRECTORY is an ACME directory URL or a CA's short name, NAMES a list of
# domain names; the options are those of tossl::acme::obtain_certificate, for example
#
#     tclsh quickstart.tcl letsencrypt-staging "example.com www.example.com" -webroot /var/www/html
#
# `make demo` runs it without arguments, beside a test CA.

package require tossl

if {$argc >= 2} {
    set options [lassign $argv directory names]
    set trust {}
} elseif {![info exists env(TOSSL_TEST_DIRECTORY)]} {
    puts stderr "usage: quickstart.tcl DIRECTORY NAMES ?OPTION VALUE ...?"
    exit 2
} else {
    set directory $env(TOSSL_TEST_DIRECTORY)
    set names {example.com www.example.com}
    set options [list -port $env(TOSSL_TEST_HTTP_PORT)]
    set trust [list -ca_bundle $env(TOSSL_TEST_CA_BUNDLE)]
}

proc say {what {value ""}} {
    puts [format "%-22s %s" $what $value]
}

say "directory" $directory
set meta [dict get [tossl::acme::directory $directory {*}$trust] meta]
if {[dict exists $meta termsOfService]} {
    say "terms of service" [dict get $meta termsOfService]
}

# Shows a step: the dict has the step's name and its facts.
proc progress {step} {
    set name [dict get $step step]
    if {$name eq "waiting"} return
    say "  $name" [join [dict values [dict remove $step step]] "  "]
}

set started [clock milliseconds]
set certificate [tossl::acme::obtain_certificate $names -directory $directory {*}$trust {*}$options -progress progress]

say "names" [dict get $certificate domains]
say "issuer" [dict get $certificate issuer]
say "valid from" [clock format [dict get $certificate not_before]]
say "valid until" [clock format [dict get $certificate not_after]]
dict for {what path} [dict get $certificate files] {
    say $what $path
}
say "took" "[expr {[clock milliseconds] - $started}] ms"
