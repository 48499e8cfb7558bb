#!/bin/sh
# tclconfig.sh [all]: prints the path of the tclConfig.sh that belongs to $TCLSH; with `all` also that of the other Tcl, 8.6
# or 9, if it is there. They may be installed beside each other, and Debian keeps the file in a separate folder for each
# architecture and version.

# of TCLSH: its version, then folders where its tclConfig.sh may be
ask() {
    echo 'puts [info tclversion]
        foreach d [list [::tcl::pkgconfig get libdir,runtime] [file dirname [info library]]] {
            puts [file join $d tcl[info tclversion]]
            puts $d
        }' | "$1"
}

# find VERSION-PATTERN, folders from standard input: prints the first tclConfig.sh of such a version
find_config() {
    while IFS= read -r folder; do
        if grep -qs "^TCL_VERSION='$1'" "$folder/tclConfig.sh"; then
            echo "$folder/tclConfig.sh"
            return 0
        fi
    done
    return 1
}

answer=$(ask "$TCLSH") || exit 1
version=$(echo "$answer" | head -n 1)
if ! config=$(echo "$answer" | tail -n +2 | find_config "$version"); then
    echo "tossl: no tclConfig.sh for Tcl $version ($TCLSH): its development files are not installed" >&2
    exit 1
fi
echo "$config"
[ "${1:-}" = all ] || exit 0

# The other: that of a tclsh with its version in its name, else beside the first.
case $version in 8.*) others='9.0 9.1' pattern='9\.[0-9]*' ;; *) others=8.6 pattern='8\.6' ;; esac
for other in $others; do
    if command -v "tclsh$other" >/dev/null && answer=$(ask "tclsh$other" 2>/dev/null) &&
        echo "$answer" | tail -n +2 | find_config "$pattern"; then
        exit 0
    fi
done
beside=$(dirname "$(dirname "$config")")
for other in $others; do
    echo "$beside/tcl$other"
done | find_config "$pattern" || true
