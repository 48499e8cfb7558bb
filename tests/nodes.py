"""Nodes of a fleet: tclsh processes on loopback addresses of their own, with one store in PostgreSQL."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.tclhost import Tcl

_TREE = Path(__file__).parent.parent
_TCLSH = os.environ.get("TCLSH", "tclsh")
_SECONDS = 60

#: What a node does: a script of commands, while standard input is open; `said` prints a line.
_SCRIPT = """
lappend auto_path [lindex $argv 0]
package require tossl
proc said {args} {puts $args; flush stdout}
proc failed {failure} {said failed [dict get $failure name] [dict get $failure message]}
proc renewed {certificate} {said renewed [dict get $certificate issued] [dict get $certificate serial]}
# A web server of the node's own, with http01_response.
proc serve {address port} {socket -server accepted -myaddr $address $port}
proc accepted {channel args} {
    fconfigure $channel -translation crlf -blocking 0
    fileevent $channel readable [list asked $channel]
}
proc asked {channel} {
    if {[gets $channel line] < 0} {if {[eof $channel]} {close $channel}; return}
    if {[regexp {^GET /\\.well-known/acme-challenge/([^/? ]+) } $line -> token]} {
        set response [tossl::acme::http01_response $token]
        said asked [expr {$response ne ""}]
        set status [expr {$response ne "" ? "200 OK" : "404 Not Found"}]
        puts -nonewline $channel "HTTP/1.0 $status\\n\\n$response"
        close $channel
    }
}
fconfigure stdin -blocking 0
fileevent stdin readable {if {[gets stdin line] < 0 && [eof stdin]} {exit}}
eval [lindex $argv 1]
said ready
vwait forever
"""


@dataclass
class Node:
    """A process with a name of its own among the nodes."""

    name: str
    process: subprocess.Popen[str]
    told: list[list[str]] = field(default_factory=list)

    def wait_for(self, word: str) -> list[str]:
        """The words of the next line that begins so."""
        assert self.process.stdout is not None
        late = threading.Timer(_SECONDS, self.process.kill)
        late.start()
        try:
            for line in self.process.stdout:
                self.told.append(Tcl().as_list(line))
                if self.told[-1][:1] == [word]:
                    return self.told[-1]
        finally:
            late.cancel()
        raise AssertionError(f"{self.name} has ended: {self.told} {self.process.stderr and self.process.stderr.read()}")

    def kill(self) -> None:
        """As a power cut does."""
        self.process.kill()
        self.process.wait(_SECONDS)

    def stop(self) -> str:
        """End it; what it had told on standard error."""
        out, err = self.process.communicate(timeout=_SECONDS)
        self.told += [Tcl().as_list(line) for line in out.splitlines()]
        return err


@contextlib.contextmanager
def node(folder: Path, name: str, script: str, **environment: str) -> Iterator[Node]:
    """Runs a script on a node until the block ends."""
    file = folder / "node.tcl"
    if not file.exists():
        file.write_text(_SCRIPT)
    argv = [_TCLSH, str(file), str(_TREE), script]
    pipe = subprocess.PIPE
    given = os.environ | {"TOSSL_NODE": name, "TOSSL_LEASE_SECONDS": "2"} | environment
    process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=given)
    made = Node(name, process)
    try:
        yield made
    finally:
        if process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                made.stop()
        process.kill()
        process.wait()
