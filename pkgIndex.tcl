# Tcl loads a library once into an interpreter, and always under one name (that of Tossl_Init). So the second package says
# to what the first has loaded that it is wanted too. Whoever sources this keeps its variables.
apply {folder {
    foreach package {tossl tossl::acme} {
        package ifneeded $package 0.1.0 [list apply {{library package} {
            if {[llength [info commands ::tossl::Require]]} {
                ::tossl::Require $package
            } else {
                namespace eval ::tossl [list variable package $package]
                load $library Tossl
            }
        }} [file join $folder libtossl.so] $package]
    }
}} $dir
