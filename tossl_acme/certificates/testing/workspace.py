"""A temporary folder for keys and certificates: removed by close(), else when this process ends, in whatever way."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from ...context import Context
from ...context.farewell import owe
from ...errors import Cancelled, ResourceError
from ...files import FilePath
from ..record import FILES
from .guard import Guard


def temporary_folder() -> tuple[str, str]:
    """Returns the variable that names the folder for temporary files, and the folder."""
    for variable in ("TMPDIR", "TEMP", "TMP"):
        if os.environ.get(variable):
            return variable, os.environ[variable]
    return "TMPDIR", "/tmp"  # noqa: S108 - a folder with a random name is made in it


class Workspace:
    """One such folder, in `place`. Only this user can enter it."""

    def __init__(self, place: FilePath) -> None:
        """Raises ResourceError."""
        self.folder = place / f"tossl-testing-{os.urandom(8).hex()}"
        self._guards: list[Guard] = []
        try:
            os.mkdir(self.folder, 0o700)  # noqa: PTH102 - pathlib loads slowly
        except OSError as error:
            raise ResourceError("files", f"no folder can be made in {place.shown}: {error.strerror}") from None
        try:
            self.guard(folder=self.folder)
            self._debt = owe(lambda _context: self._end(), of_thread=False)
        except BaseException:
            from shutil import rmtree  # it loads slowly

            self._end()
            rmtree(self.folder, ignore_errors=True)
            raise

    def guard(self, folder: str = "", output: str = "", server: tuple[str, ...] = ()) -> Guard:
        """Returns a guard that ends with the workspace."""
        guard = Guard(folder, output, server)
        self._guards.append(guard)
        return guard

    def write(self, name: str, text: str) -> FilePath:
        """Writes a new file that only this user can read; returns its path."""
        path = self.folder / name
        with self._writing():
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
        return path

    def make(self, name: str) -> FilePath:
        """Makes a folder; returns its path."""
        path = self.folder / name
        with self._writing():
            os.mkdir(path, 0o700)  # noqa: PTH102
        return path

    def keep(self, name: str, certificate: Mapping[str, object]) -> dict[str, object]:
        """Writes a certificate's PEM texts into a folder of that name; returns its dict with the paths as `files`."""
        self.make(name)
        files = {kind: self.write(f"{name}/{file}", str(certificate[kind])) for kind, file in FILES.items()}
        return {**certificate, "files": files}

    def close(self) -> None:
        """Ends its servers and removes the folder. The second time nothing happens."""
        self._debt.settle(Context(0))

    def check_open(self) -> None:
        """Raises Cancelled once it is closed."""
        if not self._debt.is_open:
            raise Cancelled

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.check_open()  # its end may be the cause
            raise ResourceError("files", f"cannot write in {self.folder.shown}: {error.strerror}") from error

    def _end(self) -> None:
        for guard in reversed(self._guards):
            guard.end()
