# What is better said in Tcl. One proc stands in front of each command: it hands over its words as they were given, and
# returns what came back, with the return options that came with it. The tailcall makes the caller see an error that was
# logged already: from a plain `return`, Tcl would add the words of the call, which hold keys, to errorInfo.

namespace eval ::tossl {}

# Gives this interpreter the commands of a package, as far as it has them not yet.
proc ::tossl::Require {package} {
    lassign [::tossl::call Require $package] options value
    return -level 0 {*}$options $value
}

proc ::tossl::Define {package version table} {
    foreach command $table {
        lassign $command name arguments
        set namespace [namespace qualifiers $name]
        if {$namespace ne ""} {
            namespace eval ::tossl::$namespace {namespace export {[a-z]*}; namespace ensemble create}
        }
        proc ::tossl::$name $arguments [format {
            lassign [::tossl::call %s {*}[lrange [info level 0] 1 end]] options value
            if {$options eq ""} {return $value}
            tailcall ::return -level 0 {*}$options $value
        } $name]
    }
    package provide $package $version
    if {$package eq "tossl"} {
        package provide tossl::acme $version
    }
}

# A callback whose error goes where a background error goes.
proc ::tossl::Tell args {
    if {[catch {uplevel #0 $args} message options]} {
        after 0 [list ::return -level 0 -options $options $message]
    }
}

# Jobs ring through a pipe. Its end for writing is duplicated by the other side, which knows it by its number.

proc ::tossl::Listen {} {
    variable pipe [chan pipe]
    fconfigure [lindex $pipe 0] -blocking 0 -buffering none -translation binary
    fileevent [lindex $pipe 0] readable [list ::tossl::Ring [lindex $pipe 0]]
    return [string range [lindex $pipe 1] 4 end]
}

proc ::tossl::Listening {} {
    variable pipe
    close [lindex $pipe 1]
}

proc ::tossl::Ring {in} {
    read $in 1
    if {[eof $in]} {
        close $in
        return
    }
    lassign [::tossl::call Step] options message
    if {$options ne ""} {
        after 0 [list ::return -level 0 {*}$options $message]
    }
}

# Whether the pipe is there. Where the script closed it, another channel may have its name by now.
proc ::tossl::IsListening {} {
    variable pipe
    set in [lindex $pipe 0]
    return [expr {![catch {fileevent $in readable} script] && $script eq [list ::tossl::Ring $in]}]
}

proc ::tossl::Unlisten {} {
    variable pipe
    if {[IsListening]} {
        close [lindex $pipe 0]
    }
}

# Runs the event loop until some job is finished, or for so long.
proc ::tossl::Await {milliseconds} {
    set timer [after $milliseconds {set ::tossl::finished {}}]
    vwait ::tossl::finished
    after cancel $timer
}

# The bytes by which this Tcl names a file, in hexadecimal digits, a space, and its absolute path. Tcl 8 would take "?" for
# a character that the system encoding has not: two names would be one file.
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
