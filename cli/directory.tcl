# tossl directory

::cli::command directory {
    "directory CA"
    "a CA's directory"
} acme::directory {} {arguments options} {
    if {[llength $arguments] != 1} {
        misuse "directory needs a directory URL or a CA's short name"
    }
    show [tossl::acme::directory [lindex $arguments 0] {*}$options] {meta dict} {
        dict for {what value} $result {line $what $value}
    }
}
