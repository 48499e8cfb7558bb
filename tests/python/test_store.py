"""The store: nothing is lost, whatever ends a process and whoever else is at work."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tossl_acme.certificates.store import FILES, CertificateFolder, Store
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, WaitTimeout

TEXTS = {"certificate": "leaf\n", "chain": "issuer\n", "fullchain": "leaf\nissuer\n"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.suffix == ".pem"}


def keep(folder: CertificateFolder, mark: str, *, has_key: bool = True) -> None:
    if has_key:
        folder.keep_key(f"key {mark}\n")
    folder.keep({name: text + mark for name, text in TEXTS.items()}, {"mark": mark}, has_key=has_key)


def test_modes(store: Store) -> None:
    with store.certificate("*.example.com", Context(5).begin()) as folder:
        keep(folder, "1")
    assert folder.path.name == "_.example.com"
    for path in (store.folder, *store.folder.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_set_that_was_complete_is_moved_by_whoever_comes_next(store: Store) -> None:
    """Killed between two of the moves: the new set is there as a whole for the next one."""
    with store.certificate("example.com", Context(5).begin()) as folder:
        keep(folder, "old")
        pending = folder.path / "pending"
        pending.mkdir()
        for name in ("chain.pem", "fullchain.pem", "privkey.pem"):
            (pending / name).write_text("new")
        (folder.path / "cert.pem").write_text("new")
        (pending / "certificate.json").write_text(json.dumps({"mark": "new"}))
    with store.certificate("example.com", Context(5).begin()) as folder:
        assert set(files(folder.path).values()) == {"new"}
        assert json.loads((folder.path / "certificate.json").read_text())["mark"] == "new"
        assert not pending.exists()


def test_a_set_that_was_not_complete_leaves_the_old_one(store: Store) -> None:
    with store.certificate("example.com", Context(5).begin()) as folder:
        keep(folder, "old")
        folder.keep_key("key new\n")
    with store.certificate("example.com", Context(5).begin()) as folder:
        assert files(folder.path)["privkey.pem"] == "key old\n"
        assert folder.left_over_key() == "key new\n"


def test_a_left_over_key_is_put_aside_not_lost(store: Store) -> None:
    with store.certificate("example.com", Context(5).begin()) as folder:
        folder.keep_key("first\n")
        folder.keep_key("second\n")
        folder.keep_key("second\n")
        assert sorted(files(folder.path / "pending").values()) == ["first\n", "second\n"]
        folder.keep(TEXTS, {})
        assert files(folder.path)["privkey.pem"] == "second\n"
        assert list(files(folder.path / "pending").values()) == ["first\n"]


def test_the_old_key_goes_only_with_its_certificate(store: Store) -> None:
    """A certificate for the user's own request has no key here; until it is complete the old pair stays whole."""
    with store.certificate("example.com", Context(5).begin()) as folder:
        keep(folder, "old")
        (folder.path / "pending").mkdir()
        (folder.path / "pending" / FILES["chain"]).mkdir()  # what a full disk does: the second file fails
        with pytest.raises(ArgumentError, match="cannot use"):
            keep(folder, "new", has_key=False)
        assert files(folder.path)["privkey.pem"] == "key old\n"
        assert files(folder.path)["cert.pem"] == "leaf\nold"
        (folder.path / "pending" / FILES["chain"]).rmdir()
        keep(folder, "new", has_key=False)
        assert "privkey.pem" not in files(folder.path)
        assert files(folder.path)["cert.pem"] == "leaf\nnew"


HOLDER = """
import sys
from pathlib import Path
from tossl_acme.certificates.store import Store
from tossl_acme.context import Context
with Store(Path(sys.argv[1])).certificate("example.com", Context(5).begin()) as folder:
    folder.keep_key("of the other process")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_processes_take_turns_and_a_killed_one_is_out_of_it(store: Store) -> None:
    """The lock goes with its holder; the key that a killed process had written is still there."""
    command = [sys.executable, "-c", HOLDER, str(store.folder)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(WaitTimeout), store.certificate("example.com", Context(0.2).begin()):
            pass
        with store.certificate("other.example.com", Context(5).begin()):
            pass
        other.send_signal(signal.SIGKILL)
        with store.certificate("example.com", Context(5).begin()) as folder:
            assert folder.left_over_key() == "of the other process"


def test_account_keys_by_url(store: Store) -> None:
    """The first one kept holds; no URL shares a folder with another, and none leads out of accounts/."""
    urls = ("https://ca/a/b", "https://ca/a_b", "https://ca/a?b", "https://../", "https://ca:14000/dir")
    for url in urls:
        assert store.keep_account_key(Context(5).begin(), url, f"key of {url}") == f"key of {url}"
        assert store.keep_account_key(Context(5).begin(), url, "another") == f"key of {url}"
    assert [store.account_key(url) for url in urls] == [f"key of {url}" for url in urls]
    assert {path.parent.parent for path in store.folder.rglob("key.pem")} == {store.folder / "accounts"}


def test_the_account_lock_is_waited_for_no_longer_than_told(store: Store) -> None:
    import fcntl

    store.keep_account_key(Context(5).begin(), "https://ca/dir", "key")
    (lock,) = store.folder.rglob("accounts/*/.lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(WaitTimeout):
            store.keep_account_key(Context(0.2).begin(), "https://ca/dir", "key")


@pytest.mark.parametrize("spoiled", ["key.pem", ".lock"])
def test_what_the_file_system_refuses_is_said(store: Store, spoiled: str) -> None:
    store.keep_account_key(Context(5).begin(), "https://ca/dir", "key")
    (path,) = store.folder.rglob(f"accounts/*/{spoiled}")
    path.unlink()
    path.mkdir()
    with pytest.raises(ArgumentError, match=r"cannot use .*: Is a directory") as caught:
        store.keep_account_key(Context(5).begin(), "https://ca/dir", "key")
    assert caught.value.errorcode == ("TOSSL", "VALUE", "store")
