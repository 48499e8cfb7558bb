"""What one process of tossl costs: loading, the first command, requests, memory, the event loop."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Mapping, Sequence

from .clients import AS_MODULE, FLOOR, HERE, LEGO, TCLSH, TOSSL, Client, environment, is_installed, tossl_words
from .ground import Ground, Place
from .issuance import jobs, new_names, settled
from .table import Aim, Table, milliseconds
from .timing import Command, Took, in_turn, median_cpu, median_wall, run

_HELD = "obtain_certificate, held"
_MODULE = "package require tossl, a module"
_SCRIPTS = {
    "first command": "package require tossl; tossl::acme::directory {directory} -ca_bundle {ca_bundle}",
    "package require tossl": "package require tossl",
    # What Tcl takes to look through the packages of this machine is no package's own cost.
    "no such package": "catch {{package require no-such-package}}",
    # Before the rounds it is run twice: it gets the certificate, and asks once for its renewal information.
    _HELD: (
        "package require tossl; tossl::acme::obtain_certificate held.example.com -directory {directory} "
        "-ca_bundle {ca_bundle} -webroot {webroot} -store {folder}/held"
    ),
    _MODULE: "package require tossl",
    "package require tls": "catch {{package require tls}}",
    "bare tclsh": "",
}
_CALLS = 'package require tossl; puts "call [lindex [time {tossl::job::list} 10000] 0]"'
_CALL = re.compile(r"^call ([\d.]+)", re.M)
_PEAK = re.compile(r"^peak ([\d.]+)$", re.M)
_GAP = re.compile(r"^gap ([\d.]+)$", re.M)


def loading(ground: Ground, runs: int) -> Table:
    """`package require` beside Tcl's own search, and the first command that goes to the CA."""
    place = settled(ground)
    contenders = {}
    for name, text in _SCRIPTS.items():
        path = place.folder / f"{name}.tcl"
        path.write_text(text.format_map(vars(place)))
        found_by = {} if name in (_MODULE, _HELD) else dict.fromkeys(AS_MODULE, "")
        contenders[name] = _runner(Command([TCLSH, str(path)]), place, found_by)
    for _time in range(2):
        contenders[_HELD]()
    found, _ = in_turn(contenders, runs, ground.restart, least=len(contenders))
    aims = [
        _difference("package require, over a tclsh that looks for a package", found, 1, 2, 10),
        _difference("first command, over package require", found, 0, 1, 60),
    ]
    path = place.folder / "calls.tcl"
    path.write_text(_CALLS)
    each = _number(_CALL, run(Command([TCLSH, str(path)]), environment(place)).output)
    text = (
        f"Each script runs as a whole process, in turn; median of {runs} rounds. "
        "The first command asks the CA for its directory. Tcl searches all packages of the machine, but for a module "
        "and for what is held. "
        f"A call that needs no network takes {each:.1f} µs."
    )
    rows = [(name, milliseconds(median_wall(took)), milliseconds(median_cpu(took))) for name, took in found.items()]
    return Table("package require and the first command", text, ("script", "wall, ms", "CPU, ms"), rows, aims)


def _difference(subject: str, found: Mapping[str, Sequence[Took]], one: int, other: int, most: float) -> Aim:
    more, less = (found[list(_SCRIPTS)[number]] for number in (one, other))
    gaps = [mine.wall - its.wall for mine, its in zip(more, less, strict=True)]
    return Aim(subject, statistics.median(gaps) * 1000, most, "ms")


def _runner(command: Command, place: Place, more: Mapping[str, str]) -> Callable[[], Took]:
    return lambda: run(command, environment(place) | more)


def requests(ground: Ground, proven: Ground, runs: int) -> Table:
    """Requests of one certificate, by the CA's log. `proven`: a CA that takes names as proven that were so before."""

    def median(count: Callable[[], int]) -> float:
        return statistics.median(count() for _ in range(runs))

    aims = [
        Aim("first certificate on a known account, new process", median(lambda: _first(ground)), 9, "requests"),
        Aim("a further one in that process", median(lambda: _further(ground, new_names(2))), 7, "requests"),
        Aim(
            "a further one, its authorizations valid", median(lambda: _further(proven, new_names(1) * 2)), 4, "requests"
        ),
        Aim("a certificate that is held", median(lambda: _held(ground)), 0, "requests"),
    ]
    rows = [(TOSSL.name, aim.subject, f"{aim.measured:.0f}") for aim in aims]
    for client in filter(is_installed, (FLOOR, LEGO)):
        rows.append((client.name, aims[0].subject, str(_of_client(ground, client))))
    text = f"What the CA counts; median of {runs}, of the others once. "
    text += "Whoever polls before the CA is done needs a request more."
    return Table("Requests", text, ("client", "what", "requests"), rows, aims)


def _of_client(ground: Ground, client: Client) -> int:
    """Returns the requests of a client's second certificate: its account is known then."""
    place = ground.place(f"{client.name} {new_names(1)[0]}")
    client.register(place)
    run(client.command(place, new_names(1)), environment(place))
    return _counted(ground, client.command(place, new_names(1)), place)


def _counted(ground: Ground, command: Command, place: Place, more: Mapping[str, str] | None = None) -> int:
    before = ground.requests()
    run(command, environment(place) | dict(more or {}))
    return ground.requests() - before


def _first(ground: Ground) -> int:
    place = settled(ground)
    return _counted(ground, TOSSL.command(place, new_names(1)), place)


def _further(ground: Ground, names: Sequence[str]) -> int:
    """Returns how many more requests a process needs for both names than another one for its one name."""
    place, force = settled(ground), {"BENCH_FORCE": "1"}
    words = [TCLSH, str(HERE / "issue.tcl"), *tossl_words(place)]
    both = _counted(ground, Command([*words, *names]), place, force)
    return both - _counted(ground, Command([*words, *new_names(1)]), place, force)


def _held(ground: Ground) -> int:
    place, names = settled(ground), new_names(1)
    run(TOSSL.command(place, names), environment(place))
    return _counted(ground, TOSSL.command(place, names), place)


def memory(ground: Ground, runs: int) -> Table:
    """The peak of one issuance, as the kernel counts it (VmHWM)."""
    peaks = {}
    for client in (TOSSL, FLOOR):
        place = ground.place(client.name)
        said = [run(client.command(place, new_names(1)), environment(place)).output for _ in range(runs)]
        peaks[client.name] = statistics.median(_number(_PEAK, output) for output in said)
    rows = [(name, f"{peak:.1f}") for name, peak in peaks.items()]
    aims = [Aim("peak memory of one issuance", peaks[TOSSL.name], 45, "MB")]
    return Table("Memory", "Most of the process's memory that was in use at a time.", ("client", "MB"), rows, aims)


def gap(ground: Ground, runs: int, count: int) -> Table:
    """The event loop's longest gap while jobs run."""
    place = settled(ground)
    contenders = {"tossl": lambda: run(jobs(ground.place(TOSSL.name), count, count, ticks=True), environment(place))}
    found, _ = in_turn(contenders, runs, ground.restart)
    worst = statistics.median(_number(_GAP, took.output) for took in found["tossl"])
    text = (
        f"The longest time that a timer of 1 ms had to wait while {count} jobs ran at a time; median of {runs} runs. "
        "On a machine whose processors are all in use, others' work is in it."
    )
    aims = [Aim(f"event loop's longest gap with {count} jobs", worst, 50, "ms")]
    return Table("The event loop", text, ("jobs", "longest gap, ms"), [(str(count), f"{worst:.0f}")], aims)


def _number(pattern: re.Pattern[str], output: str) -> float:
    found = pattern.search(output)
    assert found, output
    return float(found[1])
