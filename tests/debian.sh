#!/bin/sh
# debian.sh RELEASE FOLDER TCLSH: runs `make test` for that tclsh in a new Debian, which debootstrap puts into FOLDER.
#
# The Debian, and what was installed and built in it, is kept for the next run. The tree is copied in; what runs there
# sees nothing of the machine but its network and processors. Mirror, proxies, certificates and pip's settings are those
# that the machine has for itself. Mounts are made in a namespace of their own: none outlives this script.
set -eu
release=$1 folder=$2 tclsh=$3

stop() { echo "tossl: $*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || stop "testing in Debian $release needs root (debootstrap, chroot)"
sh build-aux/need.sh debian

# The first source of Debian packages that is none of updates; else debootstrap's own default.
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian //p' | head -n 1
}

if [ ! -d "$folder" ]; then
    echo "tossl: making a Debian $release in $folder"
    rm -rf "$folder.new"
    # shellcheck disable=SC2046 # no word where there is no mirror
    debootstrap --variant=minbase --include=ca-certificates,make "$release" "$folder.new" $(mirror) >"$folder.log" ||
        { tail "$folder.log" >&2; stop "debootstrap failed; all of its words are in $folder.log"; }
    mv "$folder.new" "$folder"
fi

# What was built there stays; what is no longer in the tree goes.
mkdir -p "$folder/tree"
find "$folder/tree" -mindepth 1 -maxdepth 1 ! -name .venv ! -name build ! -name "*.so" ! -name python.cfg -exec rm -rf {} +
tar -c --exclude=./build --exclude=./.venv --exclude=./.git --exclude='*.so' --exclude=./python.cfg --exclude='.*_cache' \
    --exclude=__pycache__ . | tar -x --no-same-owner -C "$folder/tree"

# The machine's settings for its network.
for file in /etc/resolv.conf /etc/hosts /etc/pip.conf /etc/ssl/certs/ca-certificates.crt; do
    [ ! -e "$file" ] || cp -L "$file" "$folder$file"
done
apt-config dump | grep -E '^Acquire::https?::Proxy ' >"$folder/etc/apt/apt.conf.d/50proxy" || true

# shellcheck disable=SC2016 # the inner shell's own words
exec unshare --mount --pid --fork --kill-child --propagation private sh -c '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    mount -t tmpfs tmpfs "$1/tmp"
    settings=$(env | sed -n -E "/^(https?_proxy|no_proxy|HTTPS?_PROXY|NO_PROXY|PIP_[A-Z_]+|SSL_CERT_FILE|CI)=/p")
    IFS="
"
    exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 $settings \
        chroot "$1" make -C /tree --keep-going test TCLSH="$2"
' sh "$folder" "$tclsh"
