#!/usr/bin/env tclsh
# steps.tcl DIRECTORY NAME WEBROOT ?-ca_bundle file?
#
# Gets a certificate one command at a time, as RFC 8555 describes it: account, order, authorization, challenge, finalize,
# certificate. tossl::acme::obtain_certificate does all of this in one call; the single steps are for scripts that do a
# step in their own way.

package require tossl

if {$argc < 3} {
    puts stderr "usage: steps.tcl DIRECTORY NAME WEBROOT ?-ca_bundle file?"
    exit 2
}
set trust [lassign $argv directory name webroot]

# An account is a key that the CA knows. Keep it secret: it controls the account.
set account_key [dict get [tossl::key::generate -type ec] private]
puts [tossl::acme::create_account $directory $account_key "" {*}$trust]

set order [tossl::acme::create_order $directory $account_key [list $name] {*}$trust -return_details 1]
puts "order [dict get $order url] is [dict get $order status]"

# Each name has an authorization, and each authorization offers challenges: one of them must be solved.
foreach authorization [dict get $order authorizations] {
    if {[dict get $authorization status] eq "valid"} continue
    set domain [dict get $authorization identifier value]
    foreach challenge [dict get $authorization challenges] {
        if {[dict get $challenge type] eq "http-01"} break
    }
    set token [dict get $challenge token]
    tossl::acme::http01_challenge $domain $token $account_key -webroot $webroot
    try {
        tossl::acme::answer_challenge $directory $account_key [dict get $challenge url] {*}$trust
        tossl::acme::wait_authorization $directory $account_key [dict get $authorization url] {*}$trust
        puts "$domain is proven"
    } finally {
        tossl::acme::cleanup_challenge $domain $token $account_key
    }
}

# The certificate's key must differ from the account's.
set key [dict get [tossl::key::generate -type ec] private]
tossl::acme::finalize_order $directory $account_key [dict get $order url] -private_key $key {*}$trust
set order [tossl::acme::wait_order $directory $account_key [dict get $order url] {*}$trust]
set certificate [tossl::acme::download_certificate $directory $account_key [dict get $order certificate] {*}$trust]

puts "issued by [dict get $certificate issuer]"
puts "valid until [clock format [dict get $certificate not_after]]"
