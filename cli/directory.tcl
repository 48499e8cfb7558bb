# tossl directory

::cli::command directory {
    "directory ?CA?"
    "a CA's directory"
} acme::directory {
    -directory {URL "the CA, where it is not the argument; by default TOSSL_DIRECTORY of the environment"}
} {arguments options} {
    if {[llength $arguments] > 1} {
        misuse "directory takes one directory URL or short name of a CA"
    }
    set directory [expr {[llength $arguments] ? [lindex $arguments 0] : [take_directory options]}]
    show [tossl::acme::directory $directory {*}[dict remove $options -directory]] {
        meta {dict {caaIdentities list profiles dict externalAccountRequired number subdomainAuthAllowed number}}
    } {
        dict for {what value} $result {line $what $value}
    }
}
