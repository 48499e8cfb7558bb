"""http-01 through a folder, also where its owner means harm."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from tossl_acme.acme.authorization import Challenge
from tossl_acme.challenges.webroot import Webroot
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import Identifier

PREFIX = "/.well-known/acme-challenge/"
ONE = Challenge("http-01", Identifier("dns", "one.example.com"), "token-one", "token-one.thumbprint")
TWO = Challenge("http-01", Identifier("dns", "two.example.com"), "token_two", "token_two.thumbprint")


@pytest.fixture
def attacker(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes a link that of another user."""

    def give(link: Path) -> None:
        if os.geteuid() == 0:
            os.lchown(link, 12345, 12345)
        else:
            real = os.geteuid() + 1
            monkeypatch.setattr(os, "geteuid", lambda: real)

    return give


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def refused(action: Callable[[], object]) -> str:
    """The message of the error, which names -webroot."""
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "webroot")
    return caught.value.message


def test_files_come_and_go(tmp_path: Path, context: Context) -> None:
    webroot = Webroot(tmp_path)
    for challenge in (ONE, TWO):
        webroot.present(context, challenge)
        webroot.wait(context, challenge)
        assert tmp_path.joinpath(PREFIX[1:], challenge.token).read_text() == challenge.key_authorization
    webroot.clean_up(context, ONE)
    assert sorted(path.name for path in tmp_path.joinpath(PREFIX[1:]).iterdir()) == [TWO.token]
    webroot.clean_up(context, ONE)
    webroot.clean_up(context, TWO)
    webroot.clean_up(context, TWO)
    assert list(tmp_path.iterdir()) == []


def test_what_a_process_left_that_died_while_it_wrote_is_removed(tmp_path: Path, context: Context) -> None:
    Webroot(tmp_path).present(context, ONE)
    folder = tmp_path / PREFIX[1:]
    for number, content in enumerate((ONE.key_authorization, "", "token-", TWO.key_authorization)):
        (folder / f".{number:016x}.tmp").write_text(content)
    (folder / "token-one.tmp").write_text(ONE.key_authorization)
    Webroot(tmp_path).clean_up(context, ONE)
    assert sorted(path.name for path in folder.iterdir()) == [".0000000000000003.tmp", "token-one.tmp"]


def test_a_web_server_can_read_them(tmp_path: Path, context: Context) -> None:
    before = os.umask(0o077)
    try:
        Webroot(tmp_path).present(context, ONE)
    finally:
        os.umask(before)
    path = tmp_path / PREFIX[1:] / ONE.token
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (path.parent, path.parent.parent)] == [0o755, 0o755]


def test_folders_of_others_stay(tmp_path: Path, context: Context) -> None:
    folder = tmp_path / ".well-known"
    folder.mkdir(mode=0o700)
    webroot = Webroot(tmp_path)
    webroot.present(context, ONE)
    webroot.clean_up(context, ONE)
    assert list(folder.iterdir()) == []
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_another_process_cleans_up(tmp_path: Path, context: Context) -> None:
    Webroot(tmp_path).present(context, ONE)
    other = tmp_path / PREFIX[1:] / TWO.token
    other.write_text("not ours")
    Webroot(tmp_path).clean_up(context, ONE)
    Webroot(tmp_path).clean_up(context, TWO)
    assert [path.name for path in other.parent.iterdir()] == [other.name]


def test_links_are_not_followed(tmp_path: Path, context: Context) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.write_text(ONE.key_authorization)
    folder = root / PREFIX[1:]
    folder.mkdir(parents=True)
    (folder / ONE.token).symlink_to(outside)
    webroot = Webroot(root)
    webroot.clean_up(context, ONE)
    assert (folder / ONE.token).is_symlink()
    outside.write_text("precious")
    webroot.present(context, ONE)
    assert not (folder / ONE.token).is_symlink()
    assert outside.read_text() == "precious"


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / ".well-known").touch()
    for wrong in (tmp_path / "missing", file, tmp_path / "odd"):
        with pytest.raises(ArgumentError) as caught:
            Webroot(wrong)
        assert caught.value.errorcode == ("TOSSL", "VALUE", "webroot")


def test_a_folder_that_went_away(tmp_path: Path, context: Context) -> None:
    root = tmp_path / "root"
    root.mkdir()
    webroot = Webroot(root)
    root.rmdir()
    with pytest.raises(ArgumentError) as caught:
        webroot.present(context, ONE)
    assert "No such file or directory" in caught.value.message
    webroot.clean_up(context, ONE)


def test_orders_side_by_side_in_one_folder(tmp_path: Path, context: Context) -> None:
    def order(number: int) -> None:
        challenge = Challenge("http-01", Identifier("dns", "example.com"), f"t{number}", f"t{number}.x")
        for _ in range(25):
            webroot = Webroot(tmp_path)
            webroot.present(context, challenge)
            assert tmp_path.joinpath(PREFIX[1:], challenge.token).read_text() == challenge.key_authorization
            webroot.clean_up(context, challenge)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(order, range(8)))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


# Under attack


@pytest.mark.parametrize("name", [".well-known", ".well-known/acme-challenge"])
def test_a_link_of_another_user_is_refused(
    tmp_path: Path, context: Context, attacker: Callable[[Path], None], name: str
) -> None:
    root, private = tmp_path / "root", tmp_path / "private"
    private.mkdir(mode=0o700)
    link = root / name
    link.parent.mkdir(parents=True)
    webroot = Webroot(root)
    link.symlink_to(private)
    attacker(link)
    owner = link.lstat().st_uid
    present, clean_up = partial(webroot.present, context, ONE), partial(webroot.clean_up, context, ONE)
    for action in (lambda: Webroot(root), present, clean_up):
        message = refused(action)
        assert str(link) in message
        assert f"a link made by user {owner}" in message
    assert list(private.iterdir()) == []
    assert mode(private) == 0o700


@pytest.mark.parametrize("target", ["{beside}", "../beside/./x/..", "{root}/hop", "{beside}/"])
def test_a_link_of_our_own_is_followed(tmp_path: Path, context: Context, target: str) -> None:
    root, beside = tmp_path / "root", tmp_path / "beside"
    root.mkdir()
    beside.mkdir(mode=0o750)
    (beside / "x").mkdir()
    (root / "hop").symlink_to("../beside")
    (root / ".well-known").symlink_to(target.format(root=root, beside=beside))
    webroot = Webroot(root)
    webroot.present(context, ONE)
    assert (beside / "acme-challenge" / ONE.token).read_text() == ONE.key_authorization
    assert mode(beside) == 0o750
    webroot.clean_up(context, ONE)
    assert [path.name for path in beside.iterdir()] == ["x"]


def test_links_in_a_circle(tmp_path: Path) -> None:
    (tmp_path / ".well-known").symlink_to("other")
    (tmp_path / "other").symlink_to(".well-known")
    assert "Too many levels of symbolic links" in refused(lambda: Webroot(tmp_path))


@pytest.mark.parametrize("name", [".well-known", ".well-known/acme-challenge"])
@pytest.mark.parametrize("is_link", [True, False])
def test_a_folder_swapped_while_it_is_made(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch, name: str, is_link: bool
) -> None:
    """The owner of the webroot puts a link to a private folder, or such a folder, in place of the one just made."""
    root, private = tmp_path / "root", tmp_path / "root" / "private"
    private.mkdir(parents=True, mode=0o700)
    (private / "secret").touch()
    os.utime(private, (1, 1))
    make = os.mkdir

    def swap(made: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(made, mode, dir_fd=dir_fd)
        if name.endswith(made):
            (root / name).rename(root / "away")
            if is_link:
                (root / name).symlink_to(private)
            else:
                private.rename(root / name)

    monkeypatch.setattr(os, "mkdir", swap)
    webroot = Webroot(root)
    before = os.umask(0o077)
    try:
        if is_link:
            assert "Not a directory" in refused(lambda: webroot.present(context, ONE))
            assert [path.name for path in private.iterdir()] == ["secret"]
        else:
            webroot.present(context, ONE)
    finally:
        os.umask(before)
    assert mode(private if is_link else root / name) == 0o700


def test_a_folder_renamed_while_the_file_is_written(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, private = tmp_path / "root", tmp_path / "private"
    root.mkdir()
    private.mkdir()
    folder, away = root / PREFIX[1:-1], tmp_path / "away"
    draw = os.urandom

    def swap(size: int) -> bytes:
        folder.rename(away)
        folder.symlink_to(private)
        return draw(size)

    webroot = Webroot(root)
    monkeypatch.setattr(os, "urandom", swap)
    webroot.present(context, ONE)
    assert list(private.iterdir()) == []
    assert (away / ONE.token).read_text() == ONE.key_authorization


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "hard link", "large"])
def test_something_else_in_place_of_the_file(tmp_path: Path, context: Context, kind: str) -> None:
    """It is neither opened for long nor changed nor removed; a challenge takes the place of a link or pipe alone."""
    root, outside = tmp_path / "root", tmp_path / "outside"
    outside.write_text(ONE.key_authorization)
    outside.chmod(0o600)
    file = root / PREFIX[1:] / ONE.token
    file.parent.mkdir(parents=True)
    webroot = Webroot(root)
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    elif kind == "link":
        file.symlink_to(outside)
    elif kind == "hard link":
        outside.write_text("precious")
        file.hardlink_to(outside)
    else:
        with file.open("wb") as large:
            large.truncate(2**30)
    before = file.lstat()
    webroot.clean_up(context, ONE)
    assert os.path.samestat(file.lstat(), before)
    if kind in ("folder", "hard link", "large"):
        cause = "Is a directory" if kind == "folder" else "not of this program's making; move it away"
        assert cause in refused(lambda: webroot.present(context, ONE))
        assert os.path.samestat(file.lstat(), before)
    else:
        webroot.present(context, ONE)
        assert file.read_text() == ONE.key_authorization
        assert not file.is_symlink()
    assert mode(outside) == 0o600
    assert outside.read_text() == ("precious" if kind == "hard link" else ONE.key_authorization)
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_a_mount_that_refuses_modes(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchmod", refuse)
    before = os.umask(0o027)
    try:
        Webroot(tmp_path).present(context, ONE)
    finally:
        os.umask(before)
    assert (tmp_path / PREFIX[1:] / ONE.token).read_text() == ONE.key_authorization


def test_what_was_there_keeps_its_mode(tmp_path: Path, context: Context) -> None:
    folder = tmp_path / PREFIX[1:]
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    Webroot(tmp_path).present(context, ONE)
    assert mode(folder) == 0o711


def test_a_group_stays_with_its_folders(tmp_path: Path, context: Context) -> None:
    tmp_path.chmod(0o2750)
    before = os.umask(0o077)
    try:
        Webroot(tmp_path).present(context, ONE)
    finally:
        os.umask(before)
    assert mode(tmp_path / ".well-known") == 0o2755


def test_a_file_that_cannot_be_removed_is_an_error(
    tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    webroot = Webroot(tmp_path)
    webroot.present(context, ONE)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(os, "unlink", refuse)
    message = refused(lambda: webroot.clean_up(context, ONE))
    assert message == f'cannot use "{tmp_path}{PREFIX}{ONE.token}": Read-only file system'


def test_the_current_directory_may_change(tmp_path: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "www").mkdir()
    monkeypatch.chdir(tmp_path)
    webroot = Webroot("www")
    webroot.present(context, ONE)
    monkeypatch.chdir("/")
    assert webroot.describe(ONE) == {"file": f"{tmp_path}/www{PREFIX}{ONE.token}"}
    webroot.clean_up(context, ONE)
    assert list((tmp_path / "www").iterdir()) == []


def test_no_descriptor_is_left_open(tmp_path: Path, context: Context) -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    (tmp_path / "other").mkdir()
    (tmp_path / ".well-known").symlink_to("other")
    before = descriptors()
    webroot = Webroot(tmp_path)
    webroot.present(context, ONE)
    webroot.clean_up(context, ONE)
    (tmp_path / "other").rmdir()
    (tmp_path / "other").symlink_to(".well-known")
    refused(lambda: Webroot(tmp_path))
    assert descriptors() == before


def test_a_file_of_somebody_else_is_left_alone(tmp_path: Path, context: Context) -> None:
    """The CA chooses the token, and so the file's name."""
    folder = tmp_path / ".well-known/acme-challenge"
    folder.mkdir(parents=True)
    challenge = Challenge("http-01", Identifier("dns", "a.example"), "token", "token.mine")
    (folder / "token").write_text("token.another's")
    solver = Webroot(tmp_path)
    with pytest.raises(ArgumentError, match="holds another response") as refused:
        solver.present(context, challenge)
    assert refused.value.errorcode == ("TOSSL", "VALUE", "webroot")
    solver.clean_up(context, challenge)
    assert (folder / "token").read_text() == "token.another's"
    for own in ("token.mine", ""):  # a crash may leave an empty file
        (folder / "token").write_text(own)
        solver.present(context, challenge)
    solver.clean_up(context, challenge)
    assert not folder.joinpath("token").exists()
