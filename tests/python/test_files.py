"""Files below a folder: whole or not at all, and never through somebody else's link."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tossl_acme.errors import ArgumentError
from tossl_acme.files import FilePath, Folder, absolute, refusals


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    with Folder.open(absolute(tmp_path)) as opened:
        yield opened


def names(folder: Folder) -> list[str]:
    return sorted(folder.names())


def test_a_path_and_its_word() -> None:
    path = FilePath("/caf\udce9", "/caf\u00e9")
    below = path / "key.pem"
    assert (str(below), below.word, below.shown) == ("/caf\udce9/key.pem", "/caf\u00e9/key.pem", '"/caf\u00e9/key.pem"')
    assert FilePath("/") / "x" == "/x"
    assert os.fsencode(below) == b"/caf\xe9/key.pem"


def test_a_misplaced_key_is_not_shown() -> None:
    given = "q8Zt3xQ0vT7yL5nB1mK9wE4r"
    path = FilePath(f"/home/me/{given}", given=given)
    for shown in (path.shown, (path / "accounts").shown):
        assert shown == "a value of 24 characters"
    assert FilePath("/srv/x", given="x").shown == '"/srv/x"'


def test_absolute_is_taken_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = absolute("x")
    monkeypatch.chdir("/")
    assert path == f"{tmp_path}/x"
    assert absolute(path) is path


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177])
@pytest.mark.parametrize("mode", [0o600, 0o644, 0o640])
def test_modes(folder: Folder, mode: int, umask: int) -> None:
    before = os.umask(umask)
    try:
        folder.write_whole("file", b"x", mode)
        assert folder.make("sub", mode | 0o111)
    finally:
        os.umask(before)
    assert Path(folder.path, "file").stat().st_mode & 0o777 == mode
    assert Path(folder.path, "sub").stat().st_mode & 0o777 == mode | 0o111
    assert not folder.make("sub", 0o700)
    assert Path(folder.path, "sub").stat().st_mode & 0o777 == mode | 0o111


@pytest.mark.parametrize("call", ["fsync", "rename", "fchmod"])
def test_what_fails_leaves_the_old_file_alone(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    folder.write_whole("file", b"old", 0o600)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, call, refuse)
        before = os.umask(0o177)
        try:
            with pytest.raises(OSError, match="No space left") as caught:
                folder.write_whole("file", b"new", 0o644)
        finally:
            os.umask(before)
    assert caught.value.filename == f"{folder.path}/file"
    assert isinstance(caught.value.filename, FilePath)
    assert names(folder) == ["file"]
    assert folder.read("file") == b"old"


def test_a_mount_that_cannot_sync_folders(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def only_files(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(handle)

    monkeypatch.setattr(os, "fsync", only_files)
    folder.write_whole("file", b"x", 0o600)
    assert folder.read("file") == b"x"


def test_reading(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert folder.read("missing") is None
    root = Path(folder.path)
    os.mkfifo(root / "pipe")
    (root / "folder").mkdir()
    (root / "large").touch()
    os.truncate(root / "large", 2**40)
    for name, reason in (("pipe", "Not a plain file"), ("folder", "Is a directory"), ("large", "File too large")):
        with pytest.raises(ArgumentError) as caught, refusals("store", folder.path):
            folder.read(name)
        assert caught.value.message == f'cannot use "{root / name}": {reason}'
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(root)  # the name of a socket is short
        server.bind("socket")
        with pytest.raises(OSError, match="No such device"):
            folder.read("socket")


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("file", b"x"),
        ("sub/../file", b"x"),
        ("{root}/file", b"x"),
        ("hop/file", b"x"),
        ("missing", None),
        ("sub/x/y", None),
    ],
)
def test_a_file_through_our_own_links(folder: Folder, target: str, found: bytes | None) -> None:
    root = Path(folder.path)
    folder.write_whole("file", b"x", 0o600)
    (root / "sub").mkdir()
    (root / "hop").symlink_to(".")
    (root / "link").symlink_to(target.format(root=root))
    assert folder.read("link") == found
    with pytest.raises(OSError, match="Too many levels"):
        folder.read("link", follow=False)
    folder.write_whole("link", b"in its place", 0o600)
    assert not (root / "link").is_symlink()
    assert folder.read("file") == b"x"


def test_a_strangers_link_anywhere_on_the_way(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours leads through another's: root's links are followed whoever asks, so this asks as somebody else."""
    root = Path(folder.path)
    (root / "sub").mkdir()
    (root / "sub/file").write_text("x")
    (root / "theirs").symlink_to("sub")
    (root / "ours").symlink_to("theirs/file")
    assert folder.read("ours") == b"x"
    if os.geteuid() == 0:
        os.lchown(root / "theirs", 12345, -1)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)
    with pytest.raises(OSError, match=r"a link made by user \d+; links of root and of your own user are followed"):
        folder.read("ours")


def test_folders_above_are_made(tmp_path: Path) -> None:
    with Folder.open(absolute(tmp_path / "a/b/c"), mode=0o700) as made:
        made.write_whole("file", b"x", 0o600)
    assert [(tmp_path / path).stat().st_mode & 0o777 for path in ("a", "a/b", "a/b/c")] == [0o700] * 3
    with pytest.raises(FileNotFoundError):
        Folder.open(absolute(tmp_path / "missing"))


def test_an_open_folder_stays_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Folder.open(absolute(tmp_path)) as root, root.enter("one") as one:
        (tmp_path / "one").rename(tmp_path / "away")
        (tmp_path / "one").symlink_to("two")
        one.write_whole("file", b"x", 0o600)
    assert (tmp_path / "away/file").read_text() == "x"
    assert list((tmp_path / "two").iterdir()) == []


def test_the_standard_descriptors_are_left_alone(tmp_path: Path) -> None:
    """In a process that closed them: what is written to standard error must not go to a folder or a lock."""
    child = os.fork()
    if not child:
        status = 1
        try:
            for handle in range(3):
                os.close(handle)
            with Folder.open(absolute(tmp_path)) as root:
                root.make("sub", 0o700)
                with root.enter("sub") as sub:
                    sub.open_lock(".lock")
                    status = any(os.path.lexists(f"/proc/self/fd/{handle}") for handle in range(3))
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
