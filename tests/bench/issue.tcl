# issue.tcl COUNT: gets COUNT certificates in one process and prints the milliseconds of each.
package require tossl
set account_key [dict get [tossl::key::generate -type ec] private]
set options [list -ca_bundle $env(TOSSL_TEST_CA_BUNDLE) -account_key $account_key {*}[lrange $argv 1 end]]
for {set number 0} {$number < [lindex $argv 0]} {incr number} {
    set began [clock microseconds]
    tossl::acme::obtain_certificate bench$number.example.com -directory $env(TOSSL_TEST_DIRECTORY) \
        -port $env(TOSSL_TEST_HTTP_PORT) {*}$options
    puts [format "%.1f ms" [expr {([clock microseconds] - $began) / 1000.0}]]
}
