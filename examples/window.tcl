#!/usr/bin/env wish
# window.tcl ?-store FOLDER?
#
# The certificates of a store in a window: the life of each as a bar from its issue to its end, full up to now, with a mark
# where it is due; and a button that renews it, with the progress of that.

package require Tk
package require tossl

set store $argv
set certificates {}
set trouble ""
# Of the renewals that run, by the certificate's name: the job, how many steps it has told of, and the last one.
array set renewals {}
# What became of the last one of a name, if it failed.
array set failures {}

array set colour {
    good #2da44e  soon #d4880f  bad #cf3a30  left #e4e7eb  mark #24292f  text #24292f  faint #6e7781  work #2f81d7
}
set row 70
set left 230
set right 130

wm title . "tossl"
ttk::style theme use clam
wm minsize . 640 200
font create name {*}[font actual TkDefaultFont] -weight bold
font create small {*}[font actual TkDefaultFont] -size 8
canvas .lives -background white -highlightthickness 0 -width 860 -height 440 -yscrollcommand scrolled
ttk::scrollbar .scroll -command {.lives yview}
grid .lives .scroll -sticky nsew
grid columnconfigure . 0 -weight 1
grid rowconfigure . 0 -weight 1
bind .lives <Configure> draw

# The scrollbar is there where it is needed.
proc scrolled {first last} {
    .scroll set $first $last
    if {$first <= 0 && $last >= 1} {grid remove .scroll} else {grid .scroll}
}

# Reads the store now and once a minute. It sends nothing.
proc look {} {
    after cancel look
    after 60000 look
    set ::trouble ""
    if {[catch {tossl::acme::list_certificates {*}$::store} ::certificates]} {
        lassign [list $::certificates {}] ::trouble ::certificates
    }
    draw
}

# {colour text}, the worst first.
proc state_of {one} {
    set now [clock seconds]
    set name [dict get $one name]
    if {[dict exists $one damaged]} {
        return [list bad "damaged: [dict get $one damaged]"]
    } elseif {[info exists ::failures($name)]} {
        return [list bad $::failures($name)]
    } elseif {[dict get $one revoked]} {
        return {bad revoked}
    } elseif {[dict get $one not_after] <= $now} {
        return {bad expired}
    } elseif {[dict size [dict get $one last_error]]} {
        return [list soon "failed: [dict get $one last_error message]"]
    } elseif {[dict get $one due] <= $now} {
        return {soon "due now"}
    }
    return [list good "valid, due in [span [expr {[dict get $one due] - $now}]]"]
}

proc span {seconds} {
    return [expr {$seconds >= 172800 ? "[expr {$seconds / 86400}] days" : "[expr {$seconds / 3600}] hours"}]
}

proc day {time} {
    return [clock format $time -format %Y-%m-%d]
}

# ---- what is drawn ----

proc draw {} {
    .lives delete drawn
    if {$::trouble ne ""} {
        write 20 24 bad $::trouble small
        return
    }
    write 20 24 text "[llength $::certificates] certificates" name
    draw_legend
    set y 50
    foreach one $::certificates {
        draw_certificate $one $y
        incr y $::row
    }
    .lives configure -scrollregion [list 0 0 [winfo width .lives] $y]
}

proc write {x y colour text font args} {
    .lives create text $x $y -anchor w -fill $::colour($colour) -text $text -font $font -tags drawn {*}$args
}

proc box {x y until height colour args} {
    .lives create rectangle $x $y $until [expr {$y + $height}] -fill $::colour($colour) -width 0 -tags [list drawn {*}$args]
}

proc draw_legend {} {
    set x $::left
    foreach {colour width text} {good 26 "issued until now" left 26 "left until the end" mark 2 "due"} {
        box $x 18 [expr {$x + $width}] 12 $colour
        write [incr x [expr {$width + 6}]] 24 faint $text small
        incr x [expr {[font measure small $text] + 20}]
    }
}

proc draw_certificate {one y} {
    set name [dict get $one name]
    lassign [state_of $one] colour text
    set state [list $colour [expr {[string length $text] > 90 ? "[string range $text 0 86]..." : $text}]]
    if {[info exists ::renewals($name)]} {
        set state [list work [lindex $::renewals($name) 2]]
    }
    write 20 [expr {$y + 11}] text $name name
    write 20 [expr {$y + 28}] {*}$state small -width [expr {$::left - 40}] -anchor nw -tags [list drawn state-$name]
    .lives create line 20 [expr {$y + 62}] [expr {[winfo width .lives] - 20}] [expr {$y + 62}] -fill $::colour(left) -tags drawn
    if {![dict exists $one damaged]} {
        draw_life $one $y $colour
        draw_button $one $y
    }
}

# From the issue to the end, full up to now.
proc draw_life {one y colour} {
    set name [dict get $one name]
    set end [expr {[winfo width .lives] - $::right}]
    lassign [lmap time [list [clock seconds] [dict get $one due]] {position $one $time $end}] now due
    box $::left $y $end 22 left left-$name
    box $::left $y $now 22 $colour past-$name
    box [expr {$due - 1}] [expr {$y - 4}] [expr {$due + 1}] 30 mark due-$name
    if {[info exists ::renewals($name)]} {
        set done [expr {min([lindex $::renewals($name) 1], 9) / 10.0}]
        box $::left [expr {$y + 34}] $end 6 left
        box $::left [expr {$y + 34}] [expr {$::left + ($end - $::left) * $done}] 6 work work-$name
        return
    }
    write $::left [expr {$y + 36}] faint [day [dict get $one not_before]] small
    write $end [expr {$y + 36}] faint [day [dict get $one not_after]] small -anchor e
    if {$due - $::left > 110 && $end - $due > 110} {
        write $due [expr {$y + 36}] faint "due [day [dict get $one due]]" small -anchor center
    }
}

# Where a time is on the bar.
proc position {one time end} {
    set from [dict get $one not_before]
    set share [expr {($time - $from) / double(max(1, [dict get $one not_after] - $from))}]
    return [expr {$::left + ($end - $::left) * min(1.0, max(0.0, $share))}]
}

proc draw_button {one y} {
    set name [dict get $one name]
    set button .lives.renew[string map {. _} $name]
    if {![winfo exists $button]} {
        ttk::button $button -width 8
    }
    if {[info exists ::renewals($name)]} {
        $button configure -text Cancel -command [list tossl::job::cancel [lindex $::renewals($name) 0]]
    } else {
        $button configure -text Renew -command [list renew $name]
    }
    $button state [expr {[dict get $one renewable] ? "!disabled" : "disabled"}]
    .lives create window [expr {[winfo width .lives] - 20}] [expr {$y + 12}] -anchor e -window $button -tags drawn
}

# ---- a renewal ----

proc renew {name} {
    unset -nocomplain ::failures($name)
    set job [tossl::acme::renew_certificate $name -force 1 {*}$::store -command [list done $name] -progress [list step $name]]
    set ::renewals($name) [list $job 0 "asking the CA"]
    draw
}

proc step {name progress} {
    lassign $::renewals($name) job steps
    set ::renewals($name) [list $job [incr steps] [string map {_ " "} [dict get $progress step]]]
    draw
}

proc done {name job} {
    unset ::renewals($name)
    if {[catch {tossl::job::result $job} message]} {
        set ::failures($name) $message
    }
    tossl::job::forget $job
    look
}

look
