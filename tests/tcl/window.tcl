# window.tcl EXAMPLE ?SCREENSHOT? -- ?ARG ...?: shows the example's window, says what it shows at the end, and closes it.

set words $argv
set split [lsearch -exact $words --]
lassign [lrange $words 0 $split-1] example screenshot
set argv [lrange $words $split+1 end]
set argc [llength $argv]
source $example

set pictured 0
trace add variable ::step write picture
proc picture {args} {
    if {$::screenshot ne "" && !$::pictured && $::step eq "certificate"} {
        set ::pictured 1
        after idle {update; exec import -window [wm frame .] $::screenshot}
    }
}

while {$step ni {done failed}} {
    vwait step
}
update
puts [list $step $result [.bar cget -value] [.close cget -state] [winfo ismapped .bar]]
exit
