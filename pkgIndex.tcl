# Tcl loads a library once into an interpreter, and always under one name (that of Tossl_Init). So the second package says
# to what the first has loaded that it is wanted too. Each Tcl has a library. Whoever sources this keeps its variables.
apply {folder {
    set mine libtossl
    set other libtcl9tossl
    if {[package vsatisfies [info tclversion] 9]} {
        lassign [list $mine $other] other mine
    }
    if {$::tcl_platform(platform) eq "windows"} {
        lassign [string map {lib {}} [list $mine $other]] mine other
    }
    foreach package {tossl tossl::acme tossl::testing} {
        package ifneeded $package 0.2.0 [list apply {{folder mine other package} {
            if {[llength [info commands ::tossl::Require]]} {
                ::tossl::Require $package
                return
            }
            if {[interp issafe]} {
                return -code error -errorcode {TOSSL SAFE} "package tossl cannot be loaded into a safe interpreter"
            }
            if {![file exists [file join $folder $mine]]} {
                return -code error -errorcode {TOSSL TCL} "tossl in $folder is not built for Tcl [info tclversion]:\
                    $mine is not there[expr {[file exists [file join $folder $other]] ? ", only $other" : ""}]; install\
                    a tossl for it, or build it: make TCLSH=[file tail [info nameofexecutable]]"
            }
            if {[lindex [file system $folder] 0] ne "native"} {
                source [file join $folder mounted.tcl]
                set folder [::tossl::mounted::Unpack $folder]
            }
            namespace eval ::tossl [list variable package $package]
            if {[catch {load [file join $folder $mine] Tossl} message options]} {
                if {[lindex [dict get $options -errorcode] 0] ne "TOSSL"} {
                    append message "; it must be readable, whole, of this machine's architecture ($::tcl_platform(machine)),\
                        and on a disk that allows programs (not mounted noexec)"
                    dict set options -errorcode {TOSSL TCL}
                }
                return -options $options $message
            }
            if {![llength [info commands ::tossl::Require]]} { ;# it is loaded, and a script has deleted the namespace
                interp invokehidden {} tossl_again $package
            }
        }} $folder $mine[info sharedlibextension] $other[info sharedlibextension] $package]
    }
}} $dir
