"""Pebble, Let's Encrypt's ACME server for tests: started on ports of this machine that nobody else has."""

from __future__ import annotations

import http.client
import json
import random
import shutil
import ssl

from ...context import Backoff, Context
from ...errors import ResourceError, TosslError
from ...files import FilePath
from ...text import clean
from .guard import Guard
from .workspace import Workspace

#: Below the ports that systems give to outgoing connections.
_PORTS = range(12000, 32000)
#: How often ports are chosen anew, because somebody else took one first.
_MOST_TRIES = 20
#: Seconds of one request to it.
_REQUEST_SECONDS = 1.0
_LAST_CHARS = 2000


def find_pebble() -> str:
    """Returns the path of the program; empty if it is not installed."""
    return shutil.which("pebble") or ""


def check_pebble() -> None:
    """Raises TosslError PACKAGE pebble if it is not installed."""
    if not find_pebble():
        how = "Debian and Ubuntu: apt install pebble; else https://github.com/letsencrypt/pebble"
        raise TosslError(f"-acme needs the ACME server Pebble, and no program pebble is in the PATH: {how}",
                         "PACKAGE", "pebble")  # fmt: skip


class Pebble:
    """A Pebble that takes every challenge as fulfilled, so that no name needs to exist; it ends with the workspace.

    directory: its directory URL. root: the certificate (PEM) that those it issues lead to.
    """

    def __init__(self, context: Context, workspace: Workspace, root: str, files: dict[str, FilePath]) -> None:
        """root, files: the CA of Pebble's own TLS certificate, and that certificate with its key.

        Raises ResourceError if it does not start, with what it says.
        """
        self._trust = ssl.create_default_context(cadata=root)
        self._files = files
        for number in range(_MOST_TRIES):
            ports = random.sample(_PORTS, k=4)
            guard, log = self._begun(workspace, ports, number)
            if self._awaited(context, guard, ports):
                self.directory = f"https://127.0.0.1:{ports[0]}/dir"
                return
            guard.end()
            said = _last_of(log)
            if "address already in use" not in said:
                break
        raise ResourceError("pebble", f"Pebble does not start: {clean(said, _LAST_CHARS) or 'it says nothing'}")

    def _begun(self, workspace: Workspace, ports: list[int], number: int) -> tuple[Guard, FilePath]:
        settings = {
            "listenAddress": f"127.0.0.1:{ports[0]}",
            "managementListenAddress": f"127.0.0.1:{ports[1]}",
            "certificate": self._files["certificate"],
            "privateKey": self._files["private_key"],
            "httpPort": ports[2],
            "tlsPort": ports[3],
            "ocspResponderURL": "",
            "externalAccountBindingRequired": False,
        }
        config = workspace.write(f"pebble{number}.json", json.dumps({"pebble": settings}))
        log = workspace.folder / f"pebble{number}.log"
        variables = ("PEBBLE_VA_ALWAYS_VALID=1", "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0")
        server = ("env", *variables, find_pebble(), "-config", config)
        return workspace.guard(output=log, server=server), log

    def _awaited(self, context: Context, guard: Guard, ports: list[int]) -> bool:
        """Returns whether it answers, with its own certificate: another one may have the port. False once it ended."""
        pauses = Backoff(0.01, 0.1)
        while guard.is_standing:
            try:
                self._get(context, ports[0], "/dir")
                self.root = self._get(context, ports[1], "/roots/0")
                return guard.is_standing
            except (OSError, http.client.HTTPException):
                context.sleep(pauses.next(), "Pebble")
        return False

    def _get(self, context: Context, port: int, path: str) -> str:
        limit = context.poll_seconds("Pebble", _REQUEST_SECONDS)
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=limit, context=self._trust)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            text = answer.read(1 << 20).decode("utf-8", "replace")
        finally:
            connection.close()
        if answer.status != 200:
            raise http.client.HTTPException(str(answer.status))
        return text


def _last_of(log: FilePath) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
            return file.read()[-_LAST_CHARS:].strip()
    except OSError:
        return ""
