#!/bin/sh
# install.sh install|uninstall: the package folder, and bin/tossl, man pages, units and share/tossl below $PREFIX.
#
# The folder contains libraries, python.cfg, pkgIndex.tcl, cli/ and .venv (with a copy of the package), as the tree after make. Its
# file `installed` lists the files elsewhere. No file contains the path of the tree or $DESTDIR. Nothing is downloaded.
set -eu
umask 022

stop() { echo "tossl: $*" >&2; exit 1; }

case $PREFIX in /*) ;; *) stop "PREFIX must be an absolute path: $PREFIX" ;; esac
stage=${DESTDIR:-}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

# The first folder below PREFIX/lib where the tclsh looks for packages. A tclsh that looks nowhere there may have another
# place for packages; a PREFIX that the user gives is used unchanged.
package_folder() {
    "$TCLSH" <<'END'
set prefix [file normalize $env(PREFIX)]/lib
foreach folder $auto_path {
    if {"$folder/" eq "$prefix/" || [string equal -length [string length $prefix/] $prefix/ $folder/]} {
        puts $folder
        exit
    }
}
puts [expr {$env(PREFIX) eq "/usr/local" ? [file dirname [info library]] : $prefix}]
END
}

remove() {
    if [ -f "$1/installed" ]; then
        while IFS= read -r file; do
            rm -f "$stage$file"
        done <"$1/installed"
    fi
    rm -rf "$1"
}

# add MODE FILE FOLDER: installs a file outside the package folder
add() {
    install -d "$stage$3"
    install -m "$1" "$2" "$stage$3/"
    echo "$3/$(basename "$2")" >>"$new/installed"
}

pip() { .venv/bin/python -m pip --isolated -q --disable-pip-version-check --no-cache-dir "$@"; }

# [route53,...], as make has built it.
extras=$(tr -s ' ' ',' <build/for-extras 2>/dev/null | sed -n 's/^,*\(..*[^,]\),*$/[\1]/p')

add_environment() {
    "$PYTHON" -m venv --without-pip "$new/.venv"
    wheel=$(mktemp -d)
    trap 'rm -rf "$wheel" "$new" "$made"' EXIT
    pip wheel --no-index --no-deps -f build/wheels -w "$wheel" .
    pip --python "$new/.venv/bin/python" install --no-index --no-compile -f build/wheels -f "$wheel" \
        "tossl-acme$extras==$version"
    # Other packages' commands, shell settings and pip's log contain the path of the staging folder.
    find "$new/.venv/bin" ! -type d ! -name 'python*' -exec rm {} +
    sed -i '/^command/d' "$new/.venv/pyvenv.cfg"
    "$new/.venv/bin/python" -m compileall -q -s "$new" -p "$folder" "$new/.venv/lib"
}

folder=${TCLLIBDIR:-$(package_folder)}/tossl$version
if [ "$1" = uninstall ]; then
    [ -d "$stage$folder" ] || stop "nothing is installed in $stage$folder"
    remove "$stage$folder"
    echo "tossl: removed $stage$folder"
    exit
fi

new=$stage$folder.new
# Installations into several places may run at the same time.
made=$(mktemp -d)
trap 'rm -rf "$new" "$made"' EXIT
rm -rf "$new"
install -d "$new"
add_environment
while IFS= read -r name; do
    case $name in *.cfg) mode=644 ;; *) mode=755 ;; esac
    install -m $mode "$name" "$new/"
done <build/libraries
install -m 644 pkgIndex.tcl LICENSE "$new/"
install -d "$new/cli"
install -m 644 cli/*.tcl "$new/cli/"

# Remove the earlier installation only now.
remove "$stage$folder"
: >"$new/installed"
for page in build/man/*.n; do
    [ ! -f "$page" ] || add 644 "$page" "$PREFIX/share/man/mann"
done
add 644 build/man/tossl.1 "$PREFIX/share/man/man1"
add 644 share/tossl.conf "$PREFIX/share/tossl"
# Its own path stands in the services; with a space in it, in quotes.
program=$PREFIX/bin/tossl
case $program in *" "*) program="\"$program\"" ;; esac
for unit in tossl tossl-manage; do
    sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "share/$unit.service" >"$made/$unit.service"
    add 644 "$made/$unit.service" "$PREFIX/lib/systemd/system"
done
add 644 share/tossl.timer "$PREFIX/lib/systemd/system"
# It runs in that tclsh, and finds that package.
tclsh=$(echo 'puts [info nameofexecutable]' | "$TCLSH")
sed -e "1s|.*|#!$tclsh|" -e "s|^set cli .*|set cli {$folder/cli}|" bin/tossl >"$made/tossl"
add 755 "$made/tossl" "$PREFIX/bin"
mv "$new" "$stage$folder"

echo "tossl: installed $stage$folder"
echo "puts [expr {[file dirname {$folder}] in \$auto_path}]" | "$TCLSH" | grep -q 1 ||
    echo "tossl: $TCLSH does not look there by itself; TCLLIBPATH='$(dirname "$folder")' makes it do so"
