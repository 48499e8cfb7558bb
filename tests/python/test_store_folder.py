"""A store in a folder: what servers see of it, and what is left when a writer dies at any moment."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.forked import in_child
from tossl_acme import files
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.files import absolute
from tossl_acme.store import options
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions, folder_of_environment, lacks, notice_of

ROOT = Path(__file__).parents[2]
NAME = "certificates/example.com"
OLD = {"cert.pem": b"certificate 1", "privkey.pem": b"key 1", "certificate.json": b"{}", "same.pem": b"same"}
NEW = {"cert.pem": b"certificate 2", "chain.pem": b"chain 2", "certificate.json": b"{2}", "same.pem": b"same"}
LAYOUTS = pytest.mark.parametrize("layout", ["links", "files"])


def store_at(folder: Path, layout: str = "", **given: str) -> FolderStore:
    return FolderStore(absolute(folder), FolderOptions.parse(layout, **given))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store"


def context() -> Context:
    return Context(20).begin()


def write(store: FolderStore, *values: dict[str, bytes], name: str = NAME) -> None:
    with store.locked(context(), name) as lock:
        for one in values:
            store.write(lock, one)


def shown(folder: Path) -> dict[str, bytes]:
    """What a server can open by its name."""
    names = (path for path in folder.iterdir() if not path.name.startswith("."))
    return {path.name: path.read_bytes() for path in names if path.is_file()}


def statuses(place: Path) -> list[tuple[object, ...]]:
    """All that only a change of a file changes: not when it was read."""
    found = ((path, path.lstat()) for path in sorted(place.rglob("*")))
    return [(path, one.st_ino, one.st_mode, one.st_size, one.st_mtime_ns, one.st_ctime_ns) for path, one in found]


def own_names(folder: Path) -> list[str]:
    """What stands in it beside what servers see."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


def refused(action: Callable[[], object], argument: str = "store") -> str:
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", argument)
    return caught.value.message


# ---- what stands on the disk ----


def test_names_are_links_through_the_set_in_force(place: Path) -> None:
    write(store_at(place), OLD)
    folder = place / NAME
    assert {name: str((folder / name).readlink()) for name in shown(folder)} == {name: f"..data/{name}" for name in OLD}
    data = folder / str((folder / "..data").readlink())
    assert data.parent == folder
    assert {path.name: path.read_bytes() for path in data.iterdir()} == OLD
    assert not any(path.is_symlink() for path in data.iterdir())
    assert (place / "format").read_text() == "2\n"


def test_a_file_that_does_not_change_stays_the_same_on_disk(place: Path) -> None:
    """It is on disk already: only what changes is written. In a set of other rights it is written anew."""
    store = store_at(place)
    key = place / NAME / "privkey.pem"
    write(store, OLD)
    before = key.stat().st_ino
    write(store, {**OLD, "cert.pem": b"certificate 2"})
    assert key.stat().st_ino == before
    assert store.read(NAME) == {**OLD, "cert.pem": b"certificate 2"}
    write(store, OLD | {"privkey.pem": b"key 2"})
    other = key.stat().st_ino
    assert (key.read_bytes(), key.stat().st_nlink) == (b"key 2", 1)
    write(store_at(place, file_mode="0640"), OLD | {"privkey.pem": b"key 2"})
    assert (key.stat().st_mode & 0o777, key.stat().st_ino == other) == (0o640, False)


def test_a_file_system_without_second_names(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    write(store_at(place), OLD, OLD)
    assert store_at(place).read(NAME) == OLD


def test_no_link_leaves_the_folder_wherever_it_is_moved(place: Path, tmp_path: Path) -> None:
    write(store_at(place), OLD, NEW)
    (place / NAME).rename(tmp_path / "elsewhere")
    assert shown(tmp_path / "elsewhere") == NEW


def test_plain_files(place: Path) -> None:
    write(store_at(place, "files"), OLD, NEW)
    folder = place / NAME
    assert shown(folder) == NEW
    assert not any(path.is_symlink() for path in folder.rglob("*"))


@LAYOUTS
def test_the_last_two_sets_are_kept(place: Path, layout: str) -> None:
    store = store_at(place, layout)
    write(store, *({"n": b"%d" % number} for number in range(5)))
    kept = [(folder / "n").read_bytes() for folder in sorted((place / NAME).glob("..[0-9]*"))]
    assert kept == [b"3", b"4"]
    with store.locked(context(), NAME) as lock:
        for _ in range(3):
            store.write(lock, OLD, "pending")
    assert len(list((place / NAME / "pending").glob("..[0-9]*"))) == 1


@LAYOUTS
def test_names_that_a_set_has_not_are_gone(place: Path, layout: str) -> None:
    store = store_at(place, layout)
    write(store, OLD, NEW)
    assert shown(place / NAME) == NEW
    assert not (place / NAME / "privkey.pem").is_symlink()
    with store.locked(context(), NAME) as lock:
        store.delete(lock)
    assert not (place / NAME).exists()


@pytest.mark.parametrize("change", [("links", "files"), ("files", "links")])
def test_the_layout_can_be_changed_and_stays(place: Path, change: tuple[str, str]) -> None:
    for layout in (*change, ""):
        write(store_at(place, layout), OLD, NEW)
        assert shown(place / NAME) == NEW == store_at(place).read(NAME)
    assert (place / NAME / "..data").is_symlink() == (change[1] == "links")
    assert (place / NAME / "cert.pem").is_symlink() == (change[1] == "links")


def test_the_lock_says_who_has_it(place: Path) -> None:
    with store_at(place).locked(context(), NAME) as lock:
        record = json.loads((place / NAME / ".lock").read_text())
    assert record == {"epoch": lock.epoch, "holder": lock.holder}
    assert f"process {os.getpid()} on " in lock.holder


# ---- links that cannot be made ----


@pytest.fixture
def linkless(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "symlink", refuse)


@pytest.mark.usefixtures("linkless")
def test_without_links_there_are_plain_files_and_a_warning(place: Path) -> None:
    store, said = store_at(place), context()
    with store.locked(said, NAME) as lock:
        store.write(lock, OLD, "pending")
        store.write(lock, NEW)
    assert shown(place / NAME) == NEW == store.read(NAME)
    (warning,) = said.told("warning")
    assert warning["warning"] == "layout"
    assert str(place / NAME) in str(warning["message"])
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD)
    assert shown(place / NAME) == OLD == store.read(NAME)


@pytest.mark.usefixtures("linkless")
def test_links_that_were_asked_for(place: Path) -> None:
    store = store_at(place, "links")
    assert "-layout files does without" in refused(lambda: write(store, OLD), "layout")
    assert store.read(NAME) is None


# ---- what somebody else put there ----


@LAYOUTS
@pytest.mark.parametrize("kind", ["file", "link", "folder", "pipe"])
def test_a_foreign_file_is_named_and_stays(place: Path, layout: str, kind: str) -> None:
    write(store_at(place, layout), OLD)
    path = place / NAME / "chain.pem"
    {
        "file": lambda: path.write_text("mine"),
        "link": lambda: path.symlink_to("/etc/hostname"),
        "folder": lambda: (path / "mine").mkdir(parents=True),
        "pipe": lambda: os.mkfifo(path),
    }[kind]()
    before = path.lstat()
    assert f'cannot use "{path}": ' in refused(lambda: write(store_at(place, layout), NEW))
    assert path.lstat() == before
    assert store_at(place).read(NAME) == OLD
    assert (place / NAME / "cert.pem").read_bytes() == OLD["cert.pem"]
    with store_at(place).locked(context(), NAME) as lock:
        store_at(place).delete(lock)
    assert path.lstat() == before


@pytest.mark.parametrize("change", [("links", "files"), ("files", "links")])
def test_a_changed_layout_leaves_foreign_files(place: Path, change: tuple[str, str]) -> None:
    write(store_at(place, change[0]), OLD)
    path = place / NAME / "privkey.pem"
    path.unlink()
    path.write_text("mine")
    write(store_at(place, change[1]), NEW)
    assert shown(place / NAME) == NEW | {"privkey.pem": b"mine"}


@LAYOUTS
def test_a_file_of_ours_that_somebody_changed(place: Path, layout: str) -> None:
    write(store_at(place, layout), OLD)
    path = place / NAME / "cert.pem"
    path.unlink()
    path.write_text("mine")
    assert str(path) in refused(lambda: write(store_at(place, layout), NEW))
    assert path.read_text() == "mine"
    path.unlink()
    write(store_at(place, layout), NEW)
    assert shown(place / NAME) == NEW


def test_other_files_are_left_alone(place: Path) -> None:
    write(store_at(place), OLD)
    (place / NAME / "README").write_text("mine")
    (place / NAME / ".mine.tmp").write_text("mine")
    (place / "certificates" / "notes.txt").write_text("mine")
    (place / "certificates" / ".hidden").mkdir()
    (place / "certificates" / "not a name").mkdir()
    (place / "certificates" / "empty").mkdir()
    write(store_at(place), NEW)
    assert store_at(place).list("certificates") == [NAME]
    assert shown(place / NAME) == NEW | {"README": b"mine"}
    assert (place / "certificates" / "notes.txt").read_text() == "mine"
    assert (place / NAME / ".mine.tmp").read_text() == "mine"


def test_plain_files_that_no_store_wrote_are_no_set(place: Path) -> None:
    """Without its record a certificate in this place is somebody's."""
    (place / NAME).mkdir(parents=True)
    (place / NAME / "cert.pem").write_text("mine")
    store = store_at(place)
    assert (store.read(NAME), store.list("certificates")) == (None, [])
    assert str(place / NAME / "cert.pem") in refused(lambda: write(store, NEW))
    assert shown(place / NAME) == {"cert.pem": b"mine"}


@pytest.mark.parametrize("damage", ["elsewhere", "../other", "..1/../..", "", "..99999", "/etc"])
@LAYOUTS
def test_a_damaged_pointer_is_named(place: Path, layout: str, damage: str) -> None:
    write(store_at(place, layout), OLD)
    pointer = place / NAME / "..data"
    pointer.unlink()
    if layout == "links" and damage:
        pointer.symlink_to(damage)
    else:
        pointer.write_text(damage)
    store = store_at(place)
    for action in (lambda: store.read(NAME), lambda: write(store, NEW)):
        assert f'"{pointer}" is damaged' in refused(action)
    assert store.list("certificates") == [NAME]
    assert pointer.lstat()


@pytest.mark.parametrize("kind", ["folder", "pipe", "unreadable", "huge"])
def test_a_damaged_value_is_named(place: Path, kind: str) -> None:
    write(store_at(place), OLD)
    path = (place / NAME / "cert.pem").resolve()
    path.unlink()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "unreadable":
        path.symlink_to("/etc/hostname")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    assert str(path) in refused(lambda: store_at(place).read(NAME))


def test_a_copy_without_its_links_is_taken_up(place: Path) -> None:
    """Not every program that copies a store copies links."""
    write(store_at(place), OLD, NEW)
    for path in list((place / NAME).iterdir()):
        if path.is_symlink():
            path.unlink()
    store = store_at(place)
    assert store.read(NAME) is None  # it may be on its way
    age(place / NAME)
    assert store.read(NAME) == NEW
    assert store.list("certificates") == [NAME]
    before = store.version(NAME)
    assert before
    with store.locked(context(), NAME):
        assert store.read(NAME) == NEW
    assert store.version(NAME) == before
    assert shown(place / NAME) == NEW


def test_a_copy_whose_links_were_followed_says_how_to_go_on(place: Path, tmp_path: Path) -> None:
    write(store_at(place), OLD, NEW)
    copy = tmp_path / "copy"
    shutil.copytree(place, copy)  # as cp -L does
    store = store_at(copy)
    for action in (lambda: store.read(NAME), lambda: write(store, OLD)):
        assert "copy the store with its links (cp -a), or remove that folder" in refused(action)
    shutil.rmtree(copy / NAME / "..data")
    found = store.read(NAME)
    assert found
    assert found["cert.pem"] == NEW["cert.pem"]
    write(store, OLD)
    assert shown(copy / NAME) == OLD == store.read(NAME)


def age(folder: Path) -> None:
    """Has the sets be of an hour ago."""
    for path in sorted(folder.glob("..1*")):
        path.rename(folder / f"..{int(path.name[2:]) - 3600 * 10**9}")


# ---- the store's version ----


@pytest.mark.parametrize("text", ["3\n", "10", "99999999999999999999"])
def test_a_store_of_a_later_version_is_not_touched(place: Path, text: str) -> None:
    store = store_at(place)
    write(store, OLD)
    (place / "format").write_text(text)
    actions = (
        lambda: store.read(NAME),
        lambda: store.list("certificates"),
        lambda: store.version(NAME),
        lambda: write(store, NEW),
    )
    for action in actions:
        message = refused(action)
        assert f'"{place}/format" says format {int(text)}, this tossl knows format 2' in message
    assert shown(place / NAME) == OLD


@pytest.mark.parametrize("content", [b"", b"two", b"\xff", b"-1", b"1" * 5000], ids=["", "two", "ff", "-1", "long"])
def test_a_damaged_version_is_named(place: Path, content: bytes) -> None:
    write(store_at(place), OLD)
    (place / "format").write_bytes(content)
    assert f'"{place}/format" is damaged' in refused(lambda: store_at(place).read(NAME))


def test_what_a_dead_writer_left_beside_it_is_swept(place: Path) -> None:
    write(store_at(place), OLD)
    for name, age in ((".0123456789abcdef.tmp", 100), (".fedcba9876543210.tmp", 0), (".my own file.tmp", 100)):
        (place / name).write_text("2")
        os.utime(place / name, (time.time() - age, time.time() - age))
    write(store_at(place), NEW)
    assert own_names(place) == [".fedcba9876543210.tmp", ".my own file.tmp"]


# ---- locks ----


def test_a_holder_that_another_has_followed_writes_nothing(place: Path) -> None:
    """As after a partition, when a file system gave the lock to somebody else."""
    store = store_at(place)
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD)
        record = {"epoch": lock.epoch + 1, "holder": "process 1 on www2"}
        (place / NAME / ".lock").write_text(json.dumps(record))
        for action in (lambda: store.write(lock, NEW), lambda: store.delete(lock), lambda: store.write(lock, NEW, "p")):
            assert "is lost: process 1 on www2 has it; nothing was written" in refused(action)
    assert shown(place / NAME) == OLD == store.read(NAME)
    with store.locked(context(), NAME) as lock:
        assert lock.epoch > record["epoch"]


def test_it_is_looked_at_once_more_when_the_set_is_made(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The holder was stopped while it wrote its files."""
    store = store_at(place)
    write(store, OLD)
    write_several = files.Folder.write_several

    def stopped(self: files.Folder, *arguments: Any) -> None:
        write_several(self, *arguments)
        (place / NAME / ".lock").write_text(json.dumps({"epoch": time.time_ns(), "holder": "another"}))

    monkeypatch.setattr(files.Folder, "write_several", stopped)
    assert "another has it" in refused(lambda: write(store, NEW))
    assert shown(place / NAME) == OLD == store.read(NAME)
    assert len(list((place / NAME).glob("..[0-9]*"))) == 1


def test_a_lock_that_somebody_removed_is_lost(place: Path) -> None:
    store = store_at(place)
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD)
        (place / NAME / ".lock").unlink()
        assert "somebody removed it" in refused(lambda: store.write(lock, NEW))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"epoch": "x"}', b"\xff" * 9999])
def test_a_torn_record_of_the_holder_does_no_harm(place: Path, content: bytes) -> None:
    store = store_at(place)
    write(store, OLD)
    (place / NAME / ".lock").write_bytes(content)
    write(store, NEW)
    assert store.read(NAME) == NEW


def test_a_forked_child_has_no_lock(place: Path) -> None:
    store = store_at(place)
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD)
        assert "is released" in in_child(lambda: store.write(lock, NEW))
        store.write(lock, OLD)
    assert store.read(NAME) == OLD


# ---- who may read ----


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir() if not path.name.startswith(".")}


@LAYOUTS
@pytest.mark.parametrize("umask", [0o000, 0o177, 0o777])
def test_modes_whatever_the_umask(place: Path, layout: str, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = store_at(place, layout)
        with store.locked(context(), NAME) as lock:
            store.write(lock, OLD)
            store.write(lock, NEW)
            store.write(lock, NEW, "pending")
    finally:
        os.umask(before)
    for path in (place, *place.rglob("*")):
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"file_mode": "0644"}, "file_mode"),
        ({"file_mode": "0660"}, "file_mode"),
        ({"file_mode": "0200"}, "file_mode"),
        ({"file_mode": "rw"}, "file_mode"),
        ({"file_mode": "07777777"}, "file_mode"),
        ({"file_mode": "0600", "group": "0"}, "file_mode"),
        ({"group": "no such group"}, "group"),
        ({"group": "-1"}, "group"),
        ({"group": "4294967295"}, "group"),
        ({"group": "1" * 5000}, "group"),
        ({"layout": "tree"}, "layout"),
    ],
)
def test_what_no_option_can_be(given: dict[str, str], argument: str) -> None:
    refused(lambda: FolderOptions.parse(**given), argument)


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to any group")
GROUP = 54322


def reads(path: Path, group: int = GROUP) -> bool:
    """Whether a process of another user that is in the group can read the file."""
    command = ["setpriv", "--reuid", "54321", "--regid", str(group), "--clear-groups", "cat", str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def open_place(tmp_path: Path) -> Iterator[Path]:
    """Where everyone may pass, as in /var/lib."""
    for path in (tmp_path, *tmp_path.parents):
        if not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    yield tmp_path / "store"


@only_root
@LAYOUTS
def test_a_group_reads_certificates_and_no_accounts(open_place: Path, layout: str) -> None:
    store = store_at(open_place, layout, group=str(GROUP))
    write(store, OLD, name="accounts/ca-1")
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD)
        store.write(lock, OLD, "pending")
    folder = open_place / NAME
    assert reads(folder / "privkey.pem")
    assert not reads(folder / "privkey.pem", group=GROUP + 1)
    assert not reads(open_place / "accounts/ca-1/privkey.pem")
    assert not reads(folder / "pending/privkey.pem")
    assert not reads(open_place / "format")
    # A renewal that knows nothing of the group.
    write(store_at(open_place), NEW)
    assert reads(folder / "cert.pem")
    assert not reads(folder / "cert.pem", group=GROUP + 1)
    assert {name: mode for name, mode in modes(folder).items() if name != "pending"} == dict.fromkeys(NEW, 0o640)
    # And one that takes it away.
    write(store_at(open_place, file_mode="0600"), OLD)
    assert not reads(folder / "cert.pem")


@only_root
def test_two_groups_have_a_certificate_each(open_place: Path) -> None:
    other = "certificates/mail.example.com"
    write(store_at(open_place, group=str(GROUP)), OLD)
    write(store_at(open_place, group=str(GROUP + 1), file_mode="0440"), OLD, name=other)
    assert [reads(open_place / NAME / "cert.pem", group) for group in (GROUP, GROUP + 1)] == [True, False]
    assert [reads(open_place / other / "cert.pem", group) for group in (GROUP, GROUP + 1)] == [False, True]


def test_a_group_that_cannot_be_given_is_said(place: Path) -> None:
    command = ["setpriv", "--reuid", "54321", "--regid", "54321", "--clear-groups"] if os.geteuid() == 0 else []
    place.mkdir()
    if command:
        os.chown(place, 54321, 54321)
        for path in place.parents:
            if not path.stat().st_mode & 0o001:
                path.chmod(path.stat().st_mode | 0o001)
    script = """
import sys
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions
store = FolderStore(absolute(sys.argv[1]), FolderOptions.parse(group="0"))
try:
    with store.locked(Context(5).begin(), "certificates/x") as lock:
        store.write(lock, {"cert.pem": b"1"})
except ArgumentError as error:
    print(error.message)
print(store.read("certificates/x"))
"""
    done = subprocess.run([*command, sys.executable, "-c", script, place], capture_output=True, text=True,
                          cwd=ROOT, check=False)  # fmt: skip
    assert done.stdout.splitlines()[1:] == ["None"], done.stderr
    assert "Operation not permitted" in done.stdout


# ---- a store that can only be read ----


def test_a_store_that_can_only_be_read_is_read(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(store_at(place), OLD)
    before = statuses(place)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    usual = os.open

    def open_to_read(path: str, flags: int, *arguments: Any, **given: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            refuse()
        return usual(path, flags, *arguments, **given)

    for name in ("mkdir", "rename", "symlink", "unlink", "rmdir", "fchmod", "fchown"):
        monkeypatch.setattr(os, name, refuse)
    monkeypatch.setattr(os, "open", open_to_read)
    store = store_at(place)
    assert (store.read(NAME), store.list("certificates")) == (OLD, [NAME])
    assert store.version(NAME)
    assert "Read-only file system" in refused(lambda: write(store, NEW))
    assert statuses(place) == before


# ---- a reader beside a writer ----

WRITER = """
import sys
from tossl_acme.context import Context
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions
store = FolderStore(absolute(sys.argv[1]), FolderOptions.parse(sys.argv[2]))
count = int(sys.argv[3])
with store.locked(Context(60).begin(), "certificates/example.com") as lock:
    for number in range(count):
        mark = b"%d" % number
        store.write(lock, {"cert.pem": b"certificate " + mark, "privkey.pem": b"key " + mark})
        print(number, flush=True)
"""


def writer(place: Path, layout: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(place), layout, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def read_pair(folder: Path) -> tuple[int, int]:
    """Reads certificate and key as a server does that resolves ..data once: anew where two sets have come since."""
    while True:
        data = folder / str((folder / "..data").readlink())
        with contextlib.suppress(FileNotFoundError):
            certificate, key = ((data / name).read_bytes().split()[-1] for name in ("cert.pem", "privkey.pem"))
            return int(certificate), int(key)


def test_a_server_that_opens_the_folder_once_reads_a_pair(place: Path) -> None:
    """It resolves ..data, and opens certificate and key there; by their names they may be of two sets."""
    folder = place / NAME
    seen = set()
    with writer(place, "links", 100) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            certificate, key = read_pair(folder)
            assert certificate == key
            seen.add(certificate)
            # Whatever it opens by name is there, and whole, unless two sets come while the system follows its link.
            try:
                assert (folder / "cert.pem").read_bytes().startswith(b"certificate ")
            except FileNotFoundError:
                assert read_pair(folder)[0] >= certificate + 2
    assert process.returncode == 0
    assert len(seen) > 1


@LAYOUTS
def test_a_writer_that_is_killed_leaves_a_set(place: Path, layout: str) -> None:
    """SIGKILL, at moments that nobody chose; the lock goes with the process."""
    for number in range(8):
        with writer(place, layout, 10**6) as process:
            assert process.stdout is not None
            for _ in range(1 + number % 3):
                last = int(process.stdout.readline())
            time.sleep(number / 700)  # somewhere in the middle of a write
            process.send_signal(signal.SIGKILL)
            done = [int(line) for line in process.stdout.read().splitlines() if line.isdigit()]
        last = max([last, *done])
        store = store_at(place)
        found = store.read(NAME)
        assert found is not None
        assert {int(value.split()[-1]) for value in found.values()} <= {last, last + 1}
        assert len({value.split()[-1] for value in found.values()}) == 1
        with store.locked(context(), NAME):
            assert store.read(NAME) == found == shown(place / NAME)
        assert own_names(place / NAME)[-2:] == ["..data", ".lock"]
        assert len(own_names(place / NAME)) <= 4


# ---- the end at every operation ----


class Killed(BaseException):
    """What no handler in the store does anything about."""


_CHANGES = ("mkdir", "rename", "symlink", "link", "unlink", "rmdir", "fsync", "fchmod", "fchown", "ftruncate", "write")


class Mortal:
    """`os`, as the store sees it, until the nth change: from then on the process or the disk is dead."""

    def __init__(self, nth: int, cause: Callable[[], BaseException] = Killed) -> None:
        self.nth = nth
        self._cause = cause
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        operation = getattr(os, name)

        def mortal(*arguments: Any, **given: Any) -> Any:
            if name in _CHANGES or (name == "open" and arguments[1] & os.O_CREAT):
                self.count += 1
                if self.count >= self.nth:
                    raise self._cause()
            return operation(*arguments, **given)

        return mortal if name in _CHANGES or name == "open" else operation


def lives(monkeypatch: pytest.MonkeyPatch, place: Path, prepare: Callable[[Path], None],
          act: Callable[[Path], None]) -> Iterator[tuple[Path, bool]]:  # fmt: skip
    """The store after the process died at the first, second ... change of `act`; True when it lived to the end."""
    for nth in itertools.count(1):
        here = place / str(nth)
        prepare(here)
        with monkeypatch.context() as patched:
            mortal = Mortal(nth)
            patched.setattr(files, "os", mortal)
            with contextlib.suppress(Killed):
                act(here)
            lived = mortal.count < nth
        yield here, lived
        if lived:
            return


def check_whole(here: Path, *expected: dict[str, bytes] | None) -> dict[str, bytes] | None:
    """One of these is in force, for readers of the store and for servers; nothing else is left."""
    store = store_at(here)
    found = store.read(NAME)
    assert found in expected
    folder = here / NAME
    if (folder / "..data").is_symlink() or not (folder / "..data").exists():
        assert (shown(folder) if folder.exists() else {}) == (found or {})
    with store.locked(context(), NAME) as lock:
        after = store.read(NAME)
        assert after in expected
        assert after == found or found is None
        assert shown(folder) == (after or {})
        assert [name for name in own_names(folder) if name.endswith(".tmp")] == []
        assert len(list(folder.glob("..[0-9]*"))) <= 2
        store.write(lock, {"next": b"set"})
        assert shown(folder) == {"next": b"set"} == store.read(NAME)
    return found


@LAYOUTS
@pytest.mark.parametrize("before", [(), (OLD,), (NEW, OLD)], ids=["none", "one", "two"])
def test_killed_at_every_change_of_a_write(
    place: Path, monkeypatch: pytest.MonkeyPatch, layout: str, before: tuple[dict[str, bytes], ...]
) -> None:
    found = []

    def prepare(here: Path) -> None:
        if before:
            write(store_at(here, layout), *before)

    for here, lived in lives(monkeypatch, place, prepare, lambda here: write(store_at(here, layout), NEW)):
        found.append(check_whole(here, OLD if before else None, NEW))
        if lived:
            assert found[-1] == NEW
    assert len(found) > 10
    assert found == sorted(found, key=lambda one: one == NEW)


@LAYOUTS
@pytest.mark.parametrize("name", ["privkey.pem", "chain.pem"], ids=["changed", "added"])
def test_killed_at_every_change_of_one_value_of_a_part(
    place: Path, monkeypatch: pytest.MonkeyPatch, layout: str, name: str
) -> None:
    """The part is the one before or the new one; what was on its way is no value of it, and is swept with the next."""
    new, found = OLD | {name: b"new"}, []

    def act(here: Path, *sets: dict[str, bytes]) -> None:
        store = store_at(here, layout)
        with store.locked(context(), NAME) as lock:
            for one in sets:
                store.write(lock, one, "pending")

    for here, lived in lives(monkeypatch, place, lambda here: act(here, NEW, OLD), lambda here: act(here, new)):
        found.append(store_at(here).read(f"{NAME}/pending"))
        assert found[-1] in (OLD, new)
        act(here, OLD | {"privkey.pem": b"next"})
        assert store_at(here).read(f"{NAME}/pending") == OLD | {"privkey.pem": b"next"}
        act(here, NEW)
        folder = here / NAME / "pending"
        assert store_at(here).read(f"{NAME}/pending") == NEW == shown(folder)
        assert list(folder.rglob("*.tmp")) == []
        if lived:
            assert found[-1] == new
    assert found == sorted(found, key=lambda one: one == new)


def test_a_plain_file_in_the_place_of_a_parts_link_shows_the_value_that_is_changed(place: Path) -> None:
    """As an editor leaves it that writes a file anew."""
    store, name = store_at(place), "privkey.pem"
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD, "pending")
        shown_at = place / NAME / "pending" / name
        shown_at.unlink()
        shown_at.write_bytes(OLD[name])
        for value in (b"new", b"newer"):
            store.write(lock, OLD | {name: value}, "pending")
            assert shown_at.read_bytes() == value
    assert store.read(f"{NAME}/pending") == OLD | {name: b"newer"}


def test_a_holder_that_another_has_followed_changes_no_value_of_a_part(place: Path) -> None:
    store = store_at(place)
    with store.locked(context(), NAME) as lock:
        store.write(lock, OLD, "pending")
        (place / NAME / ".lock").unlink()
        with pytest.raises(ArgumentError, match="is lost"):
            store.write(lock, OLD | {"privkey.pem": b"new"}, "pending")
    assert store.read(f"{NAME}/pending") == OLD


@LAYOUTS
def test_killed_at_every_change_of_a_deletion(place: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    def delete(here: Path) -> None:
        store = store_at(here, layout)
        with store.locked(context(), NAME) as lock:
            store.delete(lock)

    found = [
        check_whole(here, OLD, None)
        for here, _ in lives(monkeypatch, place, lambda here: write(store_at(here, layout), NEW, OLD), delete)
    ]
    assert found == sorted(found, key=lambda one: one is None)
    assert found[-1] is None


@pytest.mark.parametrize("change", [("links", "files"), ("files", "links")])
def test_killed_at_every_change_of_the_layout(
    place: Path, monkeypatch: pytest.MonkeyPatch, change: tuple[str, str]
) -> None:
    """Servers can open every name at every moment."""
    for here, _ in lives(
        monkeypatch,
        place,
        lambda here: write(store_at(here, change[0]), OLD),
        lambda here: write(store_at(here, change[1]), OLD),
    ):
        assert shown(here / NAME) == OLD
        check_whole(here, OLD)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
@LAYOUTS
def test_every_change_of_a_write_fails(
    place: Path, monkeypatch: pytest.MonkeyPatch, layout: str, number: int
) -> None:
    """With all that follow; the old set stands unless the disk failed at the moment of the change itself."""
    written = 0
    for nth in itertools.count(1):
        here = place / str(nth)
        write(store_at(here, layout), OLD)
        store = store_at(here, layout)
        with store.locked(context(), NAME) as lock, monkeypatch.context() as patched:
            disk = Mortal(nth, lambda: OSError(number, os.strerror(number)))
            patched.setattr(files, "os", disk)
            try:
                store.write(lock, NEW)
            except ArgumentError as error:
                assert error.errorcode == ("TOSSL", "VALUE", "store")
                assert os.strerror(number) in error.message
                assert str(here) in error.message
            else:
                written += 1
        found = check_whole(here, OLD, NEW)
        if disk.count < nth:
            break
    assert found == NEW
    assert nth > 10


# ---- where it is ----


def environment(monkeypatch: pytest.MonkeyPatch, home: Path, *, root: bool) -> None:
    for name in ("TOSSL_STORE", "TOSSL_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(options.os, "geteuid", lambda: 0 if root else 1000)


def test_roots_store_is_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment(monkeypatch, tmp_path, root=True)
    assert folder_of_environment()[1] == "/var/lib/tossl"
    assert notice_of("/var/lib/tossl") == ""
    monkeypatch.setenv("TOSSL_STORE", "/srv/store")
    assert folder_of_environment() == ("TOSSL_STORE", "/srv/store")
    environment(monkeypatch, tmp_path, root=False)
    assert folder_of_environment() == ("HOME", f"{tmp_path}/.local/share/tossl")


@pytest.mark.parametrize("room", ["accounts", "certificates"])
def test_a_store_in_roots_home_stays_and_that_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, room: str
) -> None:
    environment(monkeypatch, tmp_path, root=True)
    home = tmp_path / ".local/share/tossl"
    (home / room).mkdir(parents=True)
    assert folder_of_environment() == ("HOME", str(home))
    store = FolderStore(absolute(home), notice=notice_of(str(home)))
    said = context()
    for _ in range(2):
        with store.locked(said, NAME) as lock:
            store.write(lock, OLD)
    (warning,) = said.told("warning")
    assert warning["warning"] == "store"
    assert "/var/lib/tossl" in str(warning["message"])
    assert notice_of("/srv/another") == ""
    monkeypatch.setenv("TOSSL_STORE", str(home))
    assert notice_of(str(home)) == ""


def test_a_look_at_the_disk_tells_only_of_what_it_can_find(tmp_path: Path) -> None:
    """Whatever else: the store itself has to be asked."""
    (tmp_path / "certificates" / "a.example").mkdir(parents=True)
    assert not lacks(str(tmp_path), "certificates/a.example")
    assert lacks(str(tmp_path), "certificates/b.example")
    assert lacks("", "certificates/a.example")
    for path in ("store", "~", "postgresql://db/"):
        assert not lacks(path, "certificates/b.example")
