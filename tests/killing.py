"""A process that is killed in the midst of an issuance, and the same call once more: what is spent in all."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.servers.actions import Exchange
from tests.servers.certs import Certificates
from tests.servers.faults import RESOURCES, FaultProxy
from tests.servers.httpreq import HttpReq
from tests.servers.sinks import TxtSink
from tests.servers.web import Reply, Request
from tests.tclhost import Failure, Tcl
from tossl_acme.acme import clients
from tossl_acme.pki.chain import read_chain
from tossl_acme.pki.keys import load_private_key, public_der
from tossl_acme.store.protocol import Store, read_texts
from tossl_acme.store.registry import open_store

_TREE = Path(__file__).parent.parent
_TCLSH = os.environ.get("TCLSH", "tclsh")
_SECONDS = 60
_NUMBERS = itertools.count(1)

#: The long form: every request and every file operation, each call in a process of its own.
ALL = os.environ.get("TOSSL_TEST_ALL") == "1"

#: What a child does: one command, whose dict it prints.
_SCRIPT = """
lappend auto_path [lindex $argv 0]
package require tossl
puts [tossl::acme::[lindex $argv 1] {*}[lrange $argv 2 end]]
"""


class Killer:
    """Counts requests of whatever kind, and kills the child at one of them: before it is served, or after it was."""

    def __init__(self, nth: int = 0, *, after: bool = False, by: signal.Signals = signal.SIGKILL) -> None:
        self._nth, self._after, self._at, self._by = nth, after, "", by
        self._lock = threading.Lock()
        self._child = threading.Event()
        self.pid = 0
        #: What was asked, in order, and what of it was served.
        self.asked: list[str] = []
        self.served: list[str] = []

    def watch(self, pid: int) -> None:
        self.pid = pid
        self._child.set()

    def stop(self) -> None:
        """The next child lives."""
        self._nth, self._at = 0, ""

    def kill_at(self, what: str, *, after: bool) -> None:
        """Kills the next child at its first request of this kind."""
        self._at, self._after = what, after
        self._child.clear()

    @property
    def killed_at(self) -> str:
        return self.asked[self._nth - 1] if 0 < self._nth <= len(self.asked) else ""

    def serve(self, what: str, deliver: Callable[[], Any]) -> Any:
        """What deliver() returns, or None where nobody is left to be answered."""
        with self._lock:
            self.asked.append(what)
            is_last = len(self.asked) == self._nth or what == self._at
        if is_last and not self._after:
            self._kill()
            return None
        answer = deliver()
        self.served.append(what)
        if is_last:
            self._kill()
            return None
        return answer

    def _kill(self) -> None:
        assert self._child.wait(_SECONDS)
        os.kill(self.pid, self._by)


class KilledProvider(HttpReq):
    """A DNS provider whose requests count as the CA's do."""

    def __init__(self, sink: TxtSink | None, killer: Killer) -> None:
        self._killer = killer
        #: The values that are there, by name.
        self.records: list[tuple[str, str]] = []
        super().__init__(sink)

    def answer(self, request: Request) -> Reply:
        return self._killer.serve(f"provider {request.path}", lambda: self._answer(request)) or Reply(503)

    def _answer(self, request: Request) -> Reply:
        reply = super().answer(request)
        record = request.json()
        name, value = str(record["fqdn"]), str(record["value"])
        if request.path == "/present" and (name, value) not in self.records:
            self.records.append((name, value))
        if request.path == "/cleanup" and (name, value) in self.records:
            self.records.remove((name, value))
        return reply


@dataclass
class World:
    """A store, a CA behind a proxy and a way to prove names, all for one certificate."""

    name: str
    store: Path
    proxy: FaultProxy
    provider: KilledProvider
    killer: Killer
    ca_bundle: Path
    webroot: Path | None = None
    options: Mapping[str, object] = field(default_factory=dict)
    #: Of the database that is the store; empty for the folder.
    url: str = ""

    def command(self, **options: object) -> list[str]:
        given: dict[str, object] = {"-directory": self.proxy.directory, "-store": self.url or self.store}
        given |= {"-timeout": 30, "-ca_bundle": self.ca_bundle}
        if self.webroot:
            given |= {"-webroot": self.webroot}
        else:
            given |= {"-provider": "generic", "-endpoint": self.provider.url, "-propagation_timeout": 0}
            given |= {"-api_key_env": "KILLED_TOKEN"}
        given |= self.options | options
        return ["obtain_certificate", self.name, *(str(w) for pair in given.items() for w in pair)]

    def start(self, *under: str, words: list[str] | None = None) -> subprocess.Popen[str]:
        script = self.store.parent / "child.tcl"
        if not script.exists():
            script.write_text(_SCRIPT)
        argv = [*under, _TCLSH, str(script), str(_TREE), *(words or self.command())]
        environment = os.environ | {"KILLED_TOKEN": self.provider.token}
        pipe = subprocess.PIPE
        return subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True, env=environment)

    def run(self, *under: str, words: list[str] | None = None) -> Outcome:
        child = self.start(*under, words=words)
        self.killer.watch(child.pid)
        out, err = child.communicate(timeout=_SECONDS)
        return Outcome(child.returncode, out, err)

    def again(self, words: list[str] | None = None) -> Outcome:
        """The same call, by somebody who knows nothing yet: in the short form in this process, which is quicker."""
        if ALL:
            return self.run(words=words)
        clients.reset()
        os.environ["KILLED_TOKEN"] = self.provider.token
        try:
            found = Tcl().try_acme(*(words or self.command()))
        finally:
            del os.environ["KILLED_TOKEN"]
        return Outcome(1, "", found.message) if isinstance(found, Failure) else Outcome(0, found, "")

    @property
    def kept(self) -> Store:
        return open_store(self.url or str(self.store))

    def file(self, name: str) -> str:
        return read_texts(self.kept, f"certificates/{self.name}").get(name, "")

    def check_pair(self) -> None:
        """Certificate and key in force fit each other."""
        certificate = read_chain(self.file("fullchain.pem"))
        assert public_der(load_private_key(self.file("privkey.pem"))) == certificate.public_key

    @property
    def left(self) -> list[object]:
        """What is still presented."""
        files = [path for path in self.webroot.rglob("*") if path.is_file()] if self.webroot else []
        return [*files, *self.provider.records]

    def spent(self, resource: str) -> int:
        return self.killer.served.count(resource)


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@contextmanager
def opened(
    folder: Path,
    directory: str,
    certificates: Certificates,
    sink: TxtSink,
    killer: Killer,
    *,
    webroot: Path | None = None,
    url: str = "",
    **options: object,
) -> Iterator[World]:
    """A world of its own, in which the killer sees every request."""
    folder.mkdir(parents=True, exist_ok=True)
    provider = KilledProvider(sink, killer)
    try:
        with FaultProxy(directory, certificates) as proxy:
            proxy.fault(_killing(killer), times=None)
            name = f"killed{next(_NUMBERS)}.example.com"
            yield World(name, folder / "store", proxy, provider, killer, certificates.ca_bundle, webroot, options, url)
    finally:
        provider.stop()


def _killing(killer: Killer) -> Callable[[Exchange], None]:
    def act(exchange: Exchange) -> None:
        answer = killer.serve(resource_of(exchange.path), exchange.deliver)
        if answer is not None:
            exchange.send(answer)
        else:
            exchange.connection()

    return act


def resource_of(path: str) -> str:
    """What the ACME directory and its objects call what is at this path of Pebble."""
    return next((name for name, start in RESOURCES.items() if path.startswith(start)), path)


class Static:
    """A web server on a port of this machine: a path is looked for in every folder below `folder`."""

    def __init__(self, folder: Path, port: int, address: str = "127.0.0.1") -> None:
        class Handler(SimpleHTTPRequestHandler):
            def translate_path(self, path: str) -> str:
                below = path.lstrip("/")
                found = [root / below for root in folder.iterdir() if (root / below).is_file()]
                return str(found[0] if found else folder / below)

            def log_message(self, format: str, *args: object) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer((address, port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
