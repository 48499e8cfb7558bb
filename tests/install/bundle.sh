#!/bin/sh
# bundle.sh: tries the archive that `make bundle` made where nothing is but tclsh and the C library: no Python, compiler,
# openssl, ca-certificates; as root and as an ordinary user, in folders of several names, unpacked by another tar.
set -eu
. tests/install/chroots.sh
archive=$(echo "$PWD"/build/dist/tossl-*-linux-*.tar.xz)
name=$(basename "$archive" .tar.xz)

# try PLACE: unpacks and uses it, with the store in the home, and removes it
try() {
    say "$name in $1, user ${user:-0}, $tclsh of $release"
    mkdir -p "$root$1" "$root${home:-/root}"
    chown -R "${user:-0}:${user:-0}" "$root${home:-/root}"
    inside busybox tar -xJf "/tmp/$name.tar.xz" -C "$1" || stop "cannot unpack it"
    inside busybox sh -c 'cd "$1" && busybox sha256sum -c -s SHA256SUMS' sh "$1/$name" || stop "checksums differ"
    TCLLIBPATH="{$1}" inside "$tclsh" /tmp/use.tcl
    export TCL8_6_TM_PATH="$1/$name/modules" TCL9_0_TM_PATH="$1/$name/modules"
    TCLLIBPATH=/tmp/searched inside "$tclsh" /tmp/use.tcl
    unset TCLLIBPATH TCL8_6_TM_PATH TCL9_0_TM_PATH
    inside "$tclsh" "$1/$name/bin/tossl" list || stop "tossl list failed"
    completes "$1/$name/share/bash-completion/completions/tossl"
    inside busybox sh -c 'cd "$1" && busybox sha256sum -c -s SHA256SUMS' sh "$1/$name" || stop "using it changed it"
    rm -rf "${root:?}$1/${name:?}"
}

# Of Tcl 9 it has what the machine had that made it.
shells=tclsh8.6
case $(tar -xOJf "$archive" "$name/CONTENTS" | head -n 1) in *"Tcl 9"*) shells="tclsh8.6 tclsh9.0" ;; esac

for release in bookworm trixie; do
    for tclsh in $shells; do
        case $release-$tclsh in bookworm-tclsh9.0) continue ;; esac
        tcl=${tclsh%sh*}${tclsh#*sh}
        debian extract "$release" "bare-$release-$tcl" "$tcl" "lib$tcl" libc6 zlib1g libgcc-s1 busybox-static
        cp "$archive" tests/install/use.tcl "$root/tmp/"
        forbid_search
        chmod 1777 "$root/tmp"
        for gone in python3 openssl gcc perl; do
            [ ! -e "$root/usr/bin/$gone" ] || stop "$gone is in $root"
        done
        user=0 home=/root try /opt/tcl
        user=0 home=/root try /root
        user=1000 home="/home/mü ller" try "/home/mü ller/my tossl"
    done
done
say "all of it works"
