# dispatcher.tcl: microseconds for `package require tossl`, for the first command that goes to the CA and for one call
# through the dispatcher (a command that touches no network).
set began [clock microseconds]
package require tossl
set loaded [clock microseconds]
tossl::acme::directory $env(TOSSL_TEST_DIRECTORY) -ca_bundle $env(TOSSL_TEST_CA_BUNDLE)
set first [clock microseconds]
set calls 10000
set each [lindex [time {tossl::job::list} $calls] 0]
puts [format "%.1f ms to load, %.1f ms for the first command, %.1f us for a call" \
    [expr {($loaded - $began) / 1000.0}] [expr {($first - $loaded) / 1000.0}] $each]
