# tossl help

::cli::command help {
    "help ?COMMAND?"
    "the package's commands"
} {} {} {arguments options} {
    if {[llength $arguments] > 1} {
        misuse "help takes the name of one command"
    }
    puts [tossl::help {*}$arguments]
}
