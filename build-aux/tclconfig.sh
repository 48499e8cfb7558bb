#!/bin/sh
# Prints the path of the tclConfig.sh that belongs to $TCLSH. Tcl 8.6 and 9.0 may be installed beside each other, and
# Debian keeps the file in a separate folder for each architecture and version.
version=$(echo 'puts [info tclversion]' | "$TCLSH") || exit 1
for folder in $(echo 'foreach d [list [::tcl::pkgconfig get libdir,runtime] [file dirname [info library]]] {
    puts [file join $d tcl[info tclversion]]
    puts $d
}' | "$TCLSH"); do
    if grep -qs "^TCL_VERSION='$version'" "$folder/tclConfig.sh"; then
        echo "$folder/tclConfig.sh"
        exit 0
    fi
done
echo "tossl: no tclConfig.sh for Tcl $version ($TCLSH): its development files are not installed" >&2
exit 1
