# tossl account

::cli::command account {
    "account show | create | deactivate --directory CA ?--email ADDRESS?"
    "the account of the store's key (or of --account-key-file) at that CA"
} acme::create_account [dict merge $::cli::account_options {
    -email {ADDRESS "a mail address for the account; by default TOSSL_EMAIL of the environment"}
}] {arguments options} {
    set action [lindex $arguments 0]
    if {[llength $arguments] != 1 || $action ni {show create deactivate}} {
        misuse "account needs one of show, create, deactivate"
    }
    set directory [take_directory options]
    set email [take options -email [expr {[info exists ::env(TOSSL_EMAIL)] ? $::env(TOSSL_EMAIL) : ""}]]
    set key [take_account_key options $directory -generate [expr {$action eq "create"}]]
    set account [switch $action {
        show {tossl::acme::get_account $directory $key {*}$options}
        create {tossl::acme::create_account $directory $key $email {*}$options -return_details 1}
        deactivate {
            tossl::acme::deactivate_account $directory $key {*}$options
            dict create status deactivated
        }
    }]
    show [dict filter $account key url status contact] {contact list} {
        dict for {what value} $result {line $what $value}
    }
}
