"""Questions for renewal information in a store that several machines use: asked once for all, in rounds."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tests.memory_store import MemoryStore
from tossl_acme.acme.renewal import RenewalInfo
from tossl_acme.certificates import clock
from tossl_acme.certificates.due import Suggestion
from tossl_acme.certificates.questions import Asking, ask_round, bucket_of, bucket_set, due_time
from tossl_acme.certificates.rounds import Rounds
from tossl_acme.certificates.suggested import Renewal, renewal_name
from tossl_acme.certificates.upkeep import Upkeep
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, Cancelled, HttpError
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.store.protocol import Lock, Store
from tossl_acme.store.registry import open_store

HOUR, DAY = 3600.0, 86400.0
BEGAN = 4_000_000_000
PAUSE = 6 * HOUR
CONNECTION = ConnectionOptions()


@dataclass(frozen=True)
class Held:
    name: str
    cert_id: str
    directory: str = "https://ca.example/directory"
    not_before: int = BEGAN
    not_after: int = int(BEGAN + 90 * DAY)


@dataclass
class Ca:
    """Says when certificates are to be renewed, and what it was asked."""

    at: float = BEGAN
    asked: list[str] = field(default_factory=list)
    starts: float = BEGAN + 60 * DAY
    pause: float = PAUSE
    #: Called with the name of the certificate before it answers.
    before: Callable[[str], None] = lambda _: None

    def answer(self, _server: object, _context: Context, name: str) -> RenewalInfo:
        self.asked.append(name)
        self.before(name)
        start, end = int(self.starts), int(self.starts + DAY)
        return RenewalInfo(start, end, random.randrange(start, end), "", int(self.pause), {})

    def taken(self) -> list[str]:
        asked, self.asked = self.asked, []
        return sorted(asked)


@pytest.fixture
def ca(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ca]:
    found = Ca()
    clock.reset()
    monkeypatch.setattr(clock, "wall", lambda: found.at)
    monkeypatch.setattr("tossl_acme.acme.renewal.renewal_info", found.answer)
    yield found
    clock.reset()


@pytest.fixture(params=["memory", "postgresql"])
def store(request: pytest.FixtureRequest) -> Store:
    if request.param == "memory":
        return MemoryStore(is_shared=True)
    return open_store(request.getfixturevalue("database_url"))


def context() -> Context:
    return Context(60).begin()


def members(count: int = 3) -> list[Held]:
    """Certificates of one bucket."""
    found: dict[str, list[Held]] = {}
    for number in range(10_000):
        held = Held(f"n{number}.example", f"id.{number}")
        some = found.setdefault(bucket_of(held), [])
        some.append(held)
        if len(some) == count:
            return some
    raise AssertionError("no bucket has so many")


def ask(
    store: Store, some: list[Held], known: Mapping[str, Suggestion] | None = None, of: Context | None = None,
    silent: set[str] | None = None,
) -> dict[str, Suggestion]:  # fmt: skip
    """Asks in one round; returns what is known then."""
    asking = [Asking(held, (known or {}).get(held.name, Suggestion()), CONNECTION) for held in some]
    return ask_round(of or context(), store, bucket_of(some[0]), asking, set() if silent is None else silent)[0]


def due_by_cron(store: Store, held: Held) -> float:
    return due_time(context(), store, held, lambda: CONNECTION)


def ids(some: list[Held]) -> list[str]:
    return sorted(held.cert_id for held in some)


def test_a_round_asks_for_all_with_one_change_of_the_store(store: Store, ca: Ca) -> None:
    some = members()
    known = ask(store, some)
    assert ca.taken() == ids(some)
    since = store.changes("")
    assert since is not None
    ca.at += PAUSE - 2
    assert ask(store, some, known) == known
    assert ca.taken() == []
    ca.at += 2
    again = ask(store, some, known)
    assert ca.taken() == ids(some)
    assert {name: one.chosen for name, one in again.items()} == {name: one.chosen for name, one in known.items()}
    told = store.changes(since[0])
    assert told is not None
    assert told[1] == {bucket_set(bucket_of(some[0]))}


def test_a_window_that_is_new_is_kept_with_the_time_that_was_chosen_first(store: Store, ca: Ca) -> None:
    some = members()
    first = ask(store, some)
    for held in some:
        assert Renewal.read(store, held.name).of(held).chosen == first[held.name].chosen
    ca.at += PAUSE
    # A node that has not heard of the window finds it in the store, and chooses no other time.
    assert ask(store, some)[some[0].name].chosen == first[some[0].name].chosen
    ca.at, ca.starts = ca.at + PAUSE, BEGAN + 2 * DAY
    moved = ask(store, some, first)
    assert BEGAN + 2 * DAY <= moved[some[0].name].chosen <= BEGAN + 3 * DAY
    assert Renewal.read(store, some[0].name).of(some[0]).chosen == moved[some[0].name].chosen
    assert due_by_cron(store, some[0]) == moved[some[0].name].chosen


def test_cron_and_manage_keep_to_what_either_was_told(store: Store, ca: Ca) -> None:
    first, *_ = some = members()
    known = ask(store, some)
    ca.at += PAUSE
    known = ask(store, some, known)
    ca.taken()
    ca.at += PAUSE - 2  # renewal/NAME has the first answer alone, and its Retry-After is over
    assert {due_by_cron(store, held) for held in some} == {one.chosen for one in known.values()}
    assert ca.taken() == []
    ca.at += 2
    due_by_cron(store, first)
    assert ca.taken() == [first.cert_id]
    ask(store, some, known)
    assert ca.taken() == ids(some[1:])


def test_a_new_certificate_joins_the_others_after_its_own_retry_after(store: Store, ca: Ca) -> None:
    *others, new = members(4)
    known = ask(store, others)
    ca.at += HOUR
    found = ask(store, [*others, new], known)
    assert ca.taken() == ids([*others, new])
    assert {one.retry_at for one in found.values()} == {BEGAN + PAUSE, BEGAN + 2 * PAUSE}
    assert found[new.name].retry_at == BEGAN + 2 * PAUSE
    ca.at = BEGAN + PAUSE + 7
    found = ask(store, [*others, new], found)
    assert ca.taken() == ids(others)
    ca.at += PAUSE
    found = ask(store, [*others, new], found)
    assert ca.taken() == ids([*others, new])
    assert len({one.retry_at for one in found.values()}) == 1


def test_a_certificate_that_was_renewed_is_another(store: Store, ca: Ca) -> None:
    held, *_ = members()
    ask(store, [held])
    renewed = Held(held.name, "id.renewed")
    ask(store, [renewed])
    ask(store, [held, renewed])  # a node that has not heard of it
    assert ca.asked == [held.cert_id, "id.renewed"]


@pytest.mark.parametrize("damage", [b"", b"[]", b"{", b"\xff", b'{"id": 1}', b'{"id": [1]}', b'{"id": ["a", 1e400]}'])
def test_a_damaged_bucket_is_as_none(damage: bytes, ca: Ca) -> None:
    store, some = MemoryStore(is_shared=True), members()
    where = bucket_set(bucket_of(some[0]))
    store.sets[where] = {"asked.json": damage.replace(b"id", some[0].cert_id.encode())}
    known = ask(store, some)
    assert ca.taken() == ids(some)
    assert sorted(json.loads(store.sets[where]["asked.json"])) == ids(some)
    store.sets[where] = {"asked.json": damage}
    ask(store, some, known)  # as the kept suggestion says
    assert due_by_cron(store, some[0]) == known[some[0].name].chosen
    assert ca.taken() == []


def test_a_bucket_forgets_what_nobody_asks_about_any_more(ca: Ca) -> None:
    store, some = MemoryStore(is_shared=True), members()
    ask(store, some)
    ca.at += PAUSE + DAY + 1
    ask(store, some[1:])
    assert sorted(json.loads(store.sets[bucket_set(bucket_of(some[0]))]["asked.json"])) == ids(some[1:])


def test_a_clock_that_is_set_back_is_no_reason_to_ask_nobody(ca: Ca) -> None:
    store, some = MemoryStore(is_shared=True), members()
    known = ask(store, some)
    ca.at -= DAY
    known = ask(store, some, known)
    assert ca.taken() == sorted(ids(some) * 2)
    ask(store, some, known)
    assert ca.taken() == []


def test_what_an_older_tossl_was_told_counts(ca: Ca) -> None:
    """It keeps no buckets: beside one there is a later answer in renewal/NAME."""
    store, (held, *_) = MemoryStore(is_shared=True), members()
    known = ask(store, [held])[held.name]
    ca.at += PAUSE + HOUR
    later = known.asked(ca.at, ca.at + PAUSE)
    store.put(context(), renewal_name(held.name), Renewal(held.cert_id, later).as_values())
    upkeep = Upkeep(held.name, SimpleNamespace(store=store))  # type: ignore[arg-type]
    upkeep.held = SimpleNamespace(**vars(held), suggestion=known, due=upkeep.suggested)  # type: ignore[assignment]
    upkeep.read_suggestion(store)
    assert upkeep.held is not None
    assert upkeep.held.suggestion == later
    ca.taken()
    ca.at += PAUSE - 1
    assert ask(store, [held], {held.name: later})[held.name].retry_at == ca.at + 1
    due_by_cron(store, held)
    assert ca.taken() == []
    ca.at += 1
    known = ask(store, [held], {held.name: later})[held.name]
    assert (ca.taken(), known.retry_at) == ([held.cert_id], ca.at + PAUSE)
    ca.at -= DAY  # set back: the answer is of a time that is to come, and one question sets that right
    ask(store, [held], {held.name: known})
    ask(store, [held], {held.name: known})
    assert ca.taken() == [held.cert_id]


def test_a_ca_that_gives_no_answer_ends_the_round(store: Store, ca: Ca) -> None:
    some, silent = members(), set[str]()

    def fall_silent(name: str) -> None:
        if name == some[1].cert_id:
            raise HttpError("timeout", "no answer")

    ca.before = fall_silent
    found = ask(store, some, silent=silent)
    assert ca.asked == [held.cert_id for held in some[:2]]
    assert silent == {some[0].directory}
    assert [found[held.name].retry_at > ca.at for held in some] == [True, True, False]
    ca.before = lambda _: None
    ca.taken()
    ask(store, some, found)
    assert ca.taken() == [some[2].cert_id]


def test_what_was_answered_before_a_call_was_cancelled_is_kept(store: Store, ca: Ca) -> None:
    some, of = members(), context()

    def cancel(name: str) -> None:
        if name == some[1].cert_id:
            of.cancel()
            of.check("the answer")

    ca.before = cancel
    with pytest.raises(Cancelled):
        ask(store, some, of=of)
    ca.before = lambda _: None
    ca.taken()
    ask(store, some)
    assert ca.taken() == ids(some[1:])


class Losing(MemoryStore):
    """Has lost the lock of what is written below `asked`."""

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "") -> None:
        if lock.name.startswith("asked/"):
            raise ArgumentError("store", f"the lock of {lock.name} is lost")
        super().write(lock, values, part)


def test_a_round_that_has_lost_its_lock_knows_what_it_heard(ca: Ca) -> None:
    store, some, told = Losing(is_shared=True), members(), list[dict[str, Any]]()
    known = ask(store, some, of=Context(60).begin(listener=told.append))
    assert all(one.has_window and one.retry_at == ca.at + PAUSE for one in known.values())
    assert [step["name"] for step in told if step["step"] == "not_kept"] == [bucket_set(bucket_of(some[0]))]
    ca.taken()
    ask(store, some, known)
    assert ca.taken() == []


def test_two_nodes_at_the_same_moment_ask_once(store: Store, ca: Ca) -> None:
    """The second one comes while the first one asks."""
    some = members()
    met: list[object] = []

    def come_too(name: str) -> None:
        ca.before = lambda _: None
        with contextlib.suppress(Exception):
            met.append(ask(store, some, of=context().narrowed(0.5)))

    if not isinstance(store, MemoryStore):  # whose lock knows no time limit
        ca.before = come_too
    ask(store, some)
    ask(store, some)
    assert (ca.taken(), met) == (ids(some), [])


def test_when_a_node_asks_about_a_bucket(ca: Ca) -> None:
    """At once for what is new; then when Retry-After is over, later if another has asked; never for what has left."""
    store, held = MemoryStore(is_shared=True), members(2)
    rounds, place = Rounds(), store.where("nodes")
    managed = SimpleNamespace(store=store, issuance=SimpleNamespace(connection=CONNECTION))
    entries: list[Any] = [
        Entry(held=SimpleNamespace(**vars(one), suggestion=Suggestion()), name=one.name, is_gone=False, managed=managed)
        for one in held
    ]

    def ask_at(at: float) -> int:
        ca.at = at
        questions = rounds.begin(at, context(), set())
        assert questions is not None
        rounds.ended(questions.ask())
        return questions.asked

    rounds.take(entries[0], is_ours=True)
    assert BEGAN < rounds.next_at() < BEGAN + 60
    assert ask_at(rounds.next_at()) == 1
    rounds.hear(place, bucket_of(held[0]))  # its own round
    beat = rounds.next_at()
    assert BEGAN + PAUSE < beat < BEGAN + PAUSE + 120
    ca.at += HOUR
    rounds.take(entries[1])
    assert ca.at < rounds.next_at() <= ca.at + 300
    rounds.hear(place, bucket_of(held[0]))  # another has asked about what is new
    assert rounds.next_at() == beat
    ca.at = BEGAN + PAUSE
    rounds.hear(place, bucket_of(held[0]))
    assert BEGAN + 2 * PAUSE + 900 <= rounds.next_at() <= BEGAN + 2 * PAUSE + 1800
    assert ask_at(rounds.next_at()) == 2
    entries[0].is_gone = entries[1].is_gone = True
    assert rounds.begin(rounds.next_at(), context(), set()) is None
    assert rounds.next_at() == float("inf")


def entries_of(store: Store, held: list[Held]) -> list[Any]:
    managed = SimpleNamespace(store=store, issuance=SimpleNamespace(connection=CONNECTION))
    some = [SimpleNamespace(**vars(one), suggestion=Suggestion()) for one in held]
    return [Entry(held=one, name=one.name, is_gone=False, managed=managed) for one in some]


def test_a_silent_ca_keeps_no_other_of_the_bucket_from_being_asked(ca: Ca) -> None:
    store, (first, *_) = MemoryStore(is_shared=True), members()
    numbers = (Held(f"m{number}.example", "id.of.other", "https://other.example/directory") for number in range(9999))
    other = next(one for one in numbers if bucket_of(one) == bucket_of(first))
    rounds, silent = Rounds(), {first.directory}
    for entry in entries_of(store, [first, other]):
        rounds.take(entry)
    ca.at = rounds.next_at()
    questions = rounds.begin(ca.at, context(), silent)
    assert questions is not None
    rounds.ended(questions.ask())
    assert ca.taken() == [other.cert_id]
    ca.at = rounds.next_at()
    questions = rounds.begin(ca.at, context(), set())
    assert questions is not None
    rounds.ended(questions.ask())
    assert ca.taken() == [first.cert_id]


def test_what_is_new_at_a_silent_ca_is_asked_about_later(ca: Ca) -> None:
    store, held = MemoryStore(is_shared=True), members(1)
    rounds = Rounds()
    rounds.take(*entries_of(store, held))
    ca.at = rounds.next_at()
    assert rounds.begin(ca.at, context(), {held[0].directory}) is None
    assert ca.at + 60 <= rounds.next_at() <= ca.at + 360
    ca.at = rounds.next_at()
    assert rounds.begin(ca.at, context(), set()) is not None


def test_another_machines_round_counts_for_the_least_pause_of_a_bucket(ca: Ca) -> None:
    """Of two CAs one may want a day between two questions."""
    store, held = MemoryStore(is_shared=True), members(2)
    entries, rounds = entries_of(store, held), Rounds()
    for entry, pause in zip(entries, (DAY, PAUSE), strict=True):
        entry.held.suggestion = Suggestion(asked_at=ca.at, retry_at=ca.at + pause)
        rounds.take(entry)
    ca.at += PAUSE
    rounds.hear(store.where("nodes"), bucket_of(held[0]))
    assert ca.at + PAUSE < rounds.next_at() <= ca.at + PAUSE + 1800


class Entry(SimpleNamespace):
    """What a round knows of a certificate of a declared set."""

    __hash__ = object.__hash__

    def take(self, known: Suggestion) -> None:
        self.held.suggestion = known
