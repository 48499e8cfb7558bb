# upgrade.tcl: the store of 0.1.0 in this home: its certificate is found, and renewed with its account. Prints what it did,
# or fails.
set file [open [lindex [glob $env(HOME)/.local/share/tossl/accounts/*/key.pem] 0]]
set old_key [string trim [read $file]]
close $file

package require tossl
set options [list -directory $env(TOSSL_TEST_DIRECTORY) -ca_bundle $env(TOSSL_TEST_CA_BUNDLE) \
    -port $env(TOSSL_TEST_HTTP_PORT) -email admin@example.com]
set names {old.example.com www.old.example.com}

proc expect {what is wanted} {
    if {$is ne $wanted} {
        error "$what: $is, not $wanted"
    }
}

set listed [tossl::acme::list_certificates]
expect names [lmap one $listed {dict get $one domains}] [list $names]
set serial [dict get [lindex $listed 0] serial]
expect key [string trim [tossl::acme::get_account_key $env(TOSSL_TEST_DIRECTORY)]] $old_key
# What 0.1.0 called each time gets what is held; renewed, it has a new serial number.
set held [tossl::acme::obtain_certificate $names {*}$options]
expect held [list [dict get $held issued] [dict get $held serial]] [list 0 $serial]
set first [tossl::acme::obtain_certificate $names {*}$options -force 1]
set second [tossl::acme::renew_certificate old.example.com -force 1]
expect different [llength [lsort -unique [list $serial [dict get $first serial] [dict get $second serial]]]] 3
expect key [string trim [tossl::acme::get_account_key $env(TOSSL_TEST_DIRECTORY)]] $old_key
puts "  the store of 0.1.0: found, held, renewed"
