"""Many certificates in one store: looked at, renewed, and asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from .clients import HERE, TCLSH, environment, tossl_words
from .ground import Ground, Place
from .issuance import settled
from .table import Aim, Table
from .timing import Command, run

_SAID = re.compile(r"^(\w+) ([-\d.e]+)$", re.M)
_LIMIT_SECONDS = 600.0
#: How much more a certificate may take in a store of ten times the size.
_LINEAR = 1.5


def renewing(ground: Ground, count: int, due: int) -> Table:
    """A set in which a few are due."""
    place = settled(ground)
    store = _copies(place, count, due=due)
    before = ground.requests()
    said = _all(place, store, "renew")
    assert said["renewed"] == due, said
    row = (f"{count}, {due} due", str(ground.requests() - before), *_figures(said))
    return Table("Renewing a set", "One call of renew_certificates in a new process.", _HEAD, [row])


_HEAD = ("certificates", "requests", "wall, s", "CPU, s", "peak memory, MB")


def asking(ground: Ground, count: int) -> Table:
    """Renewal information (RFC 9773) of each certificate. `ground`: a CA that has it."""
    place = settled(ground)
    store = _copies(place, count, ask=True)
    before = ground.requests()
    said = _all(place, store, "renew")
    asked = ground.requests() - before
    assert asked >= count, said
    text = "One call of renew_certificates that asks the CA for each certificate's renewal information; none is due."
    return Table("Renewal information", text, _HEAD, [(str(count), str(asked), *_figures(said))])


def growing(ground: Ground, counts: Sequence[int]) -> Table:
    """Stores of several sizes, none of whose certificates is due."""
    place = settled(ground)
    rows, each = [], {}
    for count in counts:
        store = _copies(place, count)
        for what in ("list", "renew"):
            said = _all(place, store, what, runs=3)
            each[what, count] = said["processor"] / count
            rows.append((f"{what}_certificates", str(count), *_figures(said), f"{said['wall'] / count * 1000:.3f}"))
    unit = "x the CPU for each certificate"
    aims = [
        Aim(f"{what}_certificates, {counts[-1]} held beside {counts[-2]}", more / each[what, counts[-2]], _LINEAR, unit)
        for what in ("list", "renew")
        if (more := each[what, counts[-1]])
    ]
    text = "None is due, and nobody is asked: the best of three calls in one process."
    head = ("call", "certificates", "wall, s", "CPU, s", "peak memory, MB", "wall for each, ms")
    return Table("Growth", text, head, rows, aims)


def _copies(place: Place, count: int, *, due: int = 0, ask: bool = False) -> Path:
    store = place.folder / f"copies-{count}-{due}-{int(ask)}"
    if not store.exists():
        words = [*tossl_words(place), str(count), str(store), str(due), str(int(ask))]
        run(Command([TCLSH, str(HERE / "copies.tcl"), *words]), environment(place), _LIMIT_SECONDS)
    return store


def _all(place: Place, store: Path, what: str, runs: int = 1) -> dict[str, float]:
    return _run(place, [TCLSH, str(HERE / "all.tcl"), str(store), what, str(runs)])


def _run(place: Place, argv: Sequence[str]) -> dict[str, float]:
    output = run(Command(argv), environment(place), _LIMIT_SECONDS).output
    return {name: float(value) for name, value in _SAID.findall(output)}


def _figures(said: Mapping[str, float]) -> tuple[str, str, str]:
    return f"{said['wall']:.3f}", f"{said['processor']:.2f}", f"{said['peak']:.1f}"
