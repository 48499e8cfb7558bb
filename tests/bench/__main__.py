"""What tossl costs, side by side with what a user would take instead.

python -m tests.bench ?short? ?--round-trip SECONDS? ?--rounds MOST?

The whole run takes about twelve minutes on an idle machine, and writes docs/BENCHMARKS.md and its plot; `short` prints
the ratios in two minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.servers.debian import program_of
from tests.servers.far import ROUND_TRIP_SECONDS
from tests.servers.process import ServerError

from . import issuance, others, page, process, stores
from .clients import LEGO, OTHERS
from .ground import Ground
from .table import Table
from .timing import RunFailed, Stuck

Section = Callable[[], Table]


def short(ground: Ground, proven: Ground, _folder: Path, _rounds: int) -> Iterator[Section]:
    """The ratios that tell of a regression."""
    tiny = [client for client in OTHERS if client.name == "acme-tiny"]
    yield partial(issuance.one_certificate, ground, 4, names=1, far=True, others=[LEGO])
    yield partial(issuance.one_certificate, ground, 1, names=20, far=True, others=[LEGO])
    yield partial(issuance.one_certificate, ground, 5, names=1, far=False, others=tiny)
    yield partial(issuance.in_one_process, ground, 1, 20)
    yield partial(process.loading, ground, 7)
    yield partial(process.requests, ground, proven, 1)
    yield partial(process.memory, ground, 1)
    yield partial(process.gap, ground, 1, 20)


def whole(ground: Ground, proven: Ground, folder: Path, rounds: int) -> Iterator[Section]:
    """Everything; no comparison has more than `rounds`."""
    most = partial(min, rounds)
    yield partial(issuance.one_certificate, ground, most(7), names=1, far=True, few=2)
    yield partial(issuance.one_certificate, ground, most(5), names=20, far=True, few=1)
    yield partial(issuance.at_once, ground, most(2), 24)
    yield partial(issuance.one_certificate, ground, most(7), names=1, far=False, few=2)
    yield partial(issuance.in_one_process, ground, most(5), 50)
    yield partial(process.loading, ground, most(11))
    yield partial(process.requests, ground, proven, most(3))
    yield partial(process.memory, ground, most(5))
    yield partial(process.gap, ground, most(5), 20)
    yield partial(stores.renewing, ground, 1000, 10)
    yield partial(_asking, folder / "ari", 1000)
    yield partial(stores.growing, ground, (100, 1000, 10000))
    yield others.many_names
    yield partial(others.connections, 20, 100)
    yield partial(others.managing, 1000, 30)


def _asking(folder: Path, count: int) -> Table:
    """Debian 12's Pebble has no renewal information."""
    with Ground(folder, binary=program_of("pebble", "usr/bin/pebble")) as ground:
        return stores.asking(ground, count)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("form", nargs="?", choices=["whole", "short"], default="whole")
    parser.add_argument("--round-trip", type=float, default=ROUND_TRIP_SECONDS, metavar="SECONDS")
    parser.add_argument("--rounds", type=int, default=99, help="at most so many rounds of the whole run")
    options = parser.parse_args()
    sections = short if options.form == "short" else whole
    load, failed, tables = os.getloadavg()[0], [], []
    with tempfile.TemporaryDirectory(prefix="tossl-bench-") as name:
        folder = Path(name)
        grounds = [Ground(folder / "plain", round_trip=options.round_trip), Ground(folder / "proven", reuse=100)]
        with grounds[0] as ground, grounds[1] as proven:
            for section in sections(ground, proven, folder, options.rounds):
                try:
                    tables.append(section())
                except (RunFailed, Stuck, ServerError) as error:
                    failed.append(str(error))
                    print(f"\nfailed: {error}", file=sys.stderr, flush=True)
                    continue
                print(*page.as_text(tables[-1:]), sep="\n", flush=True)
                if sections is whole:
                    page.write(tables, f"{options.round_trip * 1000:.0f} ms away", load, failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
