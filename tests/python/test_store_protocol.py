"""What holds of every store, whatever keeps it. A store that implements the protocol is one entry of STORES."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.servers.postgresql import PostgreSQL
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, Cancelled, WaitTimeout
from tossl_acme.files import absolute
from tossl_acme.pki.sealing import generate_sealing_key
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions
from tossl_acme.store.postgresql.store import PostgreSQLStore
from tossl_acme.store.protocol import Lock, Store, read_texts, write_texts
from tossl_acme.store.sealed import MARK, SealedStore, SealKey

SEALING_KEY = generate_sealing_key()


def sealed(inner: Store) -> Store:
    return SealedStore(inner, SealKey("-seal_key", SEALING_KEY))


#: Makes a handle of the one store in a folder, as every process does for itself.
FOLDERS: dict[str, Callable[[Path], Store]] = {
    "links": lambda folder: FolderStore(absolute(folder), FolderOptions(layout="links")),
    "files": lambda folder: FolderStore(absolute(folder), FolderOptions(layout="files")),
    "as it is": lambda folder: FolderStore(absolute(folder)),
    "sealed": lambda folder: sealed(FolderStore(absolute(folder))),
}
#: The servers, by the names of their fixtures.
DATABASES = ("postgresql", "pgbouncer")
STORES = (*FOLDERS, *DATABASES, "sealed postgresql")
ALL = os.environ.get("TOSSL_TEST_ALL") == "1"
NAME, OTHER = "certificates/example.com", "certificates/_.example.org"
SET = {"cert.pem": b"certificate 1", "privkey.pem": b"key 1", "certificate.json": b"{}"}
NEW = {"cert.pem": b"certificate 2", "privkey.pem": b"key 2", "chain.pem": b""}


class DatabaseStores:
    """Makes a handle of the store in the one database of the tests, which is emptied for each folder's name."""

    def __init__(self, server: PostgreSQL, url: str) -> None:
        self._server = server
        self._url = url
        self._seen: set[Path] = set()

    def __call__(self, folder: Path) -> Store:
        if folder not in self._seen:
            self._seen.add(folder)
            self._server.empty()
        return PostgreSQLStore(self._url)


@pytest.fixture(params=STORES)
def make(request: pytest.FixtureRequest) -> Callable[[Path], Store]:
    if request.param in FOLDERS:
        return FOLDERS[request.param]
    if request.param in ("pgbouncer", "sealed postgresql") and request.function not in THROUGH_PGBOUNCER and not ALL:
        pytest.skip("make test-postgresql")
    server: PostgreSQL = request.getfixturevalue("postgresql")
    if request.param == "pgbouncer":
        return DatabaseStores(server, request.getfixturevalue("pgbouncer").url_of("tossl"))
    made = DatabaseStores(server, server.url)
    return made if request.param == "postgresql" else lambda folder: sealed(made(folder))


@pytest.fixture
def store(make: Callable[[Path], Store], tmp_path: Path) -> Store:
    return make(tmp_path / "store")


def context(seconds: float = 20) -> Context:
    return Context(seconds).begin()


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "store")
    return caught.value.message


# ---- reading and writing ----


def test_a_store_that_is_not_there(store: Store) -> None:
    assert (store.read(NAME), store.list("certificates"), store.version(NAME)) == (None, [], "")


def test_a_set_takes_the_place_of_the_one_before(store: Store) -> None:
    with store.locked(context(), NAME) as lock:
        assert store.read(NAME) is None
        for values in (SET, NEW, SET, SET):
            store.write(lock, values)
            assert store.read(NAME) == values
    assert store.read(NAME) == SET


def test_values_are_bytes(store: Store) -> None:
    values = {"empty": b"", "all.bin": bytes(range(256)) * 4096, "_1-2.x": b"\n"}
    with store.locked(context(), NAME) as lock:
        store.write(lock, values)
    assert store.read(NAME) == values


def test_some_values_alone(store: Store) -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
    assert store.read(NAME, ("cert.pem", "nothing")) == {"cert.pem": SET["cert.pem"]}
    assert store.read(NAME, ()) == {}
    assert store.read(OTHER, ("cert.pem",)) is None


def test_names_are_listed_by_what_they_begin_with(store: Store) -> None:
    for name in (NAME, OTHER, "accounts/ca-1", "limits/x"):
        with store.locked(context(), name) as lock:
            store.write(lock, SET)
            store.write(lock, NEW, "pending")
    assert store.list("certificates") == sorted((NAME, OTHER))
    assert store.list("accounts") == ["accounts/ca-1"]
    assert store.list("nothing") == []
    assert store.list(NAME) == [f"{NAME}/pending"]


def test_the_names_of_sets_and_parts(store: Store) -> None:
    def names() -> list[str]:
        return [name for name in store.names() if name != MARK]

    assert names() == []
    for name in (NAME, "accounts/ca-1", "single"):
        with store.locked(context(), name) as lock:
            store.write(lock, SET)
    with store.locked(context(), NAME) as lock, store.locked(context(), OTHER) as other:
        store.write(lock, NEW, "pending")
        store.write(other, NEW, "pending")
        assert names() == ["accounts/ca-1", f"{OTHER}/pending", NAME, f"{NAME}/pending", "single"]
        store.delete(lock)
    assert names() == ["accounts/ca-1", f"{OTHER}/pending", "single"]


def test_all_sets_are_read_at_once(store: Store) -> None:
    assert list(store.read_all("certificates")) == []
    for name, values in ((NAME, SET), (OTHER, NEW), ("accounts/ca-1", SET)):
        with store.locked(context(), name) as lock:
            store.write(lock, values)
    with store.locked(context(), "certificates/only.pending") as lock:
        store.write(lock, NEW, "pending")
    assert list(store.read_all("certificates")) == [(OTHER, NEW), (NAME, SET)]
    assert list(store.read_all("certificates", ("privkey.pem", "none"))) == [
        (OTHER, {"privkey.pem": b"key 2"}),
        (NAME, {"privkey.pem": b"key 1"}),
    ]
    assert refused(lambda: list(store.read_all("../accounts")))


def test_its_clock_goes_on(store: Store) -> None:
    before = store.time()
    assert abs(before - time.time()) < 60
    assert store.time() >= before


def test_a_part_is_a_set_beside(store: Store) -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, NEW, "pending")
        assert store.read(NAME) is None
        assert store.list("certificates") == []
        store.write(lock, SET)
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, NEW)
        store.delete(lock, "pending")
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, None)
        store.write(lock, NEW, "pending")
        store.delete(lock)
    assert (store.read(NAME), store.read(f"{NAME}/pending"), store.list("certificates")) == (None, None, [])


def test_what_is_not_there_can_be_deleted(store: Store) -> None:
    with store.locked(context(), NAME) as lock:
        store.delete(lock)
        store.delete(lock, "pending")
        store.write(lock, SET)
        store.delete(lock, "pending")
        assert store.read(NAME) == SET


def test_a_lock_alone_leaves_nothing(store: Store) -> None:
    with store.locked(context(), NAME):
        pass
    assert store.list("certificates") == []
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
        store.delete(lock)
    with store.locked(context(), NAME) as lock:
        store.write(lock, NEW)
    assert store.read(NAME) == NEW


def test_the_hint_changes_with_every_change(store: Store) -> None:
    seen = [store.version(NAME)]
    with store.locked(context(), NAME) as lock:
        for values in (SET, SET, NEW):
            store.write(lock, values)
            assert store.version(NAME) == store.version(NAME)
            seen.append(store.version(NAME))
        store.write(lock, SET, "pending")
        assert store.version(NAME) == seen[-1]
        of_part = [store.version(f"{NAME}/pending")]
        for content in (b"other", b"another", b"other"):
            store.write(lock, SET | {"cert.pem": content}, "pending")
            of_part.append(store.version(f"{NAME}/pending"))
            assert of_part[-1] not in ("", of_part[-2])
        store.delete(lock)
    assert store.version(NAME) == ""
    assert len(set(seen)) == len(seen)


def test_what_changed_since(store: Store) -> None:
    """A store that cannot say it never does."""
    begun = store.changes("")
    if begun is None:
        assert store.changes("1") is None
        return
    cursor, told = begun
    assert told == frozenset()
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
        store.write(lock, NEW, "pending")
    with store.locked(context(), OTHER) as lock:
        store.write(lock, SET)
    after_two = store.changes(cursor)
    assert after_two is not None
    assert after_two[1] - {MARK} == {NAME, f"{NAME}/pending", OTHER}
    with store.locked(context(), NAME) as lock:
        store.delete(lock)
    after_deletion = store.changes(after_two[0])
    assert after_deletion is not None
    assert after_deletion[1] >= {NAME, f"{NAME}/pending"}


def test_many_sets_at_once(store: Store) -> None:
    assert store.read_many([]) == store.read_many([NAME]) == {}
    for name, values in ((NAME, SET), (OTHER, NEW)):
        with store.locked(context(), name) as lock:
            store.write(lock, values)
            store.write(lock, SET, "pending")
    assert store.read_many([NAME, OTHER, "certificates/none", f"{OTHER}/pending", NAME]) == {
        NAME: SET, OTHER: NEW, f"{OTHER}/pending": SET,
    }  # fmt: skip
    some = store.read_many((NAME, OTHER), ("cert.pem", "chain.pem", "\xe9"))
    assert some == {NAME: {"cert.pem": SET["cert.pem"]}, OTHER: {key: NEW[key] for key in ("cert.pem", "chain.pem")}}
    assert store.read_many([NAME], ()) == {NAME: {}}
    assert "cannot be a name in a store" in refused(lambda: store.read_many([NAME, "../a"]))


def test_some_values_beside_the_others(store: Store) -> None:
    before = store.changes("")
    store.put(context(), NAME, {"cert.pem": b"0", "a": bytes(range(256))})
    assert store.read(NAME) == {"cert.pem": b"0", "a": bytes(range(256))}
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
        store.write(lock, SET, "pending")
    versions = [store.version(NAME)]
    for content in (b"1", b"1", b"2"):
        store.put(context(), NAME, {"cert.pem": content, "b": b""})
        versions.append(store.version(NAME))
    assert len(set(versions)) == len(versions)
    assert store.read(NAME) == {**SET, "cert.pem": b"2", "b": b""}
    assert store.read(f"{NAME}/pending") == SET
    if before is not None:
        told = store.changes(before[0])
        assert told is not None
        assert NAME in told[1]
    with store.locked(context(), NAME) as lock:
        store.delete(lock)
    store.put(context(), NAME, {"c": b"3"})
    assert store.read(NAME) == {"c": b"3"}
    assert "cannot be a name in a store" in refused(lambda: store.put(context(), "../a", SET))
    assert "at least one value" in refused(lambda: store.put(context(), NAME, {}))
    assert "cannot name a value" in refused(lambda: store.put(context(), NAME, {"..": b""}))


def test_what_is_put_waits_for_the_lock_and_counts_as_a_holder(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool, store.locked(context(), NAME) as lock:
        assert "this thread works on it already" in refused(lambda: store.put(context(60), NAME, NEW))
        late = context(0.1 if isinstance(store, FolderStore) else 1.0)
        assert isinstance(pool.submit(store.put, late, NAME, NEW).exception(), WaitTimeout)
        waiting = pool.submit(store.put, context(), NAME, {"b": b"2"})
        store.write(lock, {"a": b"1"})
        with store.locked(context(), OTHER):
            pass
        assert store.read(NAME) == {"a": b"1"}
    waiting.result()
    assert store.read(NAME) == {"a": b"1", "b": b"2"}
    with store.locked(context(), NAME) as later:
        assert later.epoch > lock.epoch + 1
    over = context()
    over.cancel()
    with pytest.raises(Cancelled):
        store.put(over, NAME, NEW)


def test_what_is_read_ahead(make: Callable[[Path], Store], tmp_path: Path) -> None:
    """What this thread changes it sees at once, and nothing once the block has ended."""
    store, none = make(tmp_path / "store"), "certificates/none"
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
        store.write(lock, NEW, "pending")
    with store.reading_ahead([NAME, f"{NAME}/pending", OTHER, none]), ThreadPoolExecutor(1) as pool:
        assert [store.read(name) for name in (NAME, f"{NAME}/pending", OTHER, none)] == [SET, NEW, None, None]
        assert store.read(NAME, ("cert.pem", "none")) == {"cert.pem": SET["cert.pem"]}
        store.put(context(), OTHER, SET)
        assert store.read(OTHER) == SET
        with store.locked(context(), NAME) as lock:
            assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, NEW)
            store.delete(lock, "pending")
            store.write(lock, NEW)
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (NEW, None)
        pool.submit(store.put, context(), none, SET).result()
        assert store.read_many([none]) == {none: SET}
        with store.reading_ahead([none]):
            assert store.read(none) == SET
            store.put(context(), none, NEW)
        assert store.read(none) == SET | NEW  # not as the outer block has read it
    with store.locked(context(), NAME) as lock, store.reading_ahead([NAME]):
        store.write(lock, SET, ends=True)
        assert store.read(NAME) == SET
    assert "cannot be a name in a store" in refused(lambda: store.reading_ahead(["../a"]).__enter__())


def test_the_last_change_of_a_block(store: Store) -> None:
    for part in ("", "pending"):
        with store.locked(context(), NAME) as lock:
            store.write(lock, SET)
            store.write(lock, NEW, part, ends=True)
            assert store.read(f"{NAME}/{part}".rstrip("/")) == NEW
            for change in (lambda: store.write(lock, SET), lambda: store.delete(lock)):
                assert "is lost: it is released; nothing was written" in refused(change)
        assert store.read(f"{NAME}/{part}".rstrip("/")) == NEW
    with store.locked(context(), NAME) as lock:
        store.delete(lock, "pending", ends=True)
        assert "is lost: it is released" in refused(lambda: store.write(lock, SET))
    with store.locked(context(), NAME) as lock:
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, None)
        store.delete(lock, ends=True)
    assert store.read(NAME) is None


def test_a_lock_is_waited_for_no_longer_than_told(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool, store.locked(context(), NAME):

        def wait() -> None:
            with store.locked(context(600), NAME, 0.2 if isinstance(store, FolderStore) else 1.0):
                raise AssertionError

        assert isinstance(pool.submit(wait).exception(), WaitTimeout)
    with store.locked(context(), NAME, 5) as lock:
        store.write(lock, SET)


def test_whoever_has_the_lock_reads_what_the_last_one_wrote(make: Callable[[Path], Store], tmp_path: Path) -> None:
    """Also where they take turns without a pause, and some of them put without asking for the lock."""
    turns = 20 if ALL else 5

    def count(value: str) -> None:
        store = make(tmp_path / "store")
        for turn in range(turns):
            with store.locked(context(), NAME) as lock:
                counted = int((store.read(NAME) or {}).get("all", b"0")) + 1
                assert (store.read(f"{NAME}/part") or {}).get("all", b"0") == b"%d" % (counted - 1)
                store.write(lock, {**(store.read(NAME) or {}), "all": b"%d" % counted})
                store.write(lock, {"all": b"%d" % counted}, "part")
            store.put(context(), NAME, {value: b"%d" % turn})

    make(tmp_path / "store")
    names = ["one", "two", "three", "four"]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(count, names))
    last = b"%d" % (turns - 1)
    assert make(tmp_path / "store").read(NAME) == {"all": b"%d" % (turns * len(names)), **dict.fromkeys(names, last)}


@pytest.mark.parametrize("name", ["", ".", "..", "a/..", "../a", "a//b", "a/", "/a", "a/.b", "a\0b", "a b", "x" * 300])
def test_what_can_name_no_set(store: Store, name: str) -> None:
    def lock() -> None:
        with store.locked(context(), name):
            raise AssertionError

    for action in (lambda: store.read(name), lambda: store.list(name), lambda: store.version(name), lock):
        assert "cannot be a name in a store" in refused(action)


@pytest.mark.parametrize("value", ["", ".", "..", "..data", ".lock", "a/b", "a\0", "\xe9", "x" * 300])
def test_what_can_name_no_value(store: Store, value: str) -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
        assert "cannot name a value" in refused(lambda: store.write(lock, {"a": b"", value: b""}))
        assert "at least one value" in refused(lambda: store.write(lock, {}))
    assert store.read(NAME) == SET


def test_texts(store: Store) -> None:
    with store.locked(context(), NAME) as lock:
        write_texts(store, lock, {"a": "caf\xe9"})
        assert read_texts(store, NAME) == {"a": "caf\xe9"}
        store.write(lock, {"a": b"\xff"})
        assert refused(lambda: read_texts(store, NAME)) == f"{store.where(NAME, 'a')} is not a text file"
        write_texts(store, lock, {})
    assert read_texts(store, NAME) == {}


# ---- locks ----


def test_others_wait_and_find_what_was_written(store: Store) -> None:
    with ThreadPoolExecutor(1) as pool, store.locked(context(), NAME) as lock:

        def wait() -> dict[str, bytes] | None:
            with store.locked(context(), NAME):
                return store.read(NAME)

        waiting = pool.submit(wait)
        store.write(lock, SET)
        with store.locked(context(), OTHER):
            pass
    assert waiting.result() == SET


def test_waiting_ends_in_time_and_says_for_whom(store: Store) -> None:
    def wait(limit: float) -> None:
        with store.locked(context(limit), NAME):
            raise AssertionError

    with ThreadPoolExecutor(1) as pool, store.locked(context(), NAME) as lock:
        error = pool.submit(wait, 0.1 if isinstance(store, FolderStore) else 1.0).exception()
        assert isinstance(error, WaitTimeout)
        assert lock.holder in error.message


def test_waiting_can_be_cancelled(store: Store) -> None:
    waiting = context()
    with ThreadPoolExecutor(1) as pool, store.locked(context(), NAME):

        def wait() -> None:
            with store.locked(waiting, NAME):
                raise AssertionError

        pending = pool.submit(wait)
        waiting.cancel()
        assert isinstance(pending.exception(), Cancelled)


def test_a_thread_does_not_wait_for_itself(store: Store) -> None:
    with store.locked(context(), NAME) as lock:

        def again() -> None:
            with store.locked(context(60), NAME):
                raise AssertionError

        assert "this thread works on it already" in refused(again)
        store.write(lock, SET)
    assert store.read(NAME) == SET


def test_every_holder_has_a_later_epoch(store: Store) -> None:
    epochs = []
    for _ in range(5):
        with store.locked(context(), NAME) as lock:
            epochs.append(lock.epoch)
            store.write(lock, SET)
    assert epochs == sorted(set(epochs))


def test_a_lock_that_is_over_writes_nothing(store: Store) -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, SET)
    assert "is lost" in refused(lambda: store.write(lock, NEW))
    with store.locked(context(), NAME):
        for action in (lambda: store.write(lock, NEW), lambda: store.write(lock, NEW, "pending"),
                       lambda: store.delete(lock), lambda: store.delete(lock, "pending")):  # fmt: skip
            assert "is lost" in refused(action)
    assert (store.read(NAME), store.read(f"{NAME}/pending")) == (SET, None)


def test_a_lock_of_another_store_writes_nothing(store: Store, tmp_path: Path) -> None:
    foreign = Lock(NAME, "somebody", 10**18)
    assert "is not locked" in refused(lambda: store.write(foreign, SET))
    assert store.read(NAME) is None


def test_turns_are_taken(store: Store, tmp_path: Path) -> None:
    """Four threads count together; two of them forget the count's neighbour whenever they see it."""

    def count(number: int) -> None:
        for _ in range(8):
            with store.locked(context(60), NAME) as lock:
                found = int((store.read(NAME) or {"n": b"0"})["n"])
                store.write(lock, {"n": b"%d" % (found + 1)})
            with store.locked(context(60), OTHER) as lock:
                if number % 2:
                    store.delete(lock)
                else:
                    store.write(lock, SET)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(count, number) for number in range(4)]:
            done.result()
    assert store.read(NAME) == {"n": b"32"}


def test_a_reader_sees_a_whole_set(store: Store) -> None:
    """While another thread replaces it as fast as it can."""

    def write() -> None:
        with store.locked(context(60), NAME) as lock:
            for number in range(40):
                store.write(lock, {f"{name}-{number % 3}": b"%d" % number for name in "abc"})

    seen = []
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        while not writing.done():
            values = store.read(NAME)
            if values is not None:
                (content,) = set(values.values())
                assert sorted(values) == [f"{name}-{int(content) % 3}" for name in "abc"]
                seen.append(int(content))
        writing.result()
    assert seen == sorted(seen)
    assert len(set(seen)) > 1


# ---- any order of operations ----

_names = st.sampled_from([NAME, OTHER, "accounts/ca-1"])
_parts = st.sampled_from(["", "", "pending", "unusable-1"])
_values = st.dictionaries(st.sampled_from(["cert.pem", "privkey.pem", "chain.pem", "x.json"]), st.binary(max_size=8),
                          min_size=1)  # fmt: skip


class StoreMachine(RuleBasedStateMachine):
    """Two handles of one store, as two processes have, against a dict."""

    make: Callable[[Path], Store]

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._handles = [type(self).make(Path(self._folder.name) / "store") for _ in range(2)]
        self._model: dict[tuple[str, str], dict[str, bytes]] = {}
        self._held: dict[str, tuple[contextlib.ExitStack, Store, Lock]] = {}
        self._over: list[tuple[Store, Lock]] = []
        self._epochs: dict[str, int] = {}

    @rule(name=_names, handle=st.integers(0, 1))
    def take(self, name: str, handle: int) -> None:
        if name in self._held:
            return
        entered = contextlib.ExitStack()
        lock = entered.enter_context(self._handles[handle].locked(context(), name))
        assert lock.epoch > self._epochs.get(name, 0)
        self._epochs[name] = lock.epoch
        self._held[name] = entered, self._handles[handle], lock

    @precondition(lambda self: self._held)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        entered, store, lock = self._held.pop(data.draw(st.sampled_from(sorted(self._held))))
        entered.close()
        self._over.append((store, lock))

    @precondition(lambda self: self._held)
    @rule(data=st.data(), part=_parts, values=_values)
    def write(self, data: st.DataObject, part: str, values: dict[str, bytes]) -> None:
        name = data.draw(st.sampled_from(sorted(self._held)))
        _, store, lock = self._held[name]
        before = store.version(f"{name}/{part}" if part else name)
        store.write(lock, values, part)
        self._model[name, part] = values
        assert store.version(f"{name}/{part}" if part else name) not in ("", before)

    @precondition(lambda self: self._held)
    @rule(data=st.data(), part=_parts)
    def delete(self, data: st.DataObject, part: str) -> None:
        name = data.draw(st.sampled_from(sorted(self._held)))
        _, store, lock = self._held[name]
        store.delete(lock, part)
        for key in list(self._model):
            if key[0] == name and (not part or key[1] == part):
                del self._model[key]

    @precondition(lambda self: self._over)
    @rule(data=st.data(), part=_parts, values=_values)
    def write_too_late(self, data: st.DataObject, part: str, values: dict[str, bytes]) -> None:
        store, lock = data.draw(st.sampled_from(self._over))
        refused(lambda: store.write(lock, values, part))
        refused(lambda: store.delete(lock, part))

    @invariant()
    def both_read_what_was_written(self) -> None:
        for store in self._handles:
            for name in (NAME, OTHER, "accounts/ca-1"):
                for part in ("", "pending", "unusable-1"):
                    whole = f"{name}/{part}" if part else name
                    assert store.read(whole) == self._model.get((name, part))
                    assert bool(store.version(whole)) == ((name, part) in self._model)
            for prefix in ("certificates", "accounts"):
                assert store.list(prefix) == sorted(
                    name for name, part in self._model if not part and name.startswith(f"{prefix}/")
                )

    def teardown(self) -> None:
        for entered, _, _ in self._held.values():
            entered.close()
        self._folder.cleanup()


def test_any_order_of_operations(make: Callable[[Path], Store], tmp_path: Path) -> None:
    machine = type("Machine", (StoreMachine,), {"make": staticmethod(make)})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=12 if ALL or isinstance(make(tmp_path), FolderStore) else 1,
            stateful_step_count=15, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip



#: The long form runs all of them.
THROUGH_PGBOUNCER = (
    test_a_set_takes_the_place_of_the_one_before, test_a_part_is_a_set_beside, test_all_sets_are_read_at_once,
    test_what_changed_since, test_a_lock_that_is_over_writes_nothing, test_turns_are_taken,
    test_a_reader_sees_a_whole_set,
)  # fmt: skip
