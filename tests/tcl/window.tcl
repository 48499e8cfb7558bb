# window.tcl EXAMPLE NAMES ?SCREENSHOT? -- ?ARG ...?: shows the example's window, presses the button of each name, one after
# the other, and waits for the end. Prints a line for each: how much of its life was drawn as past, and where the due mark
# was, in hundredths of the bar; how the progress grew; and the state that is shown then.

set words $argv
set split [lsearch -exact $words --]
lassign [lrange $words 0 $split-1] example names screenshot
set argv [lrange $words $split+1 end]
set argc [llength $argv]
source $example
update

proc at {tag index} {
    return [lindex [.lives coords $tag] $index]
}

# In hundredths of the bar.
proc share {name x} {
    return [expr {round(100.0 * ($x - [at left-$name 0]) / ([at left-$name 2] - [at left-$name 0]))}]
}

proc watch {name args} {
    if {![info exists ::renewals($name)]} {
        set ::ended 1
        return
    }
    after idle [list note $name]
}

proc note {name} {
    update idletasks
    if {![info exists ::renewals($name)]} return
    lappend ::grown [expr {[at work-$name 2] - [at work-$name 0]}]
    if {$::screenshot ne "" && [lindex $::renewals($name) 2] eq "validated"} {
        exec import -window [wm frame .] $::screenshot
    }
}

foreach name $names {
    set drawn [list [share $name [at past-$name 2]] [share $name [expr {[at due-$name 0] + 1}]]]
    set button .lives.renew[string map {. _} $name]
    set grown {}
    trace add variable renewals($name) {write unset} [list watch $name]
    $button invoke
    set during [$button cget -text]
    vwait ended
    update
    puts [list $name $drawn $during [expr {$grown eq [lsort -real $grown] && [llength [lsort -unique $grown]] > 2}] \
        [$button cget -text] [.lives itemcget state-$name -text] [share $name [at past-$name 2]]]
}
exit
