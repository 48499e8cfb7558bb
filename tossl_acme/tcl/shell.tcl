# Does tclsh's work around a script, for `python -m tossl_acme`; apart from ::tossl, which a script may delete.

namespace eval ::tossl_shell {}

proc ::tossl_shell::Prepare {script words interactive version} {
    set ::argv0 $script
    set ::argv $words
    set ::argc [llength $words]
    set ::tcl_interactive $interactive
    foreach package {tossl tossl::acme tossl::testing} {
        package ifneeded $package $version [list ::tossl_shell::Register $package]
    }
    # tkinter removes `exit`; a child interpreter still has it.
    interp create ::tossl_shell::leaver
    interp hide ::tossl_shell::leaver exit
}

proc ::exit {{returnCode 0}} {
    if {![string is integer -strict $returnCode]} {
        return -code error -errorcode {TCL VALUE NUMBER} "expected integer but got \"$returnCode\""
    }
    ::tossl_shell::End $returnCode
}

proc ::tossl_shell::End {status} {
    ::tossl_shell::Leave
    interp invokehidden ::tossl_shell::leaver exit $status
}

# Tells that the script failed, or could not be read, which leaves no trace.
proc ::tossl_shell::Tell {message} {
    if {[info exists ::errorInfo] && [string first $message $::errorInfo] == 0} {
        set message $::errorInfo
    }
    puts stderr $message
}

# Runs commands from standard input; reports an error, and goes on with the next command.
proc ::tossl_shell::Converse {} {
    set command ""
    Prompt tcl_prompt1 "% "
    while {[gets stdin line] >= 0} {
        append command $line \n
        if {![info complete $command]} {
            Prompt tcl_prompt2 ""
            continue
        }
        Evaluate [string range $command 0 end-1]
        set command ""
        Prompt tcl_prompt1 "% "
    }
}

proc ::tossl_shell::Evaluate {command} {
    if {[catch {uplevel #0 $command} result]} {
        puts stderr $result
    } elseif {[IsInteractive] && $result ne ""} {
        puts $result
    }
}

proc ::tossl_shell::Prompt {variable default} {
    if {![IsInteractive]} {
        return
    }
    if {![info exists ::$variable]} {
        puts -nonewline $default
    } elseif {[catch {uplevel #0 [set ::$variable]} message]} {
        puts stderr $message
        puts -nonewline $default
    }
    flush stdout
}

# Scripts may set it to anything.
proc ::tossl_shell::IsInteractive {} {
    return [expr {[info exists ::tcl_interactive] && [string is true -strict $::tcl_interactive]}]
}
