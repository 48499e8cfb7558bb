"""Descriptors 0 to 2 stay free where the process closed them."""

from __future__ import annotations

import subprocess
import sys

import pytest

_CLOSED = """
import os, socket, sys
import dns.query
import tossl_acme.dns.resolver
from tossl_acme.challenges.listener import Listener
from tossl_acme.context import Context
from tossl_acme.files import beyond_standard, socket_beyond_standard
from tossl_acme.http.connect import connected

answer = os.dup(1)
server = socket.create_server(("127.0.0.1", 0))
for number in map(int, sys.argv[2:]):
    os.close(number)
free = [number for number in range(3) if str(number) in sys.argv[2:]]
made = eval(sys.argv[1])
descriptors = [one if isinstance(one, int) else one.fileno() for one in made]
taken = [number for number in free if os.path.exists(f"/proc/self/fd/{number}")]
os.write(answer, repr((min(descriptors) > 2, [os.get_inheritable(one) for one in descriptors], taken)).encode())
os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("closed", ["0", "1 2", "0 1 2"])
@pytest.mark.parametrize(
    "made",
    [
        "[beyond_standard(os.open('/dev/null', os.O_RDONLY))]",
        "list(map(beyond_standard, os.pipe()))",
        "[socket_beyond_standard(one) for one in socket.socketpair()]",
        "[connected(Context(5).begin(), '127.0.0.1', server.getsockname()[1], 5)]",
        "[dns.query.socket_factory(socket.AF_INET, socket.SOCK_DGRAM, 0)]",
    ],
    ids=["file", "pipe", "pair", "connection", "question"],
)
def test_none_of_the_standard_ones_is_taken(made: str, closed: str) -> None:
    command = [sys.executable, "-c", _CLOSED, made, *closed.split()]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout
    inherited = [False, False] if "pipe" in made or "pair" in made else [False]
    assert said == repr((True, inherited, []))


_EXHAUSTED = """
import os, resource, tkinter
import tossl_acme

tcl = tkinter.Tcl()
tossl_acme.register(tcl)
most, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (os.dup(0), hard))
print(tcl.eval("list [catch {tossl::job::list} - options] [dict get $options -errorcode] [dict get $options -tossl]"))
resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
print(tcl.eval("list [tossl::job::list]"))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="counts on the numbers that Linux gives")
def test_a_first_call_without_a_descriptor_left_says_so_and_the_next_one_works() -> None:
    """It loads what the command needs, from files."""
    said = subprocess.run([sys.executable, "-c", _EXHAUSTED], capture_output=True, text=True, check=True, timeout=20)
    lack, then = said.stdout.splitlines()
    assert lack.startswith("1 {TOSSL RESOURCE descriptors} {message {no descriptor is left: ")
    assert then == "{}"
    assert not said.stderr
