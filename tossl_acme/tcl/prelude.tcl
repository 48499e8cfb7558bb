# The parts that are written in Tcl. One proc stands in front of each command: it passes its words on unchanged, and
# returns the result with its return options. The tailcall makes the caller see an error that was logged already: after
# a plain `return`, Tcl would add the words of the call, which contain keys, to errorInfo.

namespace eval ::tossl {}

# Adds the missing commands of a package to this interpreter.
proc ::tossl::Require {package} {
    lassign [::tossl::call Require $package] options value
    return -level 0 {*}$options $value
}

proc ::tossl::Define {package version table} {
    foreach command $table {
        lassign $command name arguments script
        set namespace [namespace qualifiers $name]
        if {$namespace ne ""} {
            namespace eval ::tossl::$namespace {}
            lappend commands($namespace) [namespace tail $name]
        }
        if {[string match *::* $namespace]} { ;# an ensemble in another
            lappend commands([namespace qualifiers $namespace]) [namespace tail $namespace]
        }
        if {$script ne ""} {
            DefineScripted $name $script
            continue
        }
        proc ::tossl::$name $arguments [format {
            lassign [::tossl::call %s {*}[lrange [info level 0] 1 end]] options value
            if {$options eq ""} {return $value}
            if {$options eq "wait"} {tailcall ::tossl::Await $value}
            tailcall ::return -level 0 {*}$options $value
        } $name]
    }
    foreach namespace [array names commands] {
        DefineEnsemble ::tossl::$namespace $commands($namespace)
    }
    package provide $package $version
    if {$package eq "tossl"} {
        package provide tossl::acme $version
    }
}

# A namespace as one command, and its commands for `namespace import`: but those that would shadow Tcl's own.
proc ::tossl::DefineEnsemble {namespace commands} {
    if {[namespace ensemble exists $namespace]} {
        lappend commands {*}[namespace ensemble configure $namespace -subcommands]
    }
    set commands [lsort -unique $commands]
    namespace eval $namespace [list namespace ensemble create -command $namespace -subcommands $commands]
    namespace eval $namespace [list namespace export {*}[lmap name $commands {
        expr {$name in {list socket} ? [continue] : $name}
    }]]
}

# A command that is written in Tcl: its file has the proc of the same name with a capital, and is sourced when the command
# is first called, where its variables are none of the script's. Its errors show no words of the call either.
proc ::tossl::DefineScripted {name script} {
    set inner ::tossl::[namespace qualifiers $name]::[string totitle [namespace tail $name]]
    proc ::tossl::$name args [format {
        if {![llength [info commands %1$s]] && [catch {apply {script {source -encoding utf-8 $script} ::} %2$s} value options]} {
            return -options $options $value
        }
        if {[catch {%1$s {*}$args} value options]} {
            set value [string map {%1$s %3$s} $value]
            set trace "$value\n    while executing\n\"%3$s\""
            tailcall ::return -level 0 {*}[dict filter $options key -code -errorcode -tossl] \
                -errorinfo $trace -errorstack {} $value
        }
        return $value
    } $inner [list $script] tossl::$name]
}

# Calls a script back; its error is a background error.
proc ::tossl::Tell args {
    if {[catch {uplevel #0 $args} message options]} {
        after 0 [list ::return -level 0 -options $options $message]
    }
}

# Calls a script back and returns {code result errorcode errorinfo}; its `return` is a result too. The space makes it a
# string: tkinter would make a tuple of a list.
proc ::tossl::Invoke args {
    set code [catch {uplevel #0 $args} message options]
    switch $code {
        0 - 2 {return "[list 0 $message {} {}] "}
        1 {return "[list 1 $message [dict get $options -errorcode] [dict get $options -errorinfo]] "}
        3 {set message "invoked \"break\" outside of a loop"}
        4 {set message "invoked \"continue\" outside of a loop"}
        default {set message "command returned bad code: $code"}
    }
    return "[list 1 $message NONE {}] "
}

# Does nothing. Like any command it runs what is to run at once, such as the scripts of signals, and raises the error of an
# interpreter that is cancelled or has reached its limit.
proc ::tossl::Look {} {}

# Runs one event of another thread; its error is a background error.
proc ::tossl::Ring {} {
    lassign [::tossl::call Step] options message
    if {$options ne ""} {
        after 0 [list ::return -level 0 {*}$options $message]
    }
}

# Runs the event loop until the wait with this number is over; returns or raises its outcome. The loop is here, where a
# vwait that yields (tcllib's coroutine::auto) has no C call below it; it is none of this namespace's, which ends at once
# when a script deletes it, and the wait too.
proc ::tossl::Await {number} {
    tailcall ::apply {number {
        while 1 {
            ::vwait ::tossl::finished
            ::lassign [::tossl::call Awaited $number] options value
            if {$options ne "wait"} {
                tailcall ::return -level 0 {*}$options $value
            }
        }
    } ::} $number
}

# Returns the bytes of this Tcl's name for a file in hexadecimal digits, a space, and the file's absolute path. Tcl 8
# would write "?" for a character that the system encoding lacks: two names would be one file.
proc ::tossl::Path {path} {
    set path [file normalize $path]
    set system [encoding system]
    if {[lindex [file system $path] 0] ne "native"} {
        error "not in the operating system's file system"
    }
    if {[catch {encoding convertto $system $path} bytes] || [encoding convertfrom $system $bytes] ne $path} {
        error "the system encoding, $system, has not all of its characters"
    }
    if {[string first \0 $bytes] >= 0} {
        error "it holds a NUL character"
    }
    return "[binary encode hex $bytes] $path"
}

proc ::tossl::PathWord {digits} {
    return [encoding convertfrom [encoding system] [binary decode hex $digits]]
}
