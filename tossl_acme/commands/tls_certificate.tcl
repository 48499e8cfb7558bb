# tls_certificate.tcl: the certificate that new connections of a listener get, as tcltls reads it.
#
# tcltls reads its files for each connection. They are those of one set, so that key and certificate never come from two:
# the folder of the set in force in the store, whoever put it there. Where the store has no such folders, or its keys are
# sealed, and for a certificate that is in no store, they are files of this process's own.

oo::class create ::tossl::tls::Certificate {
    variable link set options made

    # first: a dict as get_certificate and self_signed return it.
    constructor {first} {
        set made {}
        my use $first
    }

    destructor {
        my Remove $made
    }

    # Gives this certificate to new connections.
    method use {certificate} {
        set before $made
        set made {}
        set set ""
        set link ""
        if {[dict exists $certificate files certificate] && [dict exists $certificate files private_key]} {
            set link [file join [file dirname [dict get $certificate files certificate]] ..data]
        }
        if {[catch {my Follow}]} {
            set link ""
            set own [my Make [dict get $certificate private_key][dict get $certificate certificate]]
            my Show $own $own [my Make [dict get $certificate chain]]
        }
        my Remove $before
    }

    # The options of tls::import that show the certificate in force.
    method options {} {
        if {$link ne ""} {
            my Follow
        }
        return $options
    }

    # Turns to the set in force if it is another.
    method Follow {} {
        set now [file readlink $link]
        if {$now ne $set} {
            set folder [file join [file dirname $link] $now]
            my Show {*}[lmap name {cert.pem privkey.pem chain.pem} {file join $folder $name}]
            set set $now
        }
    }

    # -certfile sends the leaf alone; OpenSSL finds its issuers in -cafile.
    method Show {leaf key chain} {
        set options [list -certfile $leaf -keyfile $key]
        if {[file size $chain]} {
            lappend options -cafile $chain
        }
    }

    method Remove {paths} {
        foreach path $paths {
            ::tossl::call Remove [::tossl::Path $path]
        }
    }

    # A file that only this user can read; it goes with the interpreter, or the process, at the latest.
    method Make {text} {
        set channel [file tempfile path]
        ::tossl::call Keep [::tossl::Path $path]
        lappend made $path
        puts -nonewline $channel $text
        close $channel
        return $path
    }
}
