# use.tcl: what every installation must do: load, make keys, get certificates from the CA of the tests, keep them. Prints
# what it did, or fails.
puts "Tcl [info patchlevel], tossl [package require tossl]"
foreach type {ec rsa ed25519} {
    puts "  $type: [string range [dict get [tossl::key::generate -type $type] private] 0 26]"
}
if {![info exists env(TOSSL_TEST_DIRECTORY)]} {
    exit
}
set options [list -directory $env(TOSSL_TEST_DIRECTORY) -ca_bundle $env(TOSSL_TEST_CA_BUNDLE) \
    -port $env(TOSSL_TEST_HTTP_PORT)]
set names [list [clock microseconds].example.com]
set certificate [tossl::acme::obtain_certificate $names {*}$options]
puts "  [dict get $certificate domains] of [dict get $certificate issuer]"
set held [tossl::acme::obtain_certificate $names {*}$options]
if {[dict get $held serial] ne [dict get $certificate serial] || ![file exists [dict get $held files fullchain]]} {
    error "the certificate is not kept"
}
# Without the tests' CA the roots are those of this system, or certifi's: they do not know it.
set said [tossl::http::get $env(TOSSL_TEST_DIRECTORY)]
if {![string match "*certificate*" [dict get $said error_message]]} {
    error "that server is not trusted: $said"
}
puts "  untrusted: [dict get $said error_message]"
