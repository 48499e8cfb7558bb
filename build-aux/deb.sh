#!/bin/sh
# deb.sh FOLDER: makes Debian packages of a copy of this tree, in that folder. Needs what debian/control names, and no
# network. The same tree gives the same bytes: its time is that of debian/changelog.
set -eu
folder=$1

stop() { echo "tossl: $*" >&2; exit 1; }

command -v dpkg-buildpackage >/dev/null || stop "make deb needs dpkg-dev and debhelper"
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
head -n 1 debian/changelog | grep -q "^tossl ($version-" || stop "debian/changelog is not of version $version"

rm -rf "$folder"
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
# Debian's tools break a path with a space in it.
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
mkdir "$made/tossl-$version"
# Whatever the folder is called and whoever builds: times and modes are those of the changelog and of the copy.
umask 022
tar -c --exclude=./build --exclude=./.venv --exclude=./.git --exclude='*.so' --exclude='.*_cache' \
    --exclude=./.hypothesis --exclude=__pycache__ . | tar -x --no-same-owner --no-same-permissions -C "$made/tossl-$version"
cd "$made/tossl-$version"
# Debian's own programs, whatever else is installed.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
# A make around this has settings of its own.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES PREFIX DESTDIR TCLLIBDIR TCLSH PYTHON EXTRAS CFLAGS LDFLAGS NEED SYSTEM_PYTHON
DEB_BUILD_OPTIONS="${DEB_BUILD_OPTIONS:+$DEB_BUILD_OPTIONS }noautodbgsym" dpkg-buildpackage --unsigned-source --unsigned-changes --build=binary
mv "$made"/*.deb "$made"/*.changes "$made"/*.buildinfo "$folder/"
cd "$folder"
ls -- *.deb
