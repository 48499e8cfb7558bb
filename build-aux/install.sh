#!/bin/sh
# install.sh install|uninstall: the package folder, and bin/tossl, man pages, completions, units and share/tossl below
# $PREFIX.
#
# The folder contains libraries, python.cfg, pkgIndex.tcl, modules/, cli/ and .venv (with a copy of the package), as the
# tree after make. Its file `installed` lists the files elsewhere, and the folders that were made for them. No file contains
# the path of the tree or $DESTDIR. Nothing is downloaded. With SYSTEM_PYTHON=1 there is no .venv, but tossl_acme, for the
# system's Python; SYSTEM_PYTHON=all expects that to have tossl_acme too.
set -eu
umask 022

stop() { printf '%s\n' "tossl: $*" >&2; exit 1; }

case $PREFIX in /*) ;; *) stop "PREFIX must be an absolute path: $PREFIX" ;; esac
# It would end a line of a service, and of the list of what is installed.
case $PREFIX${DESTDIR:-}${TCLLIBDIR:-} in *"
"*) stop "a path of the installation contains a line break" ;; esac
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

# The folder below PREFIX/lib that has the folders where each Tcl looks for modules, tcl8/8.6 and tcl9/9.0. Nothing where
# the tclsh looks for none there.
module_folder() {
    "$TCLSH" <<'END'
set prefix [file normalize $env(PREFIX)]/lib/
foreach folder [::tcl::tm::path list] {
    if {[string equal -length [string length $prefix] $prefix $folder] && [file tail $folder] eq [info tclversion]} {
        puts [file dirname [file dirname $folder]]
        exit
    }
}
END
}

remove() {
    listed=
    [ ! -f "$1/installed" ] || listed=$(sed '1!G;h;$!d' "$1/installed") # what is in a folder before the folder
    rm -rf "$1"
    printf '%s\n' "$listed" | while IFS= read -r path; do
        case $path in
            '') ;;
            */) rmdir "$stage$path" 2>/dev/null || true ;;
            *) rm -f "$stage$path" ;;
        esac
    done
}

# note PATH: lists what is outside the package folder, once; "/" at the end is a folder
note() { grep -qxF -e "$1" "$made/installed" 2>/dev/null || printf '%s\n' "$1" >>"$made/installed"; }

# make_folder PATH: makes it, and lists those that were not there
make_folder() {
    [ ! -d "$stage$1" ] || return 0
    make_folder "$(dirname "$1")"
    mkdir "$stage$1"
    note "$1/"
}

# add MODE FILE FOLDER: installs a file outside the package folder
add() {
    make_folder "$3"
    install -m "$1" "$2" "$stage$3/"
    note "$3/$(basename "$2")"
}

# link_modules LIBRARY FOLDER: makes links to the modules in a folder where the Tcl of that library looks, if it was built
link_modules() {
    [ -n "$(find "$new" -maxdepth 1 -name "$1.*")" ] || return 0
    for module in tossl tossl/acme tossl/testing; do
        path=$2/$module-$version.tm
        make_folder "$(dirname "$path")"
        ln -sf "$folder/modules/$module-$version.tm" "$stage$path"
        note "$path"
    done
}

# Whether a path has characters that mean something to Tcl, sed or systemd.
is_odd() {
    case $1 in *[!A-Za-z0-9/._+-]*) ;; *) return 1 ;; esac
}

pip() { TOSSL_WHEEL=pure .venv/bin/python -m pip --isolated -q --disable-pip-version-check --no-cache-dir "$@"; }

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
    sed '/^command/d' "$new/.venv/pyvenv.cfg" >"$new/.venv/pyvenv.cfg.new"
    mv "$new/.venv/pyvenv.cfg.new" "$new/.venv/pyvenv.cfg"
    "$new/.venv/bin/python" -m compileall -q -s "$new" -p "$folder" "$new/.venv/lib"
}

add_package() {
    find tossl_acme -name __pycache__ -prune -o -type f -print | while IFS= read -r file; do
        install -d "$new/$(dirname "$file")"
        install -m 644 "$file" "$new/$file"
    done
    "$PYTHON" -I -m compileall -q -s "$new" -p "$folder" "$new/tossl_acme"
}

folder=${TCLLIBDIR:-$(package_folder)}/tossl$version
if [ "$1" = uninstall ]; then
    [ -d "$stage$folder" ] || stop "nothing is installed in $stage$folder"
    remove "$stage$folder"
    printf '%s\n' "tossl: removed $stage$folder"
    exit
fi

new=$stage$folder.new
# Installations into several places may run at the same time.
made=$(mktemp -d)
trap 'rm -rf "$new" "$made"' EXIT
rm -rf "$new"
[ ! -f "$stage$folder/installed" ] || grep '/$' "$stage$folder/installed" >"$made/installed" || true
[ -z "$stage" ] || install -d "$stage"
make_folder "$(dirname "$folder")"
mkdir "$new"
case ${SYSTEM_PYTHON:-} in
    '') add_environment ;;
    all) ;;
    *) add_package ;;
esac
while IFS= read -r name; do
    case $name in *.cfg) mode=644 ;; *) mode=755 ;; esac
    install -m $mode "$name" "$new/"
done <build/libraries
[ -z "${SYSTEM_PYTHON:-}" ] || sh "$(dirname "$0")/build.sh" config "$new" >/dev/null
install -m 644 pkgIndex.tcl mounted.tcl LICENSE "$new/"
sh "$(dirname "$0")/modules.sh" "$new"
install -d "$new/cli"
install -m 644 cli/* "$new/cli/"

# Remove the earlier installation only now.
remove "$stage$folder"
for page in build/man/*.n; do
    [ ! -f "$page" ] || add 644 "$page" "$PREFIX/share/man/mann"
done
add 644 build/man/tossl.1 "$PREFIX/share/man/man1"
add 644 share/tossl.conf "$PREFIX/share/tossl"
add 644 build/completion/tossl "$PREFIX/share/bash-completion/completions"
add 644 build/completion/_tossl "$PREFIX/share/zsh/site-functions"
known=$(module_folder)
if [ -n "$known" ]; then
    link_modules libtossl "$known/tcl8/8.6"
    link_modules libtcl9tossl "$known/tcl9/9.0"
fi
# Its own path stands in the services. systemd starts no program with a quote or a backslash in its path; env does. In
# quotes it reads a backslash as C does, "%" begins one of its variables, and behind the program "$" one of the environment.
program=$PREFIX/bin/tossl
if is_odd "$program"; then
    quoted=\"$(printf %s "$program" | sed -e 's/[\\"]/\\&/g' -e 's/%/%%/g')\"
    case $program in
        *[\"\'\\]*) program="/usr/bin/env $(printf %s "$quoted" | sed 's/[$]/$$/g')" ;;
        *) program=$quoted ;;
    esac
fi
for unit in tossl tossl-manage; do
    sed "s|^ExecStart=[^ ]*|ExecStart=$(printf %s "$program" | sed 's/[\\&|]/\\&/g')|" "share/$unit.service" >"$made/$unit.service"
    add 644 "$made/$unit.service" "$PREFIX/lib/systemd/system"
done
add 644 share/tossl.timer "$PREFIX/lib/systemd/system"
# It runs in that tclsh, and finds that package.
tclsh=$(echo 'puts [info nameofexecutable]' | "$TCLSH")
cli=$folder/cli
# As the bytes of the system encoding, whatever the encoding is in which the script is read.
if is_odd "$cli"; then
    cli="[encoding convertfrom [binary decode hex $(printf %s "$cli" | od -An -v -tx1 | tr -d ' \n')]]"
fi
sed -e "1s|.*|#!$tclsh|" -e "s|^set cli .*|set cli $cli|" bin/tossl >"$made/tossl"
add 755 "$made/tossl" "$PREFIX/bin"
install -m 644 "$made/installed" "$new/installed"
mv "$new" "$stage$folder"

printf '%s\n' "tossl: installed $stage$folder"
# TCLLIBPATH is a list.
known=$(folder=$folder "$TCLSH" <<'END'
set place [file dirname $env(folder)]
if {$place ni $auto_path} {
    puts TCLLIBPATH='[string map [list ' '\\''] [list $place]]'
}
END
)
[ -z "$known" ] || printf '%s\n' "tossl: $TCLSH does not look there by itself; $known makes it do so"
# It is preferred, whatever its version.
other=$(version=$version "$TCLSH" <<'END'
set found {}
foreach folder [::tcl::tm::path list] {
    catch {lappend found {*}[glob -nocomplain -directory $folder tossl-*.tm]}
}
if {[lsearch -glob $found */tossl-$env(version).tm] < 0} {
    puts [join $found ", "]
}
END
)
[ -z "$other" ] || printf '%s\n' "tossl: $TCLSH prefers $other; package require tossl $version asks for this one"
