# tossl revoke

::cli::command revoke {
    "revoke FILE --directory CA ?--reason WORD?"
    "revokes the certificate in a PEM file"
} acme::revoke_certificate $::cli::account_options {files options} {
    if {[llength $files] != 1} {
        misuse "revoke needs the file of one certificate"
    }
    set certificate [read_file [lindex $files 0]]
    set directory [take_directory options]
    set key [take_account_key options $directory]
    tossl::acme::revoke_certificate $directory $key $certificate {*}[fitting acme::revoke_certificate $options]
    show [dict create revoked [lindex $files 0]] {} {line revoked [dict get $result revoked]}
}
