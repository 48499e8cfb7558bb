"""The store: nothing is lost, whatever ends a process and whoever else is at work."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tossl_acme.certificates.accounts import account_key, changing_account_key, keep_account_key
from tossl_acme.certificates.deploy import node_state
from tossl_acme.certificates.files import FILES, PENDING, CertificateFolder, certificate_folder
from tossl_acme.certificates.known import is_fresh
from tossl_acme.certificates.record import KeptCertificate
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, WaitTimeout
from tossl_acme.files import FilePath, absolute
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import folder_of_environment

TEXTS = {"certificate": "leaf\n", "chain": "issuer\n", "fullchain": "leaf\nissuer\n"}


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(absolute(tmp_path / "store"))


def files(folder: FilePath | None) -> dict[str, str]:
    assert folder is not None
    return {path.name: path.read_text() for path in Path(folder).iterdir() if path.suffix == ".pem"}


def keep(folder: CertificateFolder, mark: str, *, has_key: bool = True) -> None:
    if has_key:
        folder.keep_key(f"key {mark}\n")
    folder.keep({name: text + mark for name, text in TEXTS.items()}, {"mark": mark}, has_key=has_key)


def test_modes(store: FolderStore) -> None:
    with certificate_folder(store, Context(5).begin(), "*.example.com") as folder:
        keep(folder, "1")
    assert Path(folder.path).name == "_.example.com"
    for path in (Path(store.path), *Path(store.path).rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_set_that_was_not_complete_leaves_the_old_one(store: FolderStore) -> None:
    with certificate_folder(store, Context(5).begin(), "example.com") as folder:
        keep(folder, "old")
        folder.keep_key("key new\n")
    with certificate_folder(store, Context(5).begin(), "example.com") as folder:
        assert files(folder.path)["privkey.pem"] == "key old\n"
        assert folder.read(PENDING)["privkey.pem"] == "key new\n"


def test_a_left_over_key_is_put_aside_not_lost(store: FolderStore) -> None:
    with certificate_folder(store, Context(5).begin(), "example.com") as folder:
        folder.keep_key("first\n")
        folder.keep_key("second\n")
        folder.keep_key("second\n")
        assert sorted(folder.read(PENDING).values()) == ["first\n", "second\n"]
        folder.keep(TEXTS, {})
        assert files(folder.path)["privkey.pem"] == "second\n"
        assert "first\n" in folder.read(PENDING).values()


def test_the_old_key_goes_only_with_its_certificate(store: FolderStore) -> None:
    """A certificate for the user's own request has no key here; until it is complete the old pair stays whole."""
    with certificate_folder(store, Context(5).begin(), "example.com") as folder:
        keep(folder, "old")
        chain = Path(str(folder.path)) / FILES["chain"]
        chain.unlink()
        chain.mkdir()
        with pytest.raises(ArgumentError, match="cannot use"):
            keep(folder, "new", has_key=False)
        assert folder.read()["privkey.pem"] == "key old\n"
        assert folder.read()["cert.pem"] == "leaf\nold"
        chain.rmdir()
        keep(folder, "new", has_key=False)
        assert "privkey.pem" not in files(folder.path)
        assert files(folder.path)["cert.pem"] == "leaf\nnew"


HOLDER = """
import sys
from tossl_acme.certificates.files import certificate_folder
from tossl_acme.context import Context
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore
with certificate_folder(FolderStore(absolute(sys.argv[1])), Context(5).begin(), "example.com") as folder:
    folder.keep_key("of the other process")
    print("held", flush=True)
    sys.stdin.read()
"""


def test_processes_take_turns_and_a_killed_one_is_out_of_it(store: FolderStore) -> None:
    """The lock goes with its holder; the key that a killed process had written is still there."""
    command = [sys.executable, "-c", HOLDER, store.path]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(WaitTimeout), certificate_folder(store, Context(0.2).begin(), "example.com"):
            pass
        with certificate_folder(store, Context(5).begin(), "other.example.com"):
            pass
        other.send_signal(signal.SIGKILL)
        with certificate_folder(store, Context(5).begin(), "example.com") as folder:
            assert folder.read(PENDING)["privkey.pem"] == "of the other process"


def test_account_keys_by_url(store: FolderStore) -> None:
    """The first one kept holds; no URL shares a folder with another, and none leads out of accounts/."""
    urls = ("https://ca/a/b", "https://ca/a_b", "https://ca/a?b", "https://../", "https://ca:14000/dir")
    for url in urls:
        assert keep_account_key(store, Context(5).begin(), url, f"key of {url}") == f"key of {url}"
        assert keep_account_key(store, Context(5).begin(), url, "another") == f"key of {url}"
    assert [account_key(store, url) for url in urls] == [f"key of {url}" for url in urls]
    assert {path.parent.parent for path in Path(store.path).glob("*/*/key.pem")} == {Path(store.path) / "accounts"}


def test_the_account_lock_is_waited_for_no_longer_than_told(store: FolderStore) -> None:
    import fcntl

    keep_account_key(store, Context(5).begin(), "https://ca/dir", "key")
    (lock,) = Path(store.path).rglob("accounts/*/.lock")
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(WaitTimeout):
            keep_account_key(store, Context(0.2).begin(), "https://ca/dir", "key")


@pytest.mark.parametrize("spoiled", ["..data/key.pem", ".lock"])
def test_what_the_file_system_refuses_is_said(store: FolderStore, spoiled: str) -> None:
    keep_account_key(store, Context(5).begin(), "https://ca/dir", "key")
    (path,) = Path(store.path).glob(f"accounts/*/{spoiled}")
    path.unlink()
    path.mkdir()
    with pytest.raises(ArgumentError, match=r"cannot use .*: Is a directory") as caught:
        keep_account_key(store, Context(5).begin(), "https://ca/dir", "key")
    assert caught.value.errorcode == ("TOSSL", "VALUE", "store")


# What the file system refuses


def refused(action: Callable[[], object]) -> str:
    """The message of the error, which names -store."""
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "store")
    return caught.value.message


def keep_key(store: FolderStore) -> str:
    return keep_account_key(store, Context(5).begin(), "https://ca/dir", "key")


@pytest.mark.parametrize(
    ("number", "call"),
    [
        (errno.ENOSPC, "fsync"),
        (errno.EIO, "fsync"),
        (errno.EROFS, "mkdir"),
        (errno.EACCES, "mkdir"),
        (errno.EROFS, "rename"),
        (errno.EMFILE, "open"),
        (errno.EDQUOT, "fsync"),
    ],
)
def test_every_refusal_names_option_path_and_reason(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, number: int, call: str
) -> None:
    Path(store.path).mkdir()

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number), "a name alone")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        message = refused(lambda: keep_key(store))
    assert message.startswith(f'cannot use "{store.path}')
    assert message.endswith(f": {os.strerror(number)}")
    assert [path for path in Path(store.path).rglob("*") if path.suffix in (".tmp", ".pem")] == []
    assert keep_key(store) == "key"


def test_a_store_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        store = FolderStore(absolute(path))
        for action in (lambda: keep_key(store), lambda: account_key(store, "https://ca/dir")):
            assert "Not a directory" in refused(action)


def test_names_that_are_too_long(tmp_path: Path) -> None:
    for path in (tmp_path / ("x" * 300), tmp_path / ("x/" * 3000)):
        assert "File name too long" in refused(lambda: keep_key(FolderStore(absolute(path))))


def test_a_circle_of_links(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert "Too many levels of symbolic links" in refused(lambda: keep_key(FolderStore(absolute(tmp_path / "one"))))


def test_what_is_no_text(store: FolderStore) -> None:
    keep_key(store)
    (path,) = Path(store.path).glob("*/*/..data/key.pem")
    path.write_bytes(b"\xff")
    assert refused(lambda: keep_key(store)) == f'"{path.parent.parent}/key.pem" is not a text file'
    path.unlink()
    os.mkfifo(path)
    assert refused(lambda: keep_key(store)) == f'cannot use "{path.resolve()}": Not a plain file'


def test_every_folder_is_on_disk_before_what_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash after the key was kept must not take the folders away in which it is."""
    folders: list[str] = []
    sync = os.fsync

    def record(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            folders.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        sync(handle)

    monkeypatch.setattr(os, "fsync", record)
    store = FolderStore(absolute(tmp_path / "a/b"))
    with certificate_folder(store, Context(5).begin(), "example.com") as folder:
        folder.keep_key("key")
    chain = [tmp_path, *(tmp_path / path for path in ("a", "a/b", "a/b/certificates", "a/b/certificates/example.com"))]
    first = [folders.index(str(path)) for path in (*chain, chain[-1] / "pending")]
    assert first == sorted(first)
    # The set, its name, and that it is in force; the two after it are the folder of the lock, which is kept.
    pending = str(chain[-1] / "pending")
    made = next(path for path in folders if ".." in path)
    assert Path(made).parent == chain[-1] / "pending"
    assert folders[folders.index(made) :] == [made, pending, pending]


# Links and modes


def test_a_link_of_another_user_is_refused(store: FolderStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_key(store)
    (path,) = Path(store.path).glob("*/*/..data/key.pem")
    path = path.parent.parent / "key.pem"
    moved = Path(shutil.copy(path, tmp_path / "moved.pem"))
    shutil.rmtree(path.parent)
    path.parent.mkdir()
    path.symlink_to(moved)
    assert account_key(store, "https://ca/dir") == "key"
    if os.geteuid() == 0:
        os.lchown(path, 12345, 12345)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)
    message = refused(lambda: account_key(store, "https://ca/dir"))
    assert message.startswith(f'cannot use "{path}": a link made by user {path.lstat().st_uid};')


def test_accounts_may_be_kept_elsewhere(store: FolderStore, tmp_path: Path) -> None:
    Path(store.path).mkdir()
    (tmp_path / "elsewhere").mkdir(mode=0o750)
    Path(store.path / "accounts").symlink_to("../elsewhere")
    keep_key(store)
    assert len(list((tmp_path / "elsewhere").glob("*/key.pem"))) == 1
    assert (tmp_path / "elsewhere").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("umask", [0o000, 0o177])
def test_modes_whatever_the_umask(store: FolderStore, umask: int) -> None:
    before = os.umask(umask)
    try:
        keep_key(store)
    finally:
        os.umask(before)
    for path in (Path(store.path), *Path(store.path).rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


# Locks


def test_a_thread_does_not_wait_for_itself(store: FolderStore) -> None:
    with certificate_folder(store, Context(60).begin(), "example.com"):
        begun = time.monotonic()
        with pytest.raises(ArgumentError) as caught, certificate_folder(store, Context(60).begin(), "example.com"):
            pass
        assert time.monotonic() - begun < 30
        assert caught.value.errorcode == ("TOSSL", "VALUE", "store")
        assert "this thread works on it already" in caught.value.message
        with certificate_folder(store, Context(5).begin(), "other.example.com"):
            pass
    with certificate_folder(store, Context(5).begin(), "example.com"):
        pass


def test_other_threads_wait(store: FolderStore) -> None:
    with ThreadPoolExecutor(1) as pool:
        with certificate_folder(store, Context(5).begin(), "example.com") as folder:

            def left_over() -> str:
                with certificate_folder(store, Context(20).begin(), "example.com") as folder:
                    return folder.read(PENDING)["privkey.pem"]

            waiting = pool.submit(left_over)
            folder.keep_key("of the first")
        assert waiting.result() == "of the first"


def test_a_forked_child_holds_no_lock(store: FolderStore) -> None:
    """The parent may end, and its lock with it, while a child lives on."""
    read, write = os.pipe()
    with certificate_folder(store, Context(5).begin(), "example.com"):
        child = os.fork()
        if not child:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
    try:
        with certificate_folder(store, Context(1).begin(), "example.com"):
            pass
    finally:
        os.close(write)
        os.waitpid(child, 0)
        os.close(read)


def test_the_folder_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for name in ("TOSSL_STORE", "TOSSL_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, f"{name} ~")
    monkeypatch.setenv("HOME", "/home/me")
    assert folder_of_environment() == ("TOSSL_STORE", "TOSSL_STORE ~")
    monkeypatch.setenv("TOSSL_STORE", "")
    assert folder_of_environment() == ("TOSSL_HOME", "TOSSL_HOME ~")
    monkeypatch.delenv("TOSSL_HOME")
    assert folder_of_environment() == ("XDG_DATA_HOME", "XDG_DATA_HOME ~/tossl")
    monkeypatch.delenv("XDG_DATA_HOME")
    assert folder_of_environment() == ("HOME", "/home/me/.local/share/tossl")


def test_a_changed_account_key(store: FolderStore) -> None:
    keep_key(store)
    (folder,) = Path(store.path / "accounts").iterdir()
    with pytest.raises(KeyError), changing_account_key(store, Context(5).begin(), "https://ca/dir", "second"):
        raise KeyError
    assert account_key(store, "https://ca/dir") == "key"
    assert (folder / "next.pem").read_text() == "second"
    with changing_account_key(store, Context(5).begin(), "https://ca/dir", "third"):
        assert account_key(store, "https://ca/dir") == "key"
    assert account_key(store, "https://ca/dir") == "third"
    assert sorted(path.read_text() for path in folder.glob("*.pem")) == ["second", "third"]


def test_a_number_that_nobody_can_have_written_is_none() -> None:
    """Python makes no number of thousands of digits, and no float of hundreds."""
    assert not is_fresh({"read_at": 10**400}, 1.0)
    kept = KeptCertificate("a", {"serial": "1", "not_after": 2, "issuance": {}}, {}, str)
    assert node_state(kept, {"told": b"1 2", "told_at": b"9" * 5000})["at"] == 0
