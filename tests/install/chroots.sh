# Sourced by the scripts beside this, which run as root, in the tree: chroots that they try installations in, below
# build/install. They have the network of whoever runs the script, and nothing else of the machine; under alone.py, that
# is loopback, and `outside` leaves it.

stop() { echo "tossl: $*" >&2; exit 1; }
say() { echo "== $*"; }

[ "$(id -u)" = 0 ] || stop "trying installations needs root (mmdebstrap, chroot)"
command -v mmdebstrap >/dev/null || stop "trying installations needs mmdebstrap (Debian: apt-get install mmdebstrap)"
chroots=$PWD/build/install
mkdir -p "$chroots"

# outside WORD...: runs a program in the network of the machine
outside() {
    if [ -n "${TOSSL_OUTSIDE:-}" ]; then nsenter --net="/proc/$TOSSL_OUTSIDE/ns/net" "$@"; else "$@"; fi
}

# The first source of Debian packages that the machine has, but for updates; else mmdebstrap's own.
mirror() {
    apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' 2>/dev/null |
        sed -n 's/^Debian //p' | head -n 1
}

# debian VARIANT RELEASE NAME PACKAGE...: makes a Debian, unless it is there, and sets `root` to its folder. The variant
# `extract` has the files of these packages alone; nothing was run in it.
debian() {
    variant=$1 release=$2 root=$chroots/$3
    shift 3
    [ ! -d "$root" ] || return 0
    rm -rf "$root.new"
    # shellcheck disable=SC2046 # no word where there is no mirror
    outside mmdebstrap --quiet --variant="$variant" --include="$(echo "$*" | tr ' ' ,)" "$release" "$root.new" $(mirror) \
        2>"$root.log" ||
        { cat "$root.log" >&2; stop "mmdebstrap failed"; }
    for folder in bin lib lib64; do
        [ -e "$root.new/$folder" ] || ln -s "usr/$folder" "$root.new/$folder"
    done
    mkdir -p "$root.new/proc" "$root.new/dev" "$root.new/tmp" "$root.new/root" "$root.new/etc" "$root.new/usr/bin"
    mv "$root.new" "$root"
}

# completes FILE: whether what bash completes is in that file of $root, and made of the commands
completes() {
    # shellcheck disable=SC2016 # the inner shell's own words
    bash -c '. "$1"; COMP_WORDS=(tossl obt) COMP_CWORD=1 COMP_LINE="tossl obt"; _tossl; [ "${COMPREPLY[*]}" = obtain ]' \
        bash "$root$1" || stop "bash completes nothing by $1"
}

# forbid_search: makes $root/tmp/searched: where TCLLIBPATH names it, a tclsh that reads the index of each package fails
forbid_search() {
    mkdir -p "$root/tmp/searched"
    echo 'puts stderr "tclsh searches all packages"; exit 1' >"$root/tmp/searched/pkgIndex.tcl"
}

# let_load: gives $root the machine's settings for its network
let_load() {
    for file in /etc/resolv.conf /etc/hosts /etc/ssl/certs/ca-certificates.crt; do
        mkdir -p "$(dirname "$root$file")"
        [ ! -e "$file" ] || cp -L "$file" "$root$file"
    done
    mkdir -p "$root/etc/apt/apt.conf.d"
    apt-config dump | grep -E '^Acquire::https?::Proxy ' >"$root/etc/apt/apt.conf.d/50proxy" || true
}

# loading WORD...: runs a program in $root as root, in the network of the machine
loading() { outside chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@"; }

# inside WORD...: runs a program in $root, as root, or as the user of number $user, without this machine's environment
inside() {
    # shellcheck disable=SC2016 # the inner shell's own words
    settings=$(env | sed -n -E '/^(https?_proxy|no_proxy|PIP_[A-Z_]+|TOSSL_TEST_[A-Z_]+|TCLLIBPATH|TCL[0-9]_[0-9]_TM_PATH)=/p')
    if [ -n "${TOSSL_TEST_CA_BUNDLE:-}" ]; then
        cp "$TOSSL_TEST_CA_BUNDLE" "$root/tmp/test-ca.pem"
        chmod 644 "$root/tmp/test-ca.pem"
        settings="$settings
TOSSL_TEST_CA_BUNDLE=/tmp/test-ca.pem"
    fi
    # shellcheck disable=SC2016
    unshare --mount --pid --fork --kill-child --propagation private sh -c '
        root=$1 user=$2 home=$3 settings=$4
        shift 4
        mount -t proc proc "$root/proc"
        mount --rbind /dev "$root/dev"
        IFS="
"
        exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME="$home" $settings \
            chroot --userspec="$user:$user" "$root" "$@"
    ' sh "$root" "${user:-0}" "${home:-/root}" "$settings" "$@"
}
