#!/bin/sh
# wheel.sh: tries the wheel that `make wheel` made, in a Debian 12 and 13 with Python and tclsh, without compiler or headers;
# as root, and as an ordinary user in a folder with a space and an umlaut in its name. What it needs is downloaded first.
set -eu
. tests/install/chroots.sh
wheel=$(echo "$PWD"/build/dist/tossl_acme-*.whl)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)

# Every file but those that programs make anew, and the store.
list() { (cd "$root" && find . -xdev | grep -Ev '^\./(tmp|proc|dev|sys|var/lib/tossl)(/|$)|/__pycache__' | sort); }

fetch() {
    [ -d "$chroots/wheels-$1" ] || outside .venv/bin/python -m pip download -q --disable-pip-version-check -c constraints.txt \
        --only-binary :all: --python-version "$1" --implementation cp --platform manylinux_2_34_x86_64 \
        --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
        -d "$chroots/wheels-$1" cryptography requests dnspython idna urllib3
    rm -rf "$root/tmp/wheels"
    cp -r "$chroots/wheels-$1" "$root/tmp/wheels"
    cp "$wheel" "$root/tmp/wheels/"
}

# environment FOLDER: makes an environment with the wheel
environment() {
    inside python3 -m venv "$1"
    inside "$1/bin/pip" --isolated -q --no-cache-dir install --no-index -f /tmp/wheels tossl-acme
}

# expect WORDS WORD...: runs a program that must fail, and say that
expect() {
    words=$1
    shift
    if said=$(inside "$@" 2>&1); then stop "it should have failed: $*"; fi
    case $said in *"$words"*) ;; *) stop "expected '$words', not: $said" ;; esac
}

as_root() {
    say "pip as root in /opt/tossl, $release"
    list >"$chroots/before"
    environment /opt/tossl
    mv "$root/usr/lib/x86_64-linux-gnu/libpython$python.so.1.0" "$root/tmp/"
    expect "apt-get install libpython$python" /opt/tossl/bin/python -m tossl_acme --tcl-install
    mv "$root/tmp/libpython$python.so.1.0" "$root/usr/lib/x86_64-linux-gnu/"
    inside /opt/tossl/bin/python -m tossl_acme --tcl-install
    for tclsh in $shells; do
        inside "$tclsh" /tmp/use.tcl
    done
    inside ln -s /opt/tossl/bin/tossl /usr/local/bin/tossl
    inside tossl list
    [ -f "$root/opt/tossl/share/man/mann/tossl.n" ] || stop "no man pages"
    completes /opt/tossl/share/bash-completion/completions/tossl
    say "pip again, over itself"
    inside /opt/tossl/bin/pip --isolated -q install --no-index --no-deps --force-reinstall -f /tmp/wheels tossl-acme
    inside tossl list
    inside /opt/tossl/bin/python -m tossl_acme --tcl-uninstall
    expect "can't find package tossl" tclsh /tmp/use.tcl
    inside rm -r /opt/tossl /usr/local/bin/tossl
    list >"$chroots/after"
    diff "$chroots/before" "$chroots/after" || stop "that was left, or is gone"
}

as_user() {
    say "pip as a user in '$home/my tossl', $release"
    mkdir -p "$root$home"
    chown "$user:$user" "$root$home"
    environment "$home/my tossl"
    expect "may not write where" "$home/my tossl/bin/python" -m tossl_acme --tcl-install
    for tclsh in $shells; do
        # shellcheck disable=SC2016 # the inner shell's own words
        TCLLIBPATH=/tmp/searched \
            inside sh -c 'eval "$("$1" -m tossl_acme --tcl)" && "$2" /tmp/use.tcl' sh "$home/my tossl/bin/python" "$tclsh"
    done
    unset TCLLIBPATH
    inside "$home/my tossl/bin/tossl" list
    rm -r "${root:?}${home:?}"
}

for release in bookworm trixie; do
    case $release in
        bookworm) python=3.11 shells=tclsh8.6 more=tcl8.6 ;;
        trixie) python=3.13 shells=tclsh8.6 more="tcl8.6 tcl9.0" ;;
    esac
    case $(unzip -l "$wheel") in *tossl-tcl9-python"$python"*) [ $release = bookworm ] || shells="tclsh8.6 tclsh9.0" ;; esac
    case $(unzip -l "$wheel") in *tossl-tcl8-python"$python"*) ;; *) say "$wheel is not for $release"; continue ;; esac
    # shellcheck disable=SC2086 # some words
    debian minbase $release wheel-$release python3-minimal python3-venv "libpython$python" tcl $more
    [ ! -e "$root/usr/bin/cc" ] && [ ! -e "$root/usr/include/tcl.h" ] || stop "$root has a compiler or headers"
    cp tests/install/use.tcl "$root/tmp/"
    forbid_search
    fetch $python
    user=0 home=/root as_root
    user=1000 home="/home/mü ller" as_user
done
say "all of it works: tossl $version"
