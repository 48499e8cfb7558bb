# exercise.tcl LIBRARY ENDING: every way through the bridge, once or a few times; then the process ends in the middle of
# jobs, as ENDING says. Says "exercised" before. What watches the process tells what is wrong.

lassign $argv library ending
source [file join [file dirname [file dirname [file normalize [info script]]]] tcl environment.tcl]
set library [file normalize $library]
load $library Tossl
package require Thread
interp bgerror {} [list apply {args {}}]

proc exercise {} {
    package require tossl
    values
    errors
    host
}

proc same {is expected} {
    if {$is ne $expected} {
        error "[string range $is 0 200] instead of [string range $expected 0 200]"
    }
}

proc await {variable count} {
    upvar #0 $variable list
    set timer [after 60000 {error "nothing happens any more"}]
    while {[llength $list] < $count} {
        vwait $variable
    }
    after cancel $timer
}

proc values {} {
    set emoji [encoding convertfrom utf-8 \xf0\x9f\x98\x80]
    set samples [list {} a "a\0b" \u00e9\u00ff \u20ac \uffff \ud83d \ude00\ud83d \ud83d\ude00 $emoji x$emoji\ud83d \
        "\{" "\\" [binary format c* {0 127 128 255 192 128}] [string repeat \u00e9 100000] [string repeat a\0 100000]]
    foreach sample $samples {
        same [tossl::probe::echo $sample] $sample
    }
    same [tossl::probe::domains $samples] $samples
    same [tossl::probe::points a\0\u00e9\u20ac$emoji] {97 0 233 8364 128512}
    same [tossl::probe::text {97 0 233 8364 128512 55357}] a\0\u00e9\u20ac$emoji\ud83d
    foreach kind [tossl::probe::kinds] {
        tossl::probe::define ::raw $kind
        catch {::raw $samples}
        catch {::raw}
        rename ::raw {}
    }
    tossl::probe::define ::raw text
    tossl::probe::define ::raw list
    rename ::raw {}
}

proc errors {} {
    foreach kind {argument acme other} {
        catch {tossl::probe::fail $kind -secret sesame}
    }
    catch {::tossl::call}
    catch {::tossl::call no::such}
    catch {tossl::probe::types a b c d}
    catch {tossl::probe::types a -names "\{"}
    catch {tossl::probe::tcl {error message info {A CODE}}}
    catch {tossl::probe::tcl {return -code 7 x}}
    catch {tossl::probe::tcl "unbalanced \{"}
    catch {tossl::probe::tcl {error \ud83d}}
}

proc host {} {
    same [llength [tossl::probe::refusals]] 5
    same [tossl::probe::tcl {tossl::probe::tcl {tossl::probe::echo deep}}] deep
}

proc jobs {} {
    set ::noted {}
    for {set i 0} {$i < 12} {incr i} {
        tossl::probe::wait 0.01 -progress {lappend ::steps} -command {lappend ::noted}
    }
    tossl::probe::wait 0 -command {error background}
    set job [tossl::probe::wait 9 -command {lappend ::noted}]
    after 20 [list tossl::job::cancel $job]
    tossl::probe::wait 9 -timeout 0.02 -command {lappend ::noted}
    await ::noted 14
    foreach job [tossl::job::list] {
        catch {tossl::job::result $job}
    }
}

# A child interpreter, deleted with jobs at work: from outside, in its own call, by its own callback.
proc children {} {
    set parts {values errors host same}
    foreach farewell {{} {tossl::probe::tcl farewell} {tossl::job::configure -parallel 20; tossl::probe::wait 0 -command farewell}
            {rename ::tossl::call {}} {tossl::probe::tcl {rename ::tossl::call {}}}} {
        interp create child
        load $::library Tossl child
        child alias farewell apply {args {interp delete child}}
        foreach part $parts {
            child eval [list proc $part {} [info body $part]]
        }
        child eval {proc same args {}}
        child eval {values; errors; host; tossl::probe::keep; for {set i 0} {$i < 12} {incr i} {tossl::probe::wait 9 -command list}}
        catch {child eval $farewell}
        after 50 {set ::waited 1}
        vwait ::waited
        catch {interp delete child}
        same [tossl::probe::stale] RuntimeError
    }
    interp create -safe safe
    catch {load $::library Tossl safe}
    interp delete safe
}

proc threads {} {
    for {set i 0} {$i < 4} {incr i} {
        lappend threads [thread::create -joinable [format {
            load %1$s Tossl
            for {set n 0} {$n < 50} {incr n} {
                tossl::probe::echo \ud83d\ude00
                catch {tossl::probe::fail acme}
            }
            tossl::job::wait [tossl::probe::wait 0.01 -progress list -command list]
            interp create child
            load %1$s Tossl child
            child eval {tossl::probe::wait 9 -command list}
            tossl::probe::wait 9 -command list
        } [list $::library]]]
    }
    foreach thread $threads {
        thread::join $thread
    }
}

exercise
jobs
children
threads
for {set i 0} {$i < 12} {incr i} {
    tossl::probe::wait 9 -progress list -command list
}
after 50 {set started 1}
vwait started
puts exercised
flush stdout
switch $ending {
    exit {exit 0}
    end {}
    callback {
        tossl::job::configure -parallel 20
        tossl::probe::wait 0 -command {apply {job {exit 0}}}
        vwait forever
    }
    progress {tossl::probe::wait 1 -progress {apply {step {exit 0}}}}
    child {
        interp create child
        load $library Tossl child
        child eval {tossl::probe::wait 9 -command list; exit 0}
    }
    thread {
        thread::create [format {
            load %1$s Tossl
            tossl::probe::wait 9 -command list
            exit 0
        } [list $library]]
        vwait forever
    }
}
