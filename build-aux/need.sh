#!/bin/sh
# need.sh build|demo|test|bench|memory|browser|install|debian: checks the required system packages. Quick and silent if nothing is missing;
# else installs the packages if that is allowed, or names them. NEED=0 allows it never.
set -u
goal=$1
here=$(dirname "$0")

lacks() { missing="$missing $*"; }
has() { PATH=$PATH:/usr/sbin command -v "$1" >/dev/null 2>&1; }
has_postgres() { ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || has postgres; }
stop() { echo "tossl: $*" >&2; exit 1; }

# Sets `missing` to Debian's names of the missing packages.
look() {
    missing=
    case $goal in
        build) has "${CC:-cc}" || lacks gcc libc6-dev ;;
        demo) has pebble || lacks pebble ;;
        test)
            has pebble || lacks pebble
            has named || lacks bind9
            has knotd || lacks knot
            has openssl || lacks openssl
            has Xvfb || lacks xvfb
            has strace || lacks strace
            has curl || lacks curl
            has nginx || lacks nginx
            has tmux || lacks tmux
            has_postgres || lacks postgresql
            has pgbouncer || lacks pgbouncer
            has zsh || lacks zsh
            ;;
        bench) look_for_clients ;;
        memory) has valgrind || lacks valgrind ;;
        browser)
            has chromium || lacks chromium
            has certutil || lacks libnss3-tools
            ;;
        install)
            has pebble || lacks pebble
            has mmdebstrap || lacks mmdebstrap
            has unzip || lacks unzip
            has nsenter || lacks util-linux
            ;;
        debian) has debootstrap || lacks debootstrap ;;
    esac
    case $goal in build | test) look_for_tcl && look_for_python ;; esac
}

# Without one of these the bench leaves out its rows.
look_for_clients() {
    for client in acme-tiny certbot lego uacme dehydrated caddy; do
        has "$client" || lacks "$client"
    done
}

look_for_tcl() {
    if ! has "$TCLSH"; then
        tcl=$(basename "$TCLSH" | sed 's/sh//') # tclsh9.0 -> tcl9.0
        lacks "$tcl" "$tcl-dev"
        return
    fi
    version=$(echo 'puts [info tclversion]' | "$TCLSH") || stop "$TCLSH does not run"
    sh "$here/tclconfig.sh" >/dev/null 2>&1 || lacks "tcl$version-dev"
    [ "$goal" = test ] || return 0
    if ! echo 'exit [catch {package require Thread}]' | "$TCLSH"; then
        case $version in 8.*) lacks tcl-thread ;; *) lacks "tcl$version-thread" ;; esac
    fi
    echo 'exit [catch {package require tls}]' | "$TCLSH" || lacks tcl-tls
    case $version in
        # where it is not for Tcl 9, its test is skipped
        8.*)
            echo 'exit [catch {package require httpd}]' | "$TCLSH" || lacks tcllib
            echo 'exit [catch {package require vfs::zip}]' | "$TCLSH" || lacks tcl-vfs
            ;;
    esac
    # without a screen, Tk can only be asked for
    if echo 'catch {package require no-such-one}; exit [llength [package versions Tk]]' | "$TCLSH"; then
        lacks "tk$version"
    fi
}

look_for_python() {
    if ! has "$PYTHON"; then
        python=$(basename "$PYTHON")
        lacks "$python" "$python-dev" "$python-venv"
        return
    fi
    # shellcheck disable=SC2046 # one word per package
    lacks $("$PYTHON" - "$goal" <<'END'
import importlib.util, os, sys, sysconfig
system = os.environ.get("SYSTEM_PYTHON")
there, goal = importlib.util.find_spec, sys.argv[1]
name = "python%d.%d" % sys.version_info[:2]
wanted = {"python3-tk": there("_tkinter")} if goal == "test" else {
    f"{name}-dev": os.path.exists(sysconfig.get_path("include") + "/Python.h"),
    f"{name}-venv": system or there("venv") and there("ensurepip"),
}
if system:
    wanted |= {f"python3-{word}": there(word) for word in ("cryptography", "requests", "idna")}
    wanted["python3-dnspython"] = there("dns")
print(*(package for package, found in wanted.items() if not found))
END
    )
    missing=${missing% }
}

# Faults that no package can mend.
suits() {
    "$PYTHON" -I "$here/libpython.py" check
}

allowed() {
    [ "${NEED:-1}" != 0 ] && has apt-get || return 1
    if [ "$(id -u)" = 0 ]; then as=; else as='sudo -n'; fi
    [ -z "$as" ] || sudo -n true 2>/dev/null
}

if has "$PYTHON"; then suits || exit 1; fi
look
[ -n "$missing" ] || exit 0
allowed || {
    has apt-get || stop "missing system packages (Debian names):$missing"
    stop "missing system packages, which root can install: apt-get install$missing"
}
echo "tossl: installing$missing with apt-get"
$as apt-get -qq -o DPkg::Lock::Timeout=300 update || true
case " $missing " in
    *" postgresql "*) # The tests start one of their own: no cluster is made for the system.
        $as env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends \
            postgresql-common >/dev/null || stop "cannot install postgresql-common"
        $as sed -i 's/^#* *create_main_cluster *=.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
        ;;
esac
# shellcheck disable=SC2086 # one word per package
$as env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=300 install --no-install-recommends \
    $missing >/dev/null || stop "cannot install all of:$missing"
suits || exit 1
look
[ -z "$missing" ] || stop "installed, but $TCLSH or $PYTHON does not find its part of:$missing"
