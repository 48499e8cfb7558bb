# tossl account

::cli::command account {
    "account show | create | deactivate --directory CA ?--email ADDRESS?"
    "the account of the store's key (or of --account-key-file) at that CA"
} acme::create_account $::cli::new_account_options {arguments options} {
    set action [lindex $arguments 0]
    if {[llength $arguments] != 1 || $action ni {show create deactivate}} {
        misuse "account needs one of show, create, deactivate"
    }
    set directory [take_directory options]
    set email [take_email options]
    set key [take_account_key options $directory -generate [expr {$action eq "create"}]]
    set account [switch $action {
        show {tossl::acme::get_account $directory $key {*}[fitting acme::get_account $options]}
        create {
            tossl::acme::create_account $directory $key $email {*}[fitting acme::create_account $options] -return_details 1
        }
        deactivate {
            tossl::acme::deactivate_account $directory $key {*}[fitting acme::deactivate_account $options]
            dict create status deactivated
        }
    }]
    show [dict filter $account key url status contact] {contact list} {
        dict for {what value} $result {line $what $value}
    }
}
