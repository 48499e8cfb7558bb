"""Answers for other nodes, on a machine whose manage keeps certificates in a store that other machines use.

Its responders stay open, and look in the store for what they do not show themselves; what a web server is to answer is
written into its folder once it is in the store, and removed when it is there no more.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..acme.authorization import Challenge
from ..challenges.choice import choose
from ..challenges.elsewhere import BY_TOKEN, ElsewhereAnswer, look_away, look_in
from ..challenges.registry import TYPES
from ..challenges.solver import ServingSolver, Solver, is_serving
from ..context import Context
from ..context.farewell import owe
from ..context.threads import join_thread, start_thread
from ..errors import ArgumentError, TosslError, foreign_error
from ..identifiers import Identifier, parse_identifier
from ..store.protocol import ASIDE_SECONDS, Store
from . import due
from .answers import ANSWERS, STALE_SECONDS, Batch, read_batches, remove_values, stored_answers
from .issuance import Issuance
from .managed import Managed
from .served import BEAT_SECONDS, Served, process_name, read_served, served_name, write_served

#: Seconds between two looks at the store for a web server's folder, and where nothing is to be written.
LOOK_SECONDS = 1.0
_REST_SECONDS = 60.0
_MOST_MESSAGE_CHARS = 300
#: When this process can have begun to serve, by the monotonic clock.
_BEGAN = time.monotonic()
#: Solvers by what tells them apart.
_Folders = dict[tuple[object, ...], Solver]


@dataclass(eq=False)
class _Mirror:
    """What is written for one store. folders: those of web servers; by_name: by names. shown: what is there, by id."""

    store: Store
    by_name: dict[str, _Folders] = field(default_factory=dict)
    folders: _Folders = field(default_factory=dict)
    shown: dict[str, list[tuple[Solver, Challenge]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    told_at: float = float("-inf")
    is_swept: bool = False


class AnswerServer:
    """Answers for other nodes what a declared set says that this machine can. failed: called with what goes wrong.

    take() and close() are for one thread.
    """

    def __init__(self, failed: Callable[[TosslError], None]) -> None:
        self._failed = failed
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._is_over = False
        self._thread: threading.Thread | None = None
        #: The servers that are to be open, and those that are, by what tells them apart.
        self._wanted: dict[tuple[object, ...], ServingSolver] = {}
        self._held: dict[tuple[object, ...], ServingSolver] = {}
        self._mirrors: dict[str, _Mirror] = {}
        self._told: set[object] = set()

    def take(self, found: Mapping[str, Managed]) -> None:
        """Serves for this set from now on; for certificates in a store of this machine alone it does nothing."""
        wanted: dict[tuple[object, ...], ServingSolver] = {}
        mirrors: dict[str, _Mirror] = {}
        solvers = _Solvers()
        for managed in found.values():
            if managed.store.is_shared:
                mirror = mirrors.setdefault(managed.store.where(ANSWERS), _Mirror(managed.store))
                with self._telling("the set"):
                    _add(solvers, managed, wanted, mirror)
        with self._lock:
            for where, mirror in mirrors.items():
                known = self._mirrors.get(where)
                if known is None:
                    self._mirrors[where] = mirror
                    look_in(stored_answers(mirror.store))
                else:
                    known.by_name, known.folders = mirror.by_name, mirror.folders
            for where in self._mirrors.keys() - mirrors.keys():
                self._mirrors[where].by_name, self._mirrors[where].folders = {}, {}
            self._wanted = wanted
        if self._mirrors and self._thread is None:
            self._thread = start_thread("tossl serves", self._run)
        self._wake.set()

    def close(self) -> None:
        """Ends all that; waits until what it has written is removed."""
        self._is_over = True
        self._wake.set()
        if self._thread is not None:
            join_thread(self._thread)

    def _run(self) -> None:
        debt = owe(lambda _context: self._end())
        try:
            while True:
                self._wake.clear()
                if self._is_over:
                    return
                self._look()
                is_mirroring = any(mirror.folders or mirror.shown for mirror in self._mirrors.values())
                self._wake.wait(LOOK_SECONDS if is_mirroring else _REST_SECONDS)
        finally:
            debt.settle(_soon())

    def _look(self) -> None:
        with self._lock:
            mirrors, wanted = dict(self._mirrors), dict(self._wanted)
        for key in self._held.keys() - wanted.keys():
            self._held.pop(key).release()
        for key in wanted.keys() - self._held.keys():
            with self._telling(key):
                wanted[key].hold()
                self._held[key] = wanted[key]
        for where, mirror in mirrors.items():
            if not mirror.is_swept:  # first: of what is shown from now on, nothing is removed
                with self._telling((where, "swept")):
                    _sweep(mirror)
                    mirror.is_swept = True
            with self._telling(where):
                _mirror(mirror)

    def _end(self) -> None:
        for solver in self._held.values():
            solver.release()
        for mirror in self._mirrors.values():
            look_away(stored_answers(mirror.store))
            with contextlib.suppress(TosslError):
                _forget(mirror, list(mirror.shown))
                if mirror.told_at > 0:
                    name = served_name(process_name())
                    with mirror.store.locked(_soon(), name) as lock:
                        mirror.store.delete(lock)

    @contextlib.contextmanager
    def _telling(self, what: object) -> Iterator[None]:
        """A `with` around one thing of a look, which is tried again at the next: it tells when that begins to fail."""
        try:
            yield
            self._told.discard(what)
        except Exception as caught:  # noqa: BLE001 - a defect must not end the others
            error = caught if isinstance(caught, TosslError) else foreign_error(caught)
            if what not in self._told:
                self._told.add(what)
                self._failed(error)


class _Solvers:
    """The solvers of many certificates, each made once."""

    def __init__(self) -> None:
        self._made: dict[tuple[object, ...], tuple[Solver, ...]] = {}

    def of(self, issuance: Issuance) -> Iterator[tuple[Identifier, tuple[Solver, ...]]]:
        """Yields each name with its solvers. Raises ArgumentError."""
        options = issuance.solvers
        if options.challenge and options.challenge[0] not in TYPES:  # it is by name
            yield from choose(options, issuance.identifiers).items()
            return
        served = (options.webroot, options.port, options.tls_port, options.http01_response)
        key = (options.challenge, *served, options.provider is not None)
        if key not in self._made:
            self._made[key] = choose(options, issuance.identifiers[:1])[issuance.identifiers[0]]
        for identifier in issuance.identifiers:
            yield identifier, self._made[key]


def _add(solvers: _Solvers, managed: Managed, wanted: dict[tuple[object, ...], ServingSolver], mirror: _Mirror) -> None:
    """Adds what can answer for one certificate: servers, and web servers' folders."""
    for identifier, chosen in solvers.of(managed.issuance):
        for solver in chosen:
            asked_by = TYPES[solver.challenge_type].asked_by
            if asked_by and is_serving(solver):
                wanted.setdefault((solver.challenge_type, solver.place), solver)
            elif asked_by == BY_TOKEN and (place := _place_of(solver, identifier)):
                folder = mirror.folders.setdefault(place, solver)
                mirror.by_name.setdefault(identifier.base.value, {})[place] = folder


def _place_of(solver: Solver, identifier: Identifier) -> tuple[object, ...]:
    """Returns what tells a solver's place apart; empty where nothing of it outlives the process."""
    place = solver.place_of(Challenge(solver.challenge_type, identifier.base))
    return (solver.challenge_type, *sorted(place.items())) if place else ()


def _soon() -> Context:
    return Context(ASIDE_SECONDS).begin()


def _mirror(mirror: _Mirror) -> None:
    """Writes what is new in the store, removes what is gone, and tells in the store which it has."""
    if not mirror.folders and not mirror.shown:
        return
    batches = {batch.id: batch for batch in read_batches(mirror.store)}
    if batches:
        at = due.now_in(mirror.store)
        for batch in [batch for batch in batches.values() if batch.is_stale(at)]:
            _remove_stale(mirror.store, batches.pop(batch.id))
    not_removed = _forget(mirror, [batch_id for batch_id in mirror.shown if batch_id not in batches])
    new = [batch for batch in batches.values() if batch.id not in mirror.shown] if mirror.folders else []
    for batch in new:
        _show(mirror, batch)
    if new or time.monotonic() - mirror.told_at >= BEAT_SECONDS:
        _tell(mirror)
    if not_removed is not None:
        raise not_removed


def _show(mirror: _Mirror, batch: Batch) -> None:
    shown = mirror.shown[batch.id] = []
    for answer in batch.answers:
        for solver in _folders_for(mirror, answer):
            try:
                challenge = _challenge_of(solver.challenge_type, answer.domain, answer.token, answer.key_authorization)
                shown.append((solver, challenge))
                solver.present(_soon(), challenge)
            except Exception as caught:  # noqa: BLE001 - whatever the store says, the other answers are written
                error = caught if isinstance(caught, TosslError) else foreign_error(caught)
                mirror.failed[batch.id] = error.message[:_MOST_MESSAGE_CHARS]


def _folders_for(mirror: _Mirror, answer: ElsewhereAnswer) -> Iterable[Solver]:
    """Returns where a token is written: where its name's are, else everywhere: it may be another program's."""
    if answer.asked_by != BY_TOKEN:
        return ()
    return mirror.by_name.get(answer.domain, mirror.folders).values()


def _challenge_of(kind: str, domain: str, token: str, key_authorization: str) -> Challenge:
    """Returns a challenge of what the store says. Raises ArgumentError for what is none."""
    return Challenge(kind, parse_identifier(domain), token, key_authorization)


def _forget(mirror: _Mirror, gone: list[str]) -> TosslError | None:
    """Removes what was written for answers that are over; returns why some is left, for the next look."""
    failure = None
    for batch_id in gone:
        try:
            for solver, challenge in mirror.shown[batch_id]:
                solver.clean_up(_soon(), challenge)
        except TosslError as error:
            failure = error
            continue
        del mirror.shown[batch_id]
        mirror.failed.pop(batch_id, None)
    return failure


def _tell(mirror: _Mirror) -> None:
    by = process_name()
    seen = tuple(batch_id for batch_id in mirror.shown if batch_id not in mirror.failed)
    files = tuple(
        {
            "type": challenge.type,
            "place": {key: str(value) for key, value in solver.place_of(challenge).items()},
            "domain": challenge.identifier.value,
            "token": challenge.token,
            "key_authorization": challenge.key_authorization,
        }
        for shown in mirror.shown.values()
        for solver, challenge in shown
    )
    with mirror.store.locked(_soon(), served_name(by)) as lock:
        at = due.now_in(mirror.store)
        write_served(mirror.store, lock, Served(by, at, seen, dict(mirror.failed), files))
    mirror.told_at = time.monotonic()


# ---- what others left ----


def _sweep(mirror: _Mirror) -> None:
    """Removes what a manage of this node left that died, with its files; and what is a day old, whose ever it is.

    One with the number of this process has died as well, where it told that before this one began: in a container each
    has the same number, and a process may have several that serve.
    """
    store, at = mirror.store, due.now_in(mirror.store)
    began = at - (time.monotonic() - _BEGAN)
    shown = [challenge.token for found in mirror.shown.values() for _solver, challenge in found]
    for batch in read_batches(store):
        if batch.is_stale(at):
            _remove_stale(store, batch)
    own = Served(process_name())
    for served in read_served(store):
        is_over = served.at < began if served.process == own.process else not _is_running(served.process)
        is_own = served.node == own.node and is_over
        if not is_own and at - served.at < STALE_SECONDS:
            continue
        if is_own:
            for file in served.files:
                if file.get("token") not in shown:
                    _remove_file(file)
        with store.locked(_soon(), served_name(served.by)) as lock:
            store.delete(lock)


def _remove_file(file: Mapping[str, Any]) -> None:
    with contextlib.suppress(ArgumentError, KeyError, TypeError, ValueError):  # a store may say anything
        at_place = TYPES[file["type"]].at_place
        if at_place is not None:
            texts = (str(file[member]) for member in ("type", "domain", "token", "key_authorization"))
            at_place(dict(file["place"])).clean_up(_soon(), _challenge_of(*texts))


def _is_running(process: int) -> bool:
    """Returns whether there is such a process on this machine."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, ValueError, OverflowError):
        return False
    except OSError:
        return True
    return process > 0


def _remove_stale(store: Store, batch: Batch) -> None:
    with store.locked(_soon(), batch.name) as lock:
        remove_values(store, lock, lambda value: value == batch.value)
