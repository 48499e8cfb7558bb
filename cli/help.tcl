# tossl help

::cli::command help {
    "help ?COMMAND?"
    "this, or a command with its options and their texts; or one of the package's commands, or a DNS provider"
} {} {} {arguments options} {
    if {[llength $arguments] > 1} {
        misuse "help takes the name of one command"
    }
    lassign $arguments name
    if {$name eq ""} {
        puts [usage]
    } elseif {$name in $::cli::commands} {
        puts [command_usage $name]
    } else {
        puts [package_help $name]
    }
}

proc ::cli::package_help {name} {
    try {
        return [tossl::help $name]
    } trap {TOSSL VALUE command} message {
        misuse "[regsub {: tossl::help without.*} $message {}]: tossl help lists those of the terminal, tossl help tossl\
            those of the package"
    }
}
