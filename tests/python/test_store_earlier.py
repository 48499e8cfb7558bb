"""A store of the form before format 2: read as it stands, moved over by the first write, and never lost in between."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from pathlib import Path

import pytest

from tests.python.test_store_folder import Killed, Mortal, own_names, refused, shown
from tossl_acme import files
from tossl_acme.certificates.accounts import account_key, changing_account_key, keep_account_key
from tossl_acme.certificates.files import certificate_folder
from tossl_acme.context import Context
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions

NAME = "certificates/example.com"
KEYED = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem")
CA = "https://ca.example/dir"
ACCOUNT = "accounts/ca.example_dir-1242d0bc"
LAYOUTS = pytest.mark.parametrize("layout", ["links", "files"])


def a_set(mark: str, *, has_key: bool = True) -> dict[str, bytes]:
    texts = {name: f"{name} {mark}".encode() for name in KEYED if has_key or name != "privkey.pem"}
    return texts | {"certificate.json": json.dumps({"mark": mark, "has_key": has_key}).encode()}


def put(folder: Path, values: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in values.items():
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    put(place / NAME, a_set("old"))
    put(place / ACCOUNT, {"key.pem": b"the key", ".lock": b""})
    return place


def store_at(place: Path, layout: str = "") -> FolderStore:
    return FolderStore(absolute(place), FolderOptions(layout))


def context() -> Context:
    return Context(20).begin()


def write(store: FolderStore, values: dict[str, bytes], part: str = "") -> None:
    with store.locked(context(), NAME) as lock:
        store.write(lock, values, part)


def tree(place: Path) -> list[tuple[str, bytes]]:
    return sorted((str(path), path.read_bytes()) for path in place.rglob("*") if path.is_file())


def test_it_is_read_and_left_as_it_is(place: Path) -> None:
    before = tree(place)
    store = store_at(place)
    assert store.read(NAME) == a_set("old")
    assert store.read(NAME, ("certificate.json",)) == {"certificate.json": a_set("old")["certificate.json"]}
    assert (store.list("certificates"), store.list("accounts")) == ([NAME], [ACCOUNT])
    assert store.read(f"{NAME}/pending") is None
    assert account_key(store, CA) == "the key"
    assert tree(place) == before


def test_its_hint_changes(place: Path) -> None:
    store = store_at(place)
    first = store.version(NAME)
    assert first == store.version(NAME) != ""
    (place / NAME / "cert.pem").unlink()
    put(place / NAME, {"cert.pem": b"another"})
    assert store.version(NAME) != first
    write(store, a_set("new"))
    assert store.version(NAME) not in ("", first)


@LAYOUTS
def test_the_first_write_moves_it_over(place: Path, layout: str) -> None:
    store = store_at(place, layout)
    write(store, a_set("new"))
    folder = place / NAME
    assert store.read(NAME) == a_set("new") == shown(folder)
    assert (folder / "cert.pem").is_symlink() == (layout == "links")
    (before,) = [path for path in folder.glob("..[0-9]*") if (path / "cert.pem").read_text() == "cert.pem old"]
    assert {path.name: path.read_bytes() for path in before.iterdir()} == a_set("old")


def test_a_write_beside_it_moves_it_over_too(place: Path) -> None:
    store = store_at(place)
    write(store, {"privkey.pem": b"next key"}, "pending")
    assert store.read(NAME) == a_set("old") == shown(place / NAME)
    assert (place / NAME / "cert.pem").is_symlink()
    assert store.read(f"{NAME}/pending") == {"privkey.pem": b"next key"}


def test_it_can_be_deleted(place: Path) -> None:
    put(place / NAME / "pending", {"privkey.pem": b"a key"})
    put(place / NAME / "unusable-1", {"privkey.pem": b"a key", "issued.pem": b""})
    store = store_at(place)
    with store.locked(context(), NAME) as lock:
        store.delete(lock)
    assert (store.read(NAME), store.list("certificates")) == (None, [])
    assert shown(place / NAME) == {}


def test_an_account_key_is_kept_through_it(place: Path) -> None:
    store = store_at(place)
    assert keep_account_key(store, context(), CA, "another") == "the key"
    put(place / ACCOUNT, {"next.pem": b"asked for"})
    with changing_account_key(store, context(), CA, "third"):
        assert account_key(store, CA) == "the key"
    assert account_key(store, CA) == "third"
    assert sorted(shown(place / ACCOUNT).values()) == [b"asked for", b"third"]


def test_a_link_that_the_user_made_is_followed_and_not_replaced(place: Path, tmp_path: Path) -> None:
    moved = (place / ACCOUNT / "key.pem").rename(tmp_path / "moved.pem")
    (place / ACCOUNT / "key.pem").symlink_to(moved)
    store = store_at(place)
    assert account_key(store, CA) == "the key"

    def change() -> None:
        with changing_account_key(store, context(), CA, "third"):
            raise AssertionError

    assert f'cannot use "{place}/{ACCOUNT}/key.pem": it is not of this store' in refused(change)
    assert (moved.read_text(), account_key(store, CA)) == ("the key", "the key")


# ---- a set that was on its way up ----


@pytest.mark.parametrize("moved", range(6))
@pytest.mark.parametrize("has_key", [True, False], ids=["key", "no key"])
def test_a_whole_set_in_pending_is_the_one_in_force(place: Path, moved: int, has_key: bool) -> None:
    """Killed between two of the moves."""
    new = a_set("new", has_key=has_key)
    put(place / NAME / "pending", new | {"attempt.json": b"{}", "issued.pem": b"x", "privkey-17.pem": b"aside"})
    for name in list(new)[: min(moved, len(new) - 1)]:
        (place / NAME / "pending" / name).rename(place / NAME / name)
    rest = {"attempt.json": b"{}", "issued.pem": b"x", "privkey-17.pem": b"aside"}
    store = store_at(place)
    assert (store.read(NAME), store.read(f"{NAME}/pending")) == (new, rest)
    with store.locked(context(), NAME) as lock:
        assert (store.read(NAME), store.read(f"{NAME}/pending")) == (new, rest)
        store.write(lock, rest | {"attempt.json": b"{2}"}, "pending")
    assert store.read(NAME) == new == shown(place / NAME)
    assert store.read(f"{NAME}/pending") == rest | {"attempt.json": b"{2}"} == shown(place / NAME / "pending")


def test_the_first_set_of_all_on_its_way_up(place: Path) -> None:
    name = "certificates/first.example.com"
    put(place / name / "pending", a_set("new"))
    store = store_at(place)
    assert (store.read(name), store.read(f"{name}/pending")) == (a_set("new"), None)
    assert store.list("certificates") == [NAME, name]


def test_a_set_that_was_not_complete_leaves_the_old_one(place: Path) -> None:
    left = {"privkey.pem": b"new key", "attempt.json": b"{}"}
    put(place / NAME / "pending", left)
    store = store_at(place)
    assert (store.read(NAME), store.read(f"{NAME}/pending")) == (a_set("old"), left)
    with certificate_folder(store, context(), "example.com") as folder:
        assert folder.read("pending")["privkey.pem"] == "new key"
        folder.keep_key("third key")
    texts = store.read(f"{NAME}/pending") or {}
    assert texts["privkey.pem"] == b"third key"
    assert b"new key" in texts.values()


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100000, "7"])
def test_a_damaged_record_is_named_and_left(place: Path, text: str) -> None:
    put(place / NAME / "pending", a_set("new") | {"certificate.json": text.encode()})
    record = place / NAME / "pending/certificate.json"
    before = tree(place / NAME)
    store = store_at(place)
    for action in (lambda: store.read(NAME), lambda: write(store, a_set("third"))):
        assert f'"{record}" is damaged' in refused(action)
    assert store.list("certificates") == [NAME]
    assert [entry for entry in tree(place / NAME) if not entry[0].endswith(".lock")] == before


# ---- killed while it is moved over ----


@LAYOUTS
@pytest.mark.parametrize("on_its_way", [False, True], ids=["plain", "on its way"])
def test_killed_at_every_change_of_the_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, on_its_way: bool
) -> None:
    found = []
    for nth in itertools.count(1):
        place = tmp_path / str(nth)
        put(place / NAME, a_set("old"))
        if on_its_way:
            put(place / NAME / "pending", a_set("middle"))
        first = a_set("middle" if on_its_way else "old")
        with monkeypatch.context() as patched, contextlib.suppress(Killed):
            mortal = Mortal(nth)
            patched.setattr(files, "os", mortal)
            write(store_at(place, layout), a_set("new"))
        store = store_at(place)
        seen = store.read(NAME)
        assert seen in (first, a_set("new"))
        found.append(seen)
        if not on_its_way and layout == "links":
            assert shown(place / NAME) == seen  # servers see no other moment
        with store.locked(context(), NAME) as lock:
            assert store.read(NAME) == seen
            store.write(lock, a_set("last"))
        assert store.read(NAME) == a_set("last") == shown(place / NAME)
        assert [name for name in own_names(place / NAME) if name.endswith(".tmp")] == []
        if mortal.count < nth:
            break
    assert found[-1] == a_set("new")
    assert len(found) > 20


def test_moving_over_needs_no_more_than_the_right_to_write(place: Path) -> None:
    """The user's own modes of the store's folder stay."""
    place.chmod(0o755)
    (place / "certificates").chmod(0o750)
    write(store_at(place), a_set("new"))
    assert [path.stat().st_mode & 0o777 for path in (place, place / "certificates")] == [0o755, 0o750]
    assert os.access(place / NAME / "privkey.pem", os.R_OK)
