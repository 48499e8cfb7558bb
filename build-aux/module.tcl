# Tcl finds a module by its name, without the indexes of all packages. How the package is loaded, its own index says. Where
# another tossl stands before this one in auto_path, as by TCLLIBPATH, that one is taken, as without modules.
apply {{package version} {
    set folder [file dirname [file normalize [file join [info script] -]]] ;# behind links
    foreach level [split [string map {:: :} $package] :] {
        set folder [file dirname $folder]
    }
    set dir [file dirname $folder]
    source [file join $dir pkgIndex.tcl]
    set at [lsearch -exact $::auto_path $dir]
    if {$at < 0} {
        set at [lsearch -exact $::auto_path [file dirname $dir]]
    }
    foreach place [lreverse [lrange $::auto_path 0 $at-1]] {
        foreach found [glob -nocomplain -directory $place libtossl* libtcl9tossl* tossl*/pkgIndex.tcl] {
            set dir [file dirname $found]
            catch {source [file join $dir pkgIndex.tcl]}
        }
    }
    uplevel #0 [package ifneeded $package $version]
}} PACKAGE VERSION
