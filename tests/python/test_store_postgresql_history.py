"""What processes did at once, directly and through pgbouncer, is one history: each was stopped, killed and cut off."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.postgresql import PgBouncer, PostgreSQL

NAMES = ("certificates/a", "certificates/b")
_ROOT = Path(__file__).parents[2]
_SECONDS = 25.0
#: Of all processes here one clock, which none of them sets.
_WORKER = """
import json, random, sys, time
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, TosslError
from tossl_acme.store.postgresql.store import PostgreSQLStore

url, path, seed = sys.argv[1:4]
names = sys.argv[4:]
chance, store, number = random.Random(seed), PostgreSQLStore(url), 0
with open(path, "a", buffering=1) as file:
    def note(kind, name, begun, **more):
        print(json.dumps({"kind": kind, "name": name, "begun": begun, "ended": time.monotonic(), **more}), file=file)

    while True:
        name = chance.choice(names)
        begun = time.monotonic()
        try:
            if chance.random() < 0.5:
                note("read", name, begun, values={k: v.decode() for k, v in (store.read(name) or {}).items()})
                continue
            with store.locked(Context(10).begin(), name) as lock:
                note("taken", name, begun, epoch=lock.epoch)
                for _ in range(chance.randrange(4)):
                    number += 1
                    word = f"{seed}-{number}"
                    begun = time.monotonic()
                    note("begun", name, begun, epoch=lock.epoch, word=word)
                    time.sleep(chance.random() * 0.05)
                    try:
                        store.write(lock, {f"{part}{number % 3}": word.encode() for part in "abc"})
                        note("written", name, begun, epoch=lock.epoch, word=word)
                    except ArgumentError as error:
                        if error.message.endswith("nothing was written"):
                            note("refused", name, begun, epoch=lock.epoch, word=word)
                        break
        except TosslError:
            pass
"""


@dataclass
class Write:
    """One write: what it wrote, under which epoch as the how manieth, and when; ended is infinite if nobody knows."""

    epoch: int
    begun: float
    ended: float = float("inf")
    is_refused: bool = False

    @property
    def order(self) -> tuple[int, float]:
        return self.epoch, self.begun


def _disturb(rng: random.Random, workers: list[subprocess.Popen[bytes]], server: PostgreSQL) -> int:
    """Does one of them something; returns which is to be replaced, -1 if none."""
    which = rng.randrange(len(workers))
    what = rng.choice(("stop", "stop", "kill", "cut"))
    if what == "cut":
        server.cut_connections()
    elif what == "kill":
        workers[which].kill()
        return which
    else:
        workers[which].send_signal(signal.SIGSTOP)
        time.sleep(rng.choice((0.1, 1.5)))
        workers[which].send_signal(signal.SIGCONT)
    return -1


def _check(name: str, notes: list[dict[str, object]]) -> tuple[int, int]:
    """Holds the notes of one name to a single history; returns how many writes and reads were known."""
    taken = sorted((n for n in notes if n["kind"] == "taken"), key=lambda n: n["epoch"])  # type: ignore[arg-type,return-value]
    epochs = [n["epoch"] for n in taken]
    assert len(set(epochs)) == len(epochs), name
    for before, after in itertools.pairwise(taken):
        assert after["ended"] >= before["begun"], "an epoch went to whoever had asked and got it earlier"  # type: ignore[operator]
    writes: dict[str, Write] = {}
    for note in notes:
        word = str(note.get("word"))
        if note["kind"] == "begun":
            writes[word] = Write(int(str(note["epoch"])), float(str(note["begun"])))
        elif note["kind"] == "written":
            writes[word].ended = float(str(note["ended"]))
        elif note["kind"] == "refused":
            writes[word].is_refused = True
    known = sorted((w for w in writes.values() if w.ended < float("inf")), key=lambda w: w.order)
    for one, next_one in itertools.pairwise(known):
        assert next_one.ended >= one.begun, "a later holder's write had ended when an earlier holder's began"
    reads = []
    for note in notes:
        if note["kind"] != "read" or not note["values"]:
            continue
        words = set(note["values"].values())  # type: ignore[attr-defined]
        assert (len(words), len(note["values"])) == (1, 3), "not one whole set"  # type: ignore[arg-type]
        found = writes[words.pop()]
        assert not found.is_refused, "the store has values whose writing it refused"
        reads.append((float(str(note["begun"])), float(str(note["ended"])), found))
    for begun, ended, found in reads:
        assert found.begun <= ended
        assert all(found.order >= w.order for w in known if w.ended < begun), "what was written before was not read"
    for (_, ended, found), (begun, _, later) in itertools.product(reads, reads):
        assert ended >= begun or later.order >= found.order, "a later read found an earlier set"
    return len(known), len(reads)


@pytest.mark.skipif(os.environ.get("TOSSL_TEST_ALL") != "1", reason="make test-postgresql")
def test_one_history(postgresql: PostgreSQL, pgbouncer: PgBouncer, tmp_path: Path) -> None:
    postgresql.empty()
    seed = int(os.environ.get("TOSSL_TEST_SEED", "0")) or random.SystemRandom().randrange(10**6)
    print(f"TOSSL_TEST_SEED={seed}")
    rng, numbers = random.Random(seed), itertools.count()
    urls = (postgresql.url, pgbouncer.url_of("tossl"))

    def start() -> subprocess.Popen[bytes]:
        number = next(numbers)
        argv = [sys.executable, "-c", _WORKER, urls[number % 2], str(tmp_path / f"{number}.json"), f"{seed}.{number}"]
        return subprocess.Popen([*argv, *NAMES], cwd=_ROOT, env={**os.environ, "TOSSL_LEASE_SECONDS": "1"})

    workers = [start() for _ in range(6)]
    try:
        ends = time.monotonic() + _SECONDS
        while time.monotonic() < ends:
            time.sleep(rng.random() * 0.5)
            which = _disturb(rng, workers, postgresql)
            if which >= 0:
                workers[which].wait()
                workers[which] = start()
        assert [worker.poll() for worker in workers] == [None] * 6
    finally:
        for worker in workers:
            with contextlib.suppress(ProcessLookupError):
                worker.kill()
            worker.wait()
    notes: defaultdict[str, list[dict[str, object]]] = defaultdict(list)
    for path in tmp_path.glob("*.json"):
        for line in path.read_text().splitlines():
            with contextlib.suppress(json.JSONDecodeError):  # a killed process leaves half a line
                note = json.loads(line)
                notes[note["name"]].append(note)
    for name in NAMES:
        written, read = _check(name, notes[name])
        print(name, written, "writes", read, "reads")
        assert written > 20
        assert read > 20
