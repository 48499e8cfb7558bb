"""Certificates of several clients, far away and at hand."""

from __future__ import annotations

import itertools
import shlex
from collections.abc import Callable, Mapping, Sequence

from .clients import (
    CURL,
    FLOOR,
    HERE,
    LEGO,
    OTHERS,
    TCLSH,
    TOSSL,
    Client,
    environment,
    is_installed,
    tossl_words,
)
from .ground import Ground, Place
from .table import Table, compared, cpu, ratio_aim
from .timing import Command, Took, in_turn, run

_NUMBERS = itertools.count()
#: Jobs at a time, at hand; the first number is compared. Python computes in one thread at a time: while one job does,
#: the other waits for the CA or the disk. More than these wait for each other, and are woken in vain.
_AT_A_TIME = (2, 8)
#: Why no figure of these is there for a certificate of many names.
_NOT_FOR_MANY = {
    "dehydrated": "it opens a connection for each request, and would take minutes",
    "caddy": "it gets a certificate for each name",
}


def new_names(count: int) -> list[str]:
    """Returns names that no client has asked for before."""
    return [f"n{next(_NUMBERS)}.example.com" for _ in range(count)]


class Contest:
    """One kind of order, for several clients in turn."""

    def __init__(self, ground: Ground, *, far: bool, first_counts: bool = False) -> None:
        self._ground, self._far, self._first_counts = ground, far, first_counts

    def runs(
        self,
        commands: Mapping[str, tuple[Client, Callable[[Place], Command]]],
        runs: int,
        few: Mapping[str, int] | None = None,
    ) -> tuple[dict[str, list[Took]], dict[str, str]]:
        """Runs each client's command in turn: its seconds, and the clients that were left out with why.

        few: clients that take part in so many rounds alone.
        """
        missing = {name: "not installed" for name, (client, _) in commands.items() if not is_installed(client)}
        contenders = {
            name: self._runner(client, command) for name, (client, command) in commands.items() if name not in missing
        }
        found, failed = in_turn(contenders, runs, self._ground.restart, first_counts=self._first_counts, few=few)
        return found, missing | failed

    def _runner(self, client: Client, command: Callable[[Place], Command]) -> Callable[[], Took]:
        def once() -> Took:
            place = self._ground.place(client.name, far=self._far)
            if self._ground.is_new(place):
                client.register(place)
            return run(command(place), environment(place))

        return once


def one_certificate(
    ground: Ground, runs: int, *, names: int, far: bool, others: Sequence[Client] = OTHERS, few: int = 99
) -> Table:
    """One certificate of so many names, a whole process each, on a known account.

    few: rounds of the clients that no aim is about: some of them take half a minute.
    """
    unfit = _NOT_FOR_MANY if names > 1 else {}
    clients = [TOSSL, FLOOR, CURL, *(client for client in others if client.name not in unfit)]
    commands = {client.name: (client, _one(client, names)) for client in clients}
    beside = (TOSSL.name, FLOOR.name, CURL.name, LEGO.name if far else "acme-tiny")
    slow = {name: min(few, runs) for name in commands if name not in beside}
    # By then each has its account, of the contest for one name.
    found, left_out = Contest(ground, far=far, first_counts=names > 1).runs(commands, runs, slow)
    left_out |= {client.name: unfit[client.name] for client in others if client.name in unfit}
    where = f"{ground.round_trip * 1000:.0f} ms away" if far else "at hand"
    named = "one name" if names == 1 else f"{names} names"
    subject = f"{named}, {where}"
    if far:
        aims = ratio_aim(subject, found, LEGO.name, 0.9 if names == 1 else 0.3)
    else:
        aims = [*ratio_aim(subject, found, FLOOR.name, 1.2), *ratio_aim(subject, found, "acme-tiny", 1.0)]
    text = f"One certificate of {named}. "
    text += f"Each client runs as a whole process, with a known account; median of {runs} rounds"
    text += f" ({', '.join(slow)}: {min(few, runs)})." if few < runs and slow else "."
    if not far:
        text += " A client that asks before the CA is done waits, some for seconds, before it asks again."
    return compared(subject[0].upper() + subject[1:], text, found, aims=aims, left_out=left_out)


def _one(client: Client, count: int) -> Callable[[Place], Command]:
    return lambda place: client.command(place, new_names(count))


def at_once(ground: Ground, runs: int, count: int) -> Table:
    """Many certificates far away: tossl's side by side in one process, the others' one after the other."""
    commands: dict[str, tuple[Client, Callable[[Place], Command]]] = {
        TOSSL.name: (TOSSL, lambda place: jobs(place, count, count)),
        FLOOR.name: (FLOOR, lambda place: FLOOR.many(place, [[name] for name in new_names(count)])),
        LEGO.name: (LEGO, lambda place: _one_by_one(LEGO, place, count)),
    }
    found, left_out = Contest(ground, far=True, first_counts=True).runs(commands, runs)
    text = (
        f"{count} certificates of one name: jobs of one tclsh; one process of the floor, one after the "
        f"other; {count} processes of lego in turn. The figures are of one certificate; median of {runs} rounds."
    )
    title = f"{count} certificates, {ground.round_trip * 1000:.0f} ms away"
    return compared(title, text, found, left_out=left_out, each=count)


def in_one_process(ground: Ground, runs: int, count: int) -> Table:
    """Many certificates at hand, in one process each."""
    commands: dict[str, tuple[Client, Callable[[Place], Command]]] = {
        **{f"tossl, {number} jobs at a time": (TOSSL, _jobs(number, count)) for number in _AT_A_TIME},
        "tossl, in turn": (TOSSL, lambda place: _in_turn(place, count)),
        FLOOR.name: (FLOOR, lambda place: FLOOR.many(place, [[name] for name in new_names(count)])),
    }
    found, left_out = Contest(ground, far=False).runs(commands, runs)
    subject = f"{count} in one tclsh, at hand"
    aims = [*ratio_aim(subject, found, FLOOR.name, 0.7), *ratio_aim(subject, found, FLOOR.name, 2.0, cpu)]
    text = (
        f"{count} certificates of one name in one process: as jobs (8 at a time unless `tossl::job::configure "
        "-parallel` says otherwise), or one after the other. Python computes in one thread at a time: at hand, more "
        "than two jobs wait for each other; far away, more are faster. The figures are of one certificate; "
        f"median of {runs} rounds."
    )
    return compared(subject, text, found, aims=aims, left_out=left_out, each=count)


def jobs(place: Place, parallel: int, count: int, *, ticks: bool = False) -> Command:
    """Returns what gets so many certificates side by side. ticks: it says the longest gap of the event loop."""
    words = [*tossl_words(place), str(parallel), str(int(ticks))]
    return Command([TCLSH, str(HERE / "jobs.tcl"), *words, *new_names(count)])


def _jobs(parallel: int, count: int) -> Callable[[Place], Command]:
    return lambda place: jobs(place, parallel, count)


def _in_turn(place: Place, count: int) -> Command:
    return Command([TCLSH, str(HERE / "issue.tcl"), *tossl_words(place), *new_names(count)])


def _one_by_one(client: Client, place: Place, count: int) -> Command:
    commands = (client.command(place, [name]).argv for name in new_names(count))
    return Command(["sh", "-c", " && ".join(shlex.join(argv) for argv in commands)])


def settled(ground: Ground) -> Place:
    """Returns tossl's place at hand, with an account in its store."""
    place = ground.place(TOSSL.name)
    if not (place.folder / "store").exists():
        run(TOSSL.command(place, new_names(1)), environment(place))
    return place
