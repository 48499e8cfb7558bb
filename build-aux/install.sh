#!/bin/sh
# install.sh install|uninstall: the package folder, and bin/tossl, man pages, completions, units and share/tossl below
# $PREFIX.
#
# The folder contains libraries, python.cfg, pkgIndex.tcl, modules/, cli/ and .venv (with a copy of the package), as the
# tree after make. Its file `installed` lists the files elsewhere. No file contains the path of the tree or $DESTDIR. Nothing is
# downloaded. With SYSTEM_PYTHON=1 there is no .venv, but tossl_acme, for the system's Python; SYSTEM_PYTHON=all expects
# that to have tossl_acme too.
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

# The folder below PREFIX/lib with the folders where each Tcl looks for modules (tcl8/8.6, tcl9/9.0), or nothing: where the
# tclsh looks for none there.
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
    if [ -f "$1/installed" ]; then
        while IFS= read -r file; do
            rm -f "$stage$file"
            case $file in */tossl/*) rmdir "$stage${file%/*}" 2>/dev/null || true ;; esac
        done <"$1/installed"
    fi
    rm -rf "$1"
}

# add MODE FILE FOLDER: installs a file outside the package folder
add() {
    install -d "$stage$3"
    install -m "$1" "$2" "$stage$3/"
    printf '%s\n' "$3/$(basename "$2")" >>"$new/installed"
}

# link FILE PATH: makes a link outside the package folder, to a file in it
link() {
    install -d "$stage$(dirname "$2")"
    ln -sf "$folder/$1" "$stage$2"
    printf '%s\n' "$2" >>"$new/installed"
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
install -d "$new"
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
: >"$new/installed"
for page in build/man/*.n; do
    [ ! -f "$page" ] || add 644 "$page" "$PREFIX/share/man/mann"
done
add 644 build/man/tossl.1 "$PREFIX/share/man/man1"
add 644 share/tossl.conf "$PREFIX/share/tossl"
add 644 build/completion/tossl "$PREFIX/share/bash-completion/completions"
add 644 build/completion/_tossl "$PREFIX/share/zsh/site-functions"
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
known=$(module_folder)
for tcl in ${known:+libtossl:tcl8/8.6 libtcl9tossl:tcl9/9.0}; do
    [ -z "$(find "$new" -maxdepth 1 -name "${tcl%:*}.*")" ] || for module in tossl tossl/acme tossl/testing; do
        link "modules/$module-$version.tm" "$known/${tcl#*:}/$module-$version.tm"
    done
done
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
