# Sourced by pkgIndex.tcl where tossl is in a mounted archive (zipfs, a starkit): no system opens a shared library in
# there, and Python reads none of its files. So they are copied to a folder of the user's cache, once for each content.

namespace eval ::tossl::mounted {}

# Returns the files of a folder and below, relative to it, each with size and time: what tells one content from another.
proc ::tossl::mounted::List {folder {below ""}} {
    set found {}
    foreach path [lsort [glob -nocomplain -directory [file join $folder $below] *]] {
        set name [file join $below [file tail $path]]
        if {[file isdirectory $path]} {
            lappend found {*}[List $folder $name]
        } else {
            lappend found $name [file size $path] [file mtime $path]
        }
    }
    return $found
}

# Returns the cache's folder, which is the user's alone: what is in it is run.
proc ::tossl::mounted::Cache {} {
    global env
    if {[info exists env(XDG_CACHE_HOME)] && [file pathtype $env(XDG_CACHE_HOME)] eq "absolute"} {
        set place $env(XDG_CACHE_HOME)
    } elseif {[info exists env(HOME)] && [file pathtype $env(HOME)] eq "absolute"} {
        set place [file join $env(HOME) .cache]
    } else {
        error "neither XDG_CACHE_HOME nor HOME names a folder"
    }
    set cache [file join $place tossl]
    if {![file isdirectory $cache]} {
        file mkdir $cache
        catch {file attributes $cache -permissions 0700}
    }
    if {$::tcl_platform(platform) eq "unix"} {
        file lstat $cache is
        if {$is(type) ne "directory" || ![file owned $cache] || $is(mode) & 0o022} {
            error "others may write to $cache"
        }
    }
    return $cache
}

# Returns the folder with the copy.
proc ::tossl::mounted::Copy {folder} {
    set content [List $folder]
    if {[file exists [file join $folder SHA256SUMS]]} { ;# of an archive whose files have all one time
        set in [open [file join $folder SHA256SUMS]]
        lappend content [read $in]
        close $in
    }
    set sum [format %08x [zlib crc32 [encoding convertto utf-8 $content]]]
    set copy [file join [Cache] [file tail $folder]-$sum]
    if {![file isdirectory $copy]} {
        set new $copy.[pid].[clock microseconds]
        try {
            file copy -- $folder $new
            if {[catch {file rename -- $new $copy} message] && ![file isdirectory $copy]} {
                error $message
            }
        } finally {
            file delete -force -- $new
        }
    }
    return $copy
}

# Returns the folder to load from.
proc ::tossl::mounted::Unpack {folder} {
    if {[catch {Copy $folder} copy]} {
        return -code error -errorcode {TOSSL TCL} "tossl is in a mounted archive ($folder), and cannot be copied out of it:\
            $copy; let XDG_CACHE_HOME name a folder that this user alone may write to, or put tossl beside the archive"
    }
    return $copy
}
