# What is better said in Tcl. One proc stands in front of each command: it hands over its words as they were given, and
# returns what came back, with the return options that came with it. The tailcall makes the caller see an error that was
# logged already: from a plain `return`, Tcl would add the words of the call, which hold keys, to errorInfo.

namespace eval ::tossl {}

proc ::tossl::Define {package version table} {
    foreach command $table {
        lassign $command name arguments
        set namespace ::tossl::[namespace qualifiers $name]
        namespace eval $namespace {namespace export {[a-z]*}; namespace ensemble create}
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
