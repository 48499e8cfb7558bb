"""-pem_file: key and certificates in one file, written whole, for a server that has it already perhaps."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Failure, Tcl
from tossl_acme.certificates.pem_file import check_pem_file, keep_pem_file
from tossl_acme.errors import ArgumentError
from tossl_acme.files import FilePath, absolute


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "pem_file")
    return caught.value.message


@pytest.fixture
def path(tmp_path: Path) -> FilePath:
    return absolute(tmp_path / "site.pem")


def test_the_key_and_then_the_chain(path: FilePath) -> None:
    assert keep_pem_file(path, "key\n\n", "leaf\nissuer\n")
    assert Path(path).read_text() == "key\nleaf\nissuer\n"
    assert Path(path).stat().st_mode & 0o777 == 0o600
    assert list(Path(path).parent.iterdir()) == [Path(path)]


def test_what_is_there_already_is_left(path: FilePath) -> None:
    keep_pem_file(path, "key", "leaf\n")
    before = Path(path).stat().st_ino
    assert not keep_pem_file(path, "key", "leaf\n")
    assert Path(path).stat().st_ino == before
    assert keep_pem_file(path, "key", "other\n")
    assert Path(path).stat().st_ino != before


@pytest.mark.parametrize("mode", [0o640, 0o400, 0o644])
def test_mode_and_owners_stay(path: FilePath, mode: int) -> None:
    Path(path).write_text("old")
    Path(path).chmod(mode)
    owners = (12345, 54321) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(path, *owners)
    keep_pem_file(path, "key", "leaf\n")
    status = Path(path).stat()
    assert (status.st_mode & 0o777, status.st_uid, status.st_gid) == (mode, *owners)


def test_a_link_leads_to_the_file(path: FilePath, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    Path(path).symlink_to("real/x.pem")
    keep_pem_file(path, "key", "leaf\n")
    assert Path(path).is_symlink()
    assert (tmp_path / "real/x.pem").read_text() == "key\nleaf\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
def test_another_users_link_is_refused(path: FilePath, tmp_path: Path) -> None:
    (tmp_path / "passwd").write_text("precious")
    Path(path).symlink_to("passwd")
    os.lchown(path, 12345, 12345)
    assert "a link made by user 12345" in refused(lambda: keep_pem_file(path, "key", "leaf\n"))
    assert (tmp_path / "passwd").read_text() == "precious"


def test_what_an_earlier_writer_left_is_removed_once_it_must_have_died(path: FilePath) -> None:
    of_another = Path(path).parent / ".site.pem.0123abcd.tossl"
    for name in (".site.pem.tossl", ".site.pem.89abcdef.tossl"):
        (left := Path(path).parent / name).write_text("half a k")
        os.utime(left, (1, 1))
    of_another.write_text("half a k")
    (folder := Path(path).parent / ".site.pem.d.tossl").mkdir()
    os.utime(folder, (1, 1))
    keep_pem_file(path, "key", "leaf\n")
    assert sorted(Path(path).parent.iterdir()) == [of_another, folder, Path(path)]


def test_two_processes_that_write_it_at_once_do_not_meet(path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where one renews, and another has seen that already."""
    sync, others = os.fsync, iter(["key"])

    def other_comes(handle: int) -> None:
        for key in others:
            assert keep_pem_file(path, key, "leaf\n")
        sync(handle)

    monkeypatch.setattr(os, "fsync", other_comes)
    assert keep_pem_file(path, "key", "leaf\n")
    assert Path(path).read_text() == "key\nleaf\n"
    assert list(Path(path).parent.iterdir()) == [Path(path)]


def test_a_writer_that_fails_leaves_the_old_one(path: FilePath, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_pem_file(path, "key", "old\n")

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert "No space left" in refused(lambda: keep_pem_file(path, "key", "new\n"))
    assert Path(path).read_text() == "key\nold\n"
    assert list(Path(path).parent.iterdir()) == [Path(path)]


def test_what_cannot_be_written_is_said_at_first(path: FilePath, tmp_path: Path) -> None:
    check_pem_file(path, has_key=True)
    assert not Path(path).exists()
    assert "-csr" in refused(lambda: check_pem_file(path, has_key=False))
    missing = absolute(tmp_path / "missing/site.pem")
    assert "No such file" in refused(lambda: check_pem_file(missing, has_key=True))
    Path(path).mkdir()
    assert "no plain file" in refused(lambda: check_pem_file(path, has_key=True))


@pytest.mark.parametrize(("length", "fits"), [(239, True), (240, False), (255, False), (256, False)])
def test_a_name_that_is_too_long_is_said_at_first(tmp_path: Path, length: int, fits: bool) -> None:
    """The file is written under a longer one first."""
    path = absolute(tmp_path / ("n" * length))
    if fits:
        check_pem_file(path, has_key=True)
        assert keep_pem_file(path, "key", "leaf\n")
    else:
        assert "File name too long" in refused(lambda: check_pem_file(path, has_key=True))


def test_obtained(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    given = {"directory": scripted_ca.directory, "port": 0, "store": tmp_path / "store"}
    got = tcl.as_dict(tcl.acme("obtain_certificate", "pem.example", pem_file=tmp_path / "site.pem", **given))
    assert (tmp_path / "site.pem").read_text() == got["private_key"] + got["fullchain"]
    assert tcl.as_dict(got["files"])["pem_file"] == str(tmp_path / "site.pem")


def test_nothing_is_ordered_for_a_file_that_cannot_be(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    before = len(scripted_ca.payloads("new-order"))
    given = {"directory": scripted_ca.directory, "port": 0, "store": tmp_path / "store"}
    failure = tcl.try_acme("obtain_certificate", "pem.example", pem_file=tmp_path / "no/site.pem", **given)
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "pem_file")
    assert len(scripted_ca.payloads("new-order")) == before
