"""Files of the package's Tcl parts that go when their interpreter ends, or the process, in whatever way."""

from __future__ import annotations

import contextlib
import os

from ..context import Context
from ..context.farewell import Debt, owe

_SECONDS = 10.0


class TemporaryFiles:
    """The temporary files of one interpreter. A path is bytes in hexadecimal digits, as ::tossl::Path has it first."""

    def __init__(self) -> None:
        self._debts: dict[str, Debt] = {}

    def keep(self, path: str) -> None:
        """Removes this file at the end. Raises Cancelled once the process ends."""

        def remove(_context: Context) -> None:
            with contextlib.suppress(OSError):
                os.unlink(bytes.fromhex(path))  # noqa: PTH108 - pathlib takes no bytes

        self._debts[path] = owe(remove, of_thread=False)

    def remove(self, path: str) -> None:
        """Removes a file now."""
        debt = self._debts.pop(path, None)
        if debt is not None:
            debt.settle(Context(_SECONDS).begin())

    def close(self) -> None:
        for path in list(self._debts):
            self.remove(path)
