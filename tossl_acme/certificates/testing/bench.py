"""What one test program has: its CAs, and folders with the certificates that it made one by one."""

from __future__ import annotations

import os
from collections.abc import Mapping

from ...errors import ArgumentError, Cancelled
from ...files import FilePath
from .ca import Ca
from .workspace import Workspace


class Bench:
    """Safe for use by several threads."""

    def __init__(self) -> None:
        self._cas: dict[str, Ca] = {}
        self._workspaces: dict[tuple[int, str], Workspace] = {}
        self._is_closed = False
        self._count = 0

    def add(self, ca: Ca) -> None:
        """Takes a CA, to end it in close(). Raises Cancelled, and ends it, after that."""
        self._cas[ca.folder.word] = ca
        if self._is_closed:
            ca.close()
            raise Cancelled

    def keep(self, place: FilePath, certificate: Mapping[str, object]) -> dict[str, object]:
        """Writes a certificate into files in a temporary folder below `place`; returns its dict with the paths."""
        if self._is_closed:
            raise Cancelled
        of = (os.getpid(), place)  # a forked child has its parent's, which it leaves alone
        workspace = self._workspaces.get(of)
        if workspace is not None and not os.path.isdir(workspace.folder):  # noqa: PTH112 - a suite removed its `place`
            workspace.close()
            workspace = None
        if workspace is None:
            workspace = self._workspaces[of] = Workspace(place)
        self._count += 1
        return workspace.keep(f"certificate{self._count}", certificate)

    def issuer_in(self, words: Mapping[str, str]) -> dict[str, str]:
        """Returns the dict of an issuer; of the dict of a whole CA, that of its root."""
        if "private_key" in words or "folder" not in words:
            return dict(words)
        root = self._find(words, "issuer").certificates["root"]
        return {name: value for name, value in root.items() if isinstance(value, str)}

    def stop(self, words: Mapping[str, str]) -> None:
        """Ends the CA of this dict; without words each of them. Raises ArgumentError "ca"."""
        for ca in [self._find(words, "ca")] if words else list(self._cas.values()):
            self._cas.pop(ca.folder.word, None)
            ca.close()

    def close(self) -> None:
        """Ends all of it."""
        self._is_closed = True
        for workspace in list(self._workspaces.values()):
            workspace.close()
        for ca in list(self._cas.values()):
            ca.close()

    def _find(self, words: Mapping[str, str], argument: str) -> Ca:
        found = self._cas.get(words.get("folder", ""))
        if found is None:
            cause = "it must be the dict that ca start returned in this interpreter, of a CA that is not stopped"
            raise ArgumentError(argument, f"no such CA: {cause}")
        return found
