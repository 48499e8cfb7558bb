# issue.tcl DIRECTORY CA_BUNDLE WEBROOT STORE NAMES ?NAMES ...?: gets a certificate for each list of names, one after the
# other in one process. Prints the milliseconds of each, and the peak of the memory in MB.

package require tossl

lassign $argv directory ca_bundle webroot store
foreach names [lrange $argv 4 end] {
    set began [clock microseconds]
    tossl::acme::obtain_certificate $names -directory $directory -ca_bundle $ca_bundle -webroot $webroot -store $store \
        -force [info exists ::env(BENCH_FORCE)]
    puts [format "%.1f ms" [expr {([clock microseconds] - $began) / 1000.0}]]
}
set file [open /proc/self/status]
regexp {VmHWM:\s+(\d+)} [read $file] -> kilobytes
puts "peak [expr {$kilobytes / 1024.0}]"
