"""Systems without fork, flock, links and owners of files, as Windows: what needs none of them works, the rest says so.

Nothing here runs on such a system; what it lacks is taken away from this one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble

#: Takes away what Windows has not.
_PRELUDE = """
import ctypes.util, os, select, signal, sys
# psycopg looks for libpq as this system does, unless it brings its own.
ctypes.util.find_library = {name: ctypes.util.find_library(name) for name in ("pq", "c")}.get
for name in ("fcntl", "pwd", "grp", "resource", "termios", "syslog"):
    sys.modules[name] = None
for name in (
    "chown fchmod fchown fork geteuid getegid getgid getpgid getuid killpg lchown link mkfifo posix_spawn pread pwrite"
    " register_at_fork setsid statvfs symlink uname waitid O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_PATH"
).split():
    if hasattr(os, name):
        delattr(os, name)
for name in "SIGALRM SIGCHLD SIGHUP SIGKILL SIGPIPE SIGQUIT SIGUSR1 SIGXFSZ pthread_kill pthread_sigmask".split():
    if hasattr(signal, name):
        delattr(signal, name)
del select.poll
os.supports_dir_fd = set()
"""
_IMPORT_ALL = """
import importlib, pkgutil, tossl_acme
names = [module.name for module in pkgutil.walk_packages(tossl_acme.__path__, "tossl_acme.")]
for name in names:
    importlib.import_module(name)
print(len(names))
"""
_RUN = """
import tkinter, tossl_acme
tcl = tkinter.Tcl()
tossl_acme.register(tcl)
for line in sys.stdin.read().strip().splitlines():
    code, said = tcl.splitlist(tcl.eval("list [catch {" + line + "} said more] $said"))
    print(code, said, tcl.eval("dict get $more -errorcode") if code == "1" else "", sep="|")
"""


def run(script: str, words: str = "", **environment: str) -> list[str]:
    outer = {name: value for name, value in os.environ.items() if not name.startswith("TOSSL")}
    done = subprocess.run(
        [sys.executable, "-c", _PRELUDE + script], input=words, capture_output=True, text=True, env=outer | environment
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_every_module_is_imported() -> None:
    (count,) = run(_IMPORT_ALL)
    assert int(count) > 100


def test_what_needs_no_store_works(pebble: Pebble, certificates: Certificates, tmp_path: Path) -> None:
    words = f"-directory {pebble.directory} -ca_bundle {certificates.ca_bundle} -port {pebble.http_port}"
    lines = f"""
        set key [dict get [tossl::key::generate -type ec] private]; string range $key 0 26
        dict get [tossl::acme::obtain_certificate windows.example.com {words} -account_key $key -store {{}}] issued
        string match "*connect*" [dict get [tossl::http::get https://127.0.0.1:1/] error_message]
    """
    assert run(_RUN, lines, HOME=str(tmp_path)) == ["0|-----BEGIN PRIVATE KEY-----|", "0|1|", "0|1|"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "argument"),
    [
        ("tossl::acme::list_certificates", "store"),
        ("tossl::acme::renew_certificates -store {FOLDER}", "store"),
        ("tossl::acme::obtain_certificate a.example.com -directory letsencrypt -port 1", "store"),
        ("tossl::acme::obtain_certificate a.example.com -directory letsencrypt -webroot {FOLDER} -store {}", "webroot"),
    ],
    ids=["default", "named", "obtain", "webroot"],
)
def test_what_needs_links_and_owners_says_so(script: str, argument: str, tmp_path: Path) -> None:
    environment = {"HOME": "", "USERPROFILE": str(tmp_path)}
    (said,) = run(_RUN, script.replace("FOLDER", str(tmp_path)), **environment)
    code, message, error = said.split("|")
    assert (code, error) == ("1", f"TOSSL VALUE {argument}")
    assert "this system does not keep files safe as POSIX does: it lacks O_DIRECTORY, " in message
    assert str(tmp_path) in message


def test_a_system_without_locks_says_so(tmp_path: Path) -> None:
    script = f"import sys; sys.modules['fcntl'] = None\n{_RUN}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOSSL")}
    words = f"tossl::acme::obtain_certificate a.example.com -directory letsencrypt -port 1 -store {{{tmp_path}}}"
    done = subprocess.run([sys.executable, "-c", script], input=words, capture_output=True, text=True, env=environment)
    code, message, error = done.stdout.strip().split("|")
    assert (code, error, done.stderr) == ("1", "TOSSL VALUE store", "")
    assert message.endswith("this system has no locks as flock makes them")
