# tossl obtain

::cli::command obtain {
    "obtain DOMAIN ?DOMAIN ...? --directory CA --webroot DIR | --port N | --provider P"
    "a certificate for these names, unless it is held; its files are kept in the store"
} acme::obtain_certificate {
    -csr_file {FILE "a file with the certificate request, instead of its text in -csr"}
} {names options} {
    set file [take_place options -csr_file]
    if {$file ne ""} {
        if {[dict exists $options -csr]} {
            misuse "give only one of --csr and --csr-file"
        }
        dict set options -csr [read_file $file]
    }
    if {![llength $names] && ![dict exists $options -csr]} {
        misuse "obtain needs a name"
    }
    set certificate [tossl::acme::obtain_certificate [host_names $names] {*}$options -progress ::cli::progress]
    end_line
    show_warnings $certificate
    show_kept $certificate
}
