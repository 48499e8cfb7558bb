"""docs/BENCHMARKS.md: the aims beside what was measured, then each table."""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version as package_version
from pathlib import Path

from . import plot
from .clients import FLOOR, OTHERS, TCLSH, is_installed, version
from .ground import TREE
from .table import Aim, Table

PAGE, PLOT = TREE / "docs" / "BENCHMARKS.md", TREE / "docs" / "benchmarks.svg"
_LIBRARIES = ("cryptography", "requests", "urllib3")
_SERVERS = ("pebble", "nginx")
_INTRODUCTION = """\
# Benchmarks

`make bench` wrote this page; `make bench-short` prints the ratios in two minutes.

All clients run on one machine, with one CA (Pebble), in one run: each in turn, round by round. "tossl : it" is the
median of the ratios of two that ran in the same round, so that it says more than the milliseconds; below 1 tossl is
ahead. What a client does before its first order (an account, a first start) is done before. nginx serves the challenges
of all. tclsh finds tossl as a [Tcl module](install.md#as-a-tcl-module), as Debian's packages install it; by TCLLIBPATH
alone a process takes some 10 ms more here, where tcllib is installed.

A CA is 30 to 150 ms away from most of its clients. "{distance}" means a relay in front of Pebble: connecting takes one
round trip, and each direction half of one.

The floor is a Python script ([reference.py](../tests/bench/reference.py)) that does nothing but the protocol, one
request after the other on one connection, on an account whose URL it has. It keeps nothing on the disk, checks nothing
that the CA answers, and polls after 5 ms. Its second form sends the same requests by libcurl.
"""


def write(tables: Sequence[Table], distance: str, load: float, failed: Sequence[str] = ()) -> None:
    """Writes the page and, if matplotlib is there, its plot.

    load: how many processes wanted a processor before the bench began. failed: what could not be measured.
    """
    compared = [table for table in tables if table.bars]
    if compared and importlib.util.find_spec("matplotlib"):
        plot.draw(compared, PLOT)
    lines = [*_lines(tables, distance, load), *(f"\nNot measured: {_first_line(why)}" for why in failed)]
    PAGE.write_text("\n".join(lines) + "\n")


def as_text(tables: Sequence[Table]) -> Iterator[str]:
    """Yields the lines for a terminal."""
    for table in tables:
        yield f"\n{table.title}"
        widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
        for row in (table.head, *table.rows):
            yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for name, why in table.left_out.items():
            yield f"  left out: {name}: {why}"
        for aim in table.aims:
            yield f"  {_verdict(aim)}: {aim.subject}: {_number(aim.measured)} {aim.unit}, at most {_number(aim.most)}"


def _lines(tables: Sequence[Table], distance: str, load: float) -> Iterator[str]:
    yield _INTRODUCTION.format(distance=distance)
    yield from _circumstances(load)
    if PLOT.exists():
        yield f"\n![wall time of each client]({PLOT.name})"
    yield "\n## Aims\n"
    yield from _markdown(("", "aim: at most", "measured", "unit", "met"), list(map(_aim_row, _aims(tables))))
    for table in tables:
        yield f"\n## {table.title}\n"
        yield f"{table.text}\n"
        yield from _markdown(table.head, table.rows)
        yield from (f"\nLeft out: {name}: {_first_line(why)}" for name, why in table.left_out.items())


def _circumstances(load: float) -> Iterator[str]:
    yield "## Where and when\n"
    yield f"- {time.strftime('%Y-%m-%d', time.gmtime())}, {_processor()}, {os.cpu_count()} processors, {_memory()}"
    kernel = platform.release().partition("-")[0]
    yield f"- {_system()}, Linux {kernel}, Python {platform.python_version()}, Tcl {_tcl()}"
    if load > 1:
        yield (
            f"- **The machine was busy with other work**: its load was {load:.1f} when this began. "
            "The milliseconds are longer than on an idle one, and who needs more of the processor waits longer."
        )
    yield f"- {', '.join(f'{name} {package_version(name)}' for name in _LIBRARIES)}"
    yield f"- {', '.join(f'{name} {_debian(name)}' for name in _SERVERS)}"
    installed = [f"{client.name} {version(client)}" for client in OTHERS if is_installed(client)]
    yield f"- {', '.join(installed)}; {FLOOR.name}: {Path(sys.executable).name}, libcurl {_debian('curl')}"


def _aims(tables: Sequence[Table]) -> Iterator[Aim]:
    for table in tables:
        yield from table.aims


def _aim_row(aim: Aim) -> tuple[str, ...]:
    return aim.subject, _number(aim.most), _number(aim.measured), aim.unit, _verdict(aim)


def _verdict(aim: Aim) -> str:
    return "met" if aim.is_met else "not met"


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def _markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{' --- |' * len(head)}"
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _first_line(text: str) -> str:
    return text.partition("\n")[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GB"


def _system() -> str:
    return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())


def _tcl() -> str:
    return subprocess.run([TCLSH], input="puts [info patchlevel]", capture_output=True, text=True).stdout.strip()


def _debian(package: str) -> str:
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", package], capture_output=True, text=True)
    return done.stdout.strip() or "(not Debian's)"
