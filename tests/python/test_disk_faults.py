"""The disk refuses, or the process dies, at any file operation of a renewal, as the kernel sees it (strace).

Afterwards certificate and key fit each other: the old pair or the new one. The same call once more takes up what there
is. `make disk-faults` goes through every operation, `make test` through some.
"""

from __future__ import annotations

import collections
import inspect
import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.killing import ALL, Killer, Outcome, Static, World, opened
from tests.servers.certs import Certificates
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.sinks import ChallTestSrvSink
from tossl_acme.commands.acme import obtain

#: What the kernel calls what a store does.
CALLS = {
    "fsync": ("fsync", "fdatasync"),
    "rename": ("rename", "renameat", "renameat2"),
    "openat": ("openat",),
    "unlink": ("unlink", "unlinkat", "rmdir"),
}
FAULTS = ("KILL", "ENOSPC", "EIO", "EROFS")
#: The operations of the short form, as shares of all of their kind, each with a fault.
_SHORT = (("fsync", 0.5, "EIO"), ("rename", 0.3, "ENOSPC"), ("rename", 0.8, "KILL"), ("openat", 0.7, "EROFS"),
          ("unlink", 0.5, "EIO"), ("fsync", 0.9, "KILL"))  # fmt: skip


def can_trace() -> bool:
    """Whether strace is here and may trace: some containers forbid ptrace."""
    if shutil.which("strace") is None:
        return False
    probe = ["strace", "-f", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not can_trace(), reason="strace or ptrace is missing")


@dataclass(frozen=True)
class Point:
    """One operation of the renewal: the nth call of these names in the thread that issues."""

    kind: str
    name: str
    nth: int

    def strace(self, fault: str, log: Path) -> list[str]:
        what = "signal=SIGKILL" if fault == "KILL" else f"error={fault}"
        inject = f"inject={self.name}:{what}:when={self.nth}"
        # With --seccomp-bpf, which is quicker, strace delivers no signal.
        quick = [] if fault == "KILL" else ["--seccomp-bpf"]
        return ["strace", "-f", "-qq", *quick, "-o", str(log), "-e", f"trace={self.name}", "-e", inject]


class Disk:
    """A store with a certificate in it, copied for each fault."""

    def __init__(
        self, pebble: Pebble, certificates: Certificates, sink: ChallTestSrvSink, folder: Path, webroot: Path
    ) -> None:
        self._opened = pebble.directory, certificates, sink
        self._numbers = itertools.count()
        self._folder = folder
        self._webroot = webroot
        self._killer = Killer()
        force = {"-force": 1} if "force" in inspect.signature(obtain.obtain_certificate).parameters else {}
        self._context = opened(folder / "first", *self._opened, self._killer, webroot=self.web(), **force)
        self.first: World = self._context.__enter__()
        outcome = self.first.again()
        assert outcome.status == 0, outcome

    def web(self) -> Path:
        folder = self._webroot / f"{self._folder.name}-{next(self._numbers)}"
        folder.mkdir()
        return folder

    def stop(self) -> None:
        self._context.__exit__(None, None, None)

    def copy(self) -> World:
        """The same name at the same CA, with a store and a count of its own."""
        folder = self._folder / f"copy{next(self._numbers)}"
        folder.mkdir()
        shutil.copytree(self.first.store, folder / "store", symlinks=True)
        first = self.first
        return World(
            first.name,
            folder / "store",
            first.proxy,
            first.provider,
            Killer(),
            first.ca_bundle,
            self.web(),
            first.options,
        )

    def points(self) -> Iterator[Point]:
        """Every operation of a renewal that is on the store or the webroot."""
        world = self.copy()
        log = world.store.parent / "trace"
        names = [name for names in CALLS.values() for name in names]
        argv = ["strace", "-f", "-y", "-qq", "--seccomp-bpf", "-o", str(log), "-e", f"trace={','.join(names)}"]
        outcome = world.run(*argv)
        assert outcome.status == 0, outcome
        lines = [line.partition(" ") for line in log.read_text(errors="replace").splitlines()]
        main = lines[0][0]
        counts: collections.Counter[str] = collections.Counter()
        for pid, _, call in lines:
            name = call.strip().partition("(")[0]
            if pid != main or name not in names:
                continue
            counts[name] += 1
            if str(world.store) in call or str(world.webroot) in call:
                kind = next(kind for kind, names_of in CALLS.items() if name in names_of)
                yield Point(kind, name, counts[name])


@pytest.fixture(scope="module")
def disks(
    calm_pebble: Pebble,
    certificates: Certificates,
    challtestsrv: ChallTestSrv,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[list[Disk]]:
    """Two for the long form, with an account and a name each: done at the same time, nothing must meet at the CA."""
    webroot = tmp_path_factory.mktemp("web")
    server = Static(webroot, calm_pebble.http_port)
    sink = ChallTestSrvSink(challtestsrv)
    count = 2 if ALL else 1
    made = [Disk(calm_pebble, certificates, sink, tmp_path_factory.mktemp("disk"), webroot) for _ in range(count)]
    yield made
    for disk in made:
        disk.stop()
    server.stop()


def outcome_of(outcome: Outcome) -> str:
    """How a call with a fault in it ended."""
    if outcome.status in (-9, 137):
        return "killed"
    if outcome.status == 0:
        return "went on"
    assert "internal error" not in outcome.err, outcome.err
    assert "Traceback" not in outcome.err, outcome.err
    return "an error"


def faulted(disk: Disk, point: Point, fault: str) -> str:
    """Renews with the fault, then without; how the first call ended, and what is wrong after the two."""
    world = disk.copy()
    log = world.store.parent / "trace"
    before = world.file("cert.pem")
    outcome = world.run(*point.strace(fault, log))
    try:
        ended = outcome_of(outcome)
        if not re.search(r"INJECTED|SIGKILL", log.read_text(errors="replace")):
            return "not reached"  # the order of operations differs a little from run to run
        world.check_pair()
        assert ended != "went on" or world.file("cert.pem") != before, "went on, and nothing is new"
        again = world.again()
        assert again.status == 0, f"{ended}, then {again.err}"
        world.check_pair()
        is_told = ended == "went on" and "clean_up_failed {}" not in outcome.out
        assert is_told or world.left == [], f"{ended}, then left {world.left}"
    except AssertionError as error:
        print(point, fault, error, flush=True)
        return "WRONG"
    return ended


def test_a_fault_at_file_operations_then_the_same_call(disks: list[Disk]) -> None:
    points = list(disks[0].points())
    todo = [(point, fault) for fault in FAULTS for point in points]
    if not ALL:
        kinds = {kind: [point for point in points if point.kind == kind] for kind in CALLS}
        todo = [(kinds[kind][int(share * len(kinds[kind]))], fault) for kind, share, fault in _SHORT]
    parts = [todo[number :: len(disks)] for number in range(len(disks))]
    with ThreadPoolExecutor(len(disks)) as pool:
        done = list(pool.map(lambda disk, part: [faulted(disk, *one) for one in part], disks, parts))
    todo = [one for part in parts for one in part]
    ended = [how for part in done for how in part]
    table: dict[tuple[str, str], collections.Counter[str]] = {}
    for (point, fault), how in zip(todo, ended, strict=True):
        table.setdefault((point.kind, fault), collections.Counter())[how] += 1
    print("", f"{'call':<8}{'fault':<8}what became of it; certificate and key fit each other after each", sep="\n")
    for (kind, fault), counts in sorted(table.items()):
        print(f"{kind:<8}{fault:<8}" + ", ".join(f"{count} {how}" for how, count in sorted(counts.items())))
    assert "WRONG" not in ended
    assert ended.count("not reached") <= len(ended) // 5
