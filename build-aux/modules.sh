#!/bin/sh
# modules.sh FOLDER: makes FOLDER/modules: each package as a Tcl module, which leads to the index in FOLDER.
set -eu
here=$(dirname "$0")
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$here/../pyproject.toml")
new=$1/modules.new # whoever ends this leaves no half of them
rm -rf "$new"
mkdir -p "$new/tossl"
for package in tossl tossl::acme tossl::testing; do
    file=$new/$(printf %s "$package" | sed 's,::,/,')-$version.tm
    sed "s/ PACKAGE VERSION\$/ $package $version/" "$here/module.tcl" >"$file"
done
rm -rf "$1/modules"
mv "$new" "$1/modules"
