#!/bin/sh
# deb.sh: builds the Debian packages in a clean Debian 12 and 13 without network, twice to the same bytes and without an
# error of lintian, installs them in a bare one, uses them, with the store of 0.1.0 too, and purges them.
set -eu
. tests/install/chroots.sh
# 0.1.0 was no release with a tag; its last state in one folder was this.
old=6aea7e2
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

# build: makes the packages in $chroots/debs-$release
build() {
    say "make deb, $release"
    wanted=$(sed -n '/^Build-Depends:/,/^[^ #]/s/^ \([a-z0-9.+-]*\).*/\1/p' debian/control |
        grep -v '^debhelper-compat$\|^dh-seq')
    [ "$release" != bookworm ] || wanted=$(echo "$wanted" | grep -v tcl9)
    # shellcheck disable=SC2086 # one word a package
    debian minbase "$release" "deb-build-$release" build-essential debhelper dh-python lintian $wanted
    rm -rf "$chroots/debs-$release"
    for try in once twice; do
        rm -rf "$root/tree"
        mkdir "$root/tree"
        tar -c --exclude=./build --exclude=./.venv --exclude=./.git --exclude='*.so' --exclude='.*_cache' \
            --exclude=__pycache__ . | tar -x --no-same-owner -C "$root/tree"
        sleep 1.1 # the second has another time
        inside make -s -C /tree deb >"$root.$try.log" 2>&1 || { tail -n 30 "$root.$try.log" >&2; stop "make deb failed"; }
        mkdir -p "$chroots/debs-$release/$try"
        cp "$root"/tree/build/deb/*.deb "$root"/tree/build/deb/*.changes "$chroots/debs-$release/$try/"
    done
    for deb in "$chroots/debs-$release/once"/*.deb; do
        cmp "$deb" "$chroots/debs-$release/twice/$(basename "$deb")" || stop "built twice, it differs"
    done
    inside sh -c 'cd /tree/build/deb && lintian --fail-on error ./*.changes' 2>/dev/null || stop "lintian finds errors"
}

# Every file but those that programs make anew.
list() {
    (cd "$root" && find . -xdev | grep -Ev '^\./(tmp|proc|dev|sys|root|home|debs|var/(cache|log|lib/(apt|dpkg)))(/|$)' |
        grep -v '/__pycache__\|^./etc/ld.so.cache' | sort)
}

# use: the command, the package in each tclsh as a module, the demo and the store of 0.1.0, as $user with the home $home
use() {
    say "as user $user in $home, $release"
    rm -rf "${root:?}$home"
    mkdir -p "$root$home/.local/share"
    cp -r "$chroots/old" "$root$home/.local/share/tossl"
    chown -R "$user:$user" "$root$home"
    [ "$(inside tossl --version)" = "tossl $version" ] || stop "it is of another version"
    for tclsh in $shells; do
        TCLLIBPATH=/tmp/searched inside "$tclsh" /tmp/use.tcl
    done
    unset TCLLIBPATH
    inside "$tclsh" /tmp/quickstart.tcl >"$root.demo" || { cat "$root.demo"; stop "the demo failed"; }
    rm "$root.demo"
    rm -rf "${root:?}$home/.local/share/tossl"
    cp -r "$chroots/old" "$root$home/.local/share/tossl"
    chown -R "$user:$user" "$root$home"
    inside "$tclsh" /tmp/upgrade.tcl
    inside tossl list | grep -q old.example.com || stop "tossl does not list the certificate of 0.1.0"
}

install_debs() {
    loading sh -c 'apt-get -qq -y --no-install-recommends install /debs/*.deb >/debs/log 2>&1' ||
        { tail "$root/debs/log" >&2; stop "apt-get install failed"; }
}

purge_debs() {
    loading sh -c 'apt-get -qq -y purge tcl-tossl python3-tossl-acme >/debs/log 2>&1' ||
        { tail "$root/debs/log" >&2; stop "apt-get purge failed"; }
}

try() {
    say "apt install in a bare $release"
    debian minbase "$release" "bare-deb-$release" ca-certificates
    bare=$root
    root=$chroots/used-deb-$release
    rm -rf "$root"
    cp -a "$bare" "$root"
    let_load
    mkdir "$root/debs"
    cp "$chroots/debs-$release/once"/*.deb "$root/debs/"
    cp tests/install/use.tcl tests/install/upgrade.tcl examples/quickstart.tcl "$root/tmp/"
    forbid_search
    loading apt-get -qq update
    # shellcheck disable=SC2086 # some words
    loading apt-get -qq -y --no-install-recommends install $more >/dev/null 2>&1
    install_debs
    for gone in cc gcc pip pip3 make; do
        [ ! -e "$root/usr/bin/$gone" ] || stop "$gone is in $root"
    done
    completes /usr/share/bash-completion/completions/tossl
    grep -q '^#compdef tossl' "$root/usr/share/zsh/vendor-completions/_tossl" || stop "zsh completes nothing"
    user=0 home=/root use
    user=1000 home="/home/mü ller" use
    mkdir -p "$root/var/lib/tossl/certificates/kept"
    purge_debs
    [ "$(cd "$root" && find var usr etc opt srv -xdev -name '*tossl*' ! -path '*/apt/*' ! -path '*/log/*')" = var/lib/tossl ] ||
        stop "purge has left $(cd "$root" && find var usr etc -xdev -name '*tossl*')"
    say "install, use and purge again: the same files are there"
    list >"$chroots/before"
    install_debs
    user=0 home=/root inside tossl list
    purge_debs
    list >"$chroots/after"
    diff "$chroots/before" "$chroots/after" || stop "that was left, or is gone"
    rm -r "$root"
}

git archive "$old" tossl_acme >/dev/null 2>&1 || stop "the history has no $old, which is 0.1.0"
rm -rf "$chroots/old" "$chroots/0.1.0"
mkdir "$chroots/0.1.0"
git archive "$old" tossl_acme | tar -x -C "$chroots/0.1.0"
TOSSL_HOME=$chroots/old .venv/bin/python tests/install/old.py "$chroots/0.1.0"

for release in bookworm trixie; do
    case $release in
        bookworm) shells=tclsh8.6 more=tcl8.6 ;;
        trixie) shells="tclsh8.6 tclsh9.0" more="tcl8.6 tcl9.0" ;;
    esac
    build
    try
done
say "all of it works: tossl $version by apt"
