# Tcl finds a module by its name, without the indexes of all packages. How the package is loaded, its own index says. Where
# another tossl stands before this one in auto_path, as by TCLLIBPATH, that one is taken, as without modules.
apply {{package version} {
    if {[interp issafe]} {
        return -code error -errorcode {TOSSL SAFE} "package tossl cannot be loaded into a safe interpreter"
    }
    set follow {path {file dirname [file normalize [file join $path -]]}} ;# links
    set read {dir {source [file join $dir pkgIndex.tcl]}} ;# which may change any variable but these
    set dir [file dirname [apply $follow [info script]]]
    foreach part [file split [string map {:: /} $package]] {
        set dir [file dirname $dir]
    }
    set old [package ifneeded $package $version] ;# that is this script
    package ifneeded $package $version {}
    if {[catch {apply $read $dir} message] || [package ifneeded $package $version] eq ""} {
        package ifneeded $package $version $old
        return -code error -errorcode {TOSSL TCL} "[info script] leads to [file join $dir pkgIndex.tcl], which does not load\
            $package $version[expr {$message eq "" ? "" : ": $message"}]; install tossl again, and let links lead to its\
            modules, no copies"
    }
    set places {}
    catch {set places [lrange $::auto_path 0 end]} ;# a list, if it is one
    set at 0
    foreach place $places {
        if {![catch {apply $follow $place} path] && $path in [list $dir [file dirname $dir]]} break
        incr at
    }
    if {$at == [llength $places]} {
        set at 0
    }
    set end [info sharedlibextension]
    foreach place [lreverse [lrange $places 0 $at-1]] {
        set found {}
        catch {set found [glob -nocomplain -directory $place tossl*/pkgIndex.tcl libtossl$end libtcl9tossl$end]}
        foreach path $found {
            catch {apply $read [file dirname $path]}
        }
    }
    uplevel #0 [package ifneeded $package $version]
}} PACKAGE VERSION
