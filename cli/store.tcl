# tossl store

::cli::command store {
    "store key"
    "prints a new sealing key, for the file that --seal-key-file names"
    "store reseal"
    "seals the store's keys anew with the first key of --seal-key-file, those that are not sealed yet, too"
    "store copy FROM TO"
    "copies a store into another, and checks what it wrote"
} {store::copy store::reseal} {} {arguments options} {
    set arguments [lassign $arguments action]
    set wanted [dict get {key 0 reseal 0 copy 2 "" -1} [expr {$action in {key reseal copy} ? $action : ""}]]
    if {[llength $arguments] != $wanted} {
        misuse "store needs one of key, reseal and copy FROM TO"
    }
    switch $action {
        key {
            show [dict create key [tossl::store::generate_key]] {} {puts [dict get $result key]}
        }
        reseal {
            show [tossl::store::reseal {*}[fitting store::reseal $options]] {sets number sealed number} {
                line sets [dict get $result sets]
                line "written anew" [dict get $result sealed]
            }
        }
        copy {
            show [tossl::store::copy {*}$arguments {*}[fitting store::copy $options]] {copied number same number} {
                line copied [dict get $result copied]
                line "the same before" [dict get $result same]
            }
        }
    }
}
