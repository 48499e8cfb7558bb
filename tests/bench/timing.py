"""Runs commands in turn, and says what each took: seconds of the clock and of the processor."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

#: Seconds until a CA that does not answer any more is started anew.
LIMIT_SECONDS = 90.0
_ATTEMPTS = 3
_LOOK_SECONDS = 0.002


class RunFailed(Exception):
    """A command ended with an error; its last words."""


class Stuck(Exception):
    """A command did not end in time."""


@dataclass(frozen=True)
class Command:
    """until: globs of files; a server, which does not end, is ended when all of them are there."""

    argv: Sequence[str]
    until: Sequence[str] = ()
    folder: Path = Path("/")


@dataclass(frozen=True)
class Took:
    wall: float
    cpu: float
    output: str


def run(command: Command, environment: Mapping[str, str], limit: float = LIMIT_SECONDS) -> Took:
    """Runs a command to its end. The processor's time is of its children, too."""
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        child = subprocess.Popen(
            command.argv, env=environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True
        )
        late = threading.Event()
        timer = threading.Timer(limit, _end, (child.pid, late))
        timer.start()
        try:
            ended = _until(command) if command.until else 0.0
            if ended:
                os.killpg(child.pid, signal.SIGTERM)
            _, status, usage = os.wait4(child.pid, 0)
            took = (ended or time.perf_counter()) - began
        finally:
            timer.cancel()
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read().decode(errors="replace")
    if late.is_set():
        raise Stuck(f"{command.argv[0]} did not end within {limit:g} s")
    if child.returncode and not ended:
        raise RunFailed(f"{command.argv[0]} ended with {child.returncode}: {output[-2000:]}")
    return Took(took, usage.ru_utime + usage.ru_stime, output)


def _end(pid: int, late: threading.Event) -> None:
    late.set()
    os.killpg(pid, signal.SIGKILL)


def _until(command: Command) -> float:
    """Waits for the files, and returns the time when they were there; 0 if the time was over before."""
    last = time.perf_counter() + LIMIT_SECONDS
    while not all(any(command.folder.glob(pattern)) for pattern in command.until):
        if time.perf_counter() > last:
            return 0.0
        time.sleep(_LOOK_SECONDS)
    return time.perf_counter()


def in_turn(
    contenders: Mapping[str, Callable[[], Took]],
    runs: int,
    restart: Callable[[], None],
    *,
    least: int = 1,
    first_counts: bool = False,
    few: Mapping[str, int] | None = None,
) -> tuple[dict[str, list[Took]], dict[str, str]]:
    """Runs all in turn, round by round, after one round that does not count, unless `first_counts`.

    restart: called when one was stuck, before it is tried again. few: contenders that take part in the first rounds
    alone, and in how many that count. Returns what each took, and why others were left out; the first `least`
    contenders are never left out.
    """
    few = few or {}
    found: dict[str, list[Took]] = {name: [] for name in contenders}
    left_out: dict[str, str] = {}
    for round_ in range(first_counts, runs + 1):
        for number, (name, once) in enumerate(contenders.items()):
            if name in left_out or round_ > few.get(name, runs):
                continue
            try:
                took = _patiently(once, restart)
            except (RunFailed, Stuck) as error:
                if number < least:
                    raise
                left_out[name] = str(error)
                continue
            if round_:
                found[name].append(took)
    return {name: took for name, took in found.items() if name not in left_out}, left_out


def _patiently(once: Callable[[], Took], restart: Callable[[], None]) -> Took:
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return once()
        except Stuck:
            restart()
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError("not reached")


def median_wall(took: Sequence[Took]) -> float:
    return statistics.median(one.wall for one in took)


def median_cpu(took: Sequence[Took]) -> float:
    return statistics.median(one.cpu for one in took)


def paired_ratio(mine: Sequence[Took], other: Sequence[Took], of: Callable[[Took], float]) -> float:
    """Returns the median of the ratios, each of two that ran in the same round: the other may have run in fewer."""
    return statistics.median(of(one) / of(two) for one, two in zip(mine, other, strict=False))
