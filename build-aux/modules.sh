#!/bin/sh
# modules.sh FOLDER: makes FOLDER/modules: each package as a Tcl module, which leads to the index in FOLDER.
set -eu
here=$(dirname "$0")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../pyproject.toml")
rm -rf "$1/modules"
mkdir -p "$1/modules/tossl"
for package in tossl tossl::acme tossl::testing; do
    file=$1/modules/$(printf %s "$package" | sed 's,::,/,')-$version.tm
    sed "s/ PACKAGE VERSION\$/ $package $version/" "$here/module.tcl" >"$file"
done
