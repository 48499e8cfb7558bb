"""-files: a certificate's files in a folder of the machine's own."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography import x509

from tests.memory_store import MemoryStore
from tests.servers.issuer import Issuer
from tests.tclhost import new_key
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.node_files import NodeFiles, check_has_files
from tossl_acme.certificates.record import FILES, KeptCertificate, digests_of
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.files import absolute
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions

NAME = "*.example.com"
FOLDER = "_.example.com"


@pytest.fixture
def context() -> Context:
    return Context(10).begin()


def files_in(path: Path, **options: str) -> NodeFiles:
    return NodeFiles(absolute(path / "files"), FolderOptions.parse(**options))


def certificate(key: str = "a key", number: int = 1) -> dict[str, object]:
    texts = {kind: f"{kind} {number}\n" for kind in ("certificate", "chain", "fullchain")}
    paths = {"pem_file": "/site.pem", "private_key": "/store/key"}
    return {"name": NAME, "not_before": 0, **texts, "private_key": key, "files": paths}


def kept(found: Mapping[str, object]) -> KeptCertificate:
    texts = {file: str(found[kind]) for kind, file in FILES.items() if found[kind]}
    return KeptCertificate(NAME, {"digests": digests_of(texts)}, {}, str)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob("*.pem"))}


def test_the_files_are_written_whole_and_named_in_the_result(tmp_path: Path, context: Context) -> None:
    files, found = files_in(tmp_path), certificate()
    files.place(context, found)
    folder = tmp_path / "files" / FOLDER
    assert found["files"] == {
        **{kind: str(folder / file) for kind, file in FILES.items()}, "pem_file": "/site.pem",
    }  # fmt: skip
    assert contents(folder) == {
        **{file: f"{kind} 1\n" for kind, file in FILES.items()}, "privkey.pem": "a key",
    }  # fmt: skip
    assert str((folder / "privkey.pem").readlink()) == "..data/privkey.pem"
    assert stat.S_IMODE((folder / "privkey.pem").stat().st_mode) == 0o600


def test_what_is_there_already_is_not_written_again(tmp_path: Path, context: Context) -> None:
    files, folder = files_in(tmp_path), tmp_path / "files" / FOLDER
    files.keep(context, certificate())
    first = (folder / "..data").readlink()
    assert files.holds(kept(certificate()))
    assert not files.holds(kept(certificate(number=2)))
    files.keep(context, certificate())
    assert (folder / "..data").readlink() == first
    files.keep(context, certificate(number=2))
    assert (folder / "..data").readlink() != first
    assert files.holds(kept(certificate(number=2)))


def test_what_somebody_changed_or_removed_is_written_again(tmp_path: Path, context: Context) -> None:
    files, folder = files_in(tmp_path), tmp_path / "files" / FOLDER
    files.keep(context, certificate())
    (folder / "chain.pem").resolve().write_text("another")
    assert not files.holds(kept(certificate()))
    files.keep(context, certificate())
    assert contents(folder)["chain.pem"] == "chain 1\n"
    assert not NodeFiles(absolute(tmp_path / "other"), FolderOptions()).holds(kept(certificate()))


def test_a_certificate_without_its_key(tmp_path: Path, context: Context) -> None:
    files, folder = files_in(tmp_path), tmp_path / "files" / FOLDER
    files.keep(context, certificate())
    assert set(files.keep(context, certificate(key="", number=2))) == {"certificate", "chain", "fullchain"}
    assert "privkey.pem" not in contents(folder)
    assert files.holds(kept(certificate(key="", number=2)))


def test_layout_and_rights(tmp_path: Path, context: Context) -> None:
    group = os.getegid()
    files_in(tmp_path).keep(context, certificate())
    files_in(tmp_path, layout="files", group=str(group)).keep(context, certificate())
    key = tmp_path / "files" / FOLDER / "privkey.pem"
    assert not key.is_symlink()
    assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_gid) == (0o640, group)
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) & 0o010  # the group gets there
    files_in(tmp_path).keep(context, certificate(number=2))
    assert stat.S_IMODE(key.stat().st_mode) == 0o640  # as before, where nothing is said


def test_the_store_itself_is_refused_and_another_programs_files_stay(tmp_path: Path, context: Context) -> None:
    store = FolderStore(absolute(tmp_path))
    for place in (tmp_path, tmp_path / "certificates", tmp_path / "below" / ".." / "certificates"):
        with pytest.raises(ArgumentError, match="has the certificate's files itself") as raised:
            NodeFiles(absolute(place), FolderOptions()).check(store, NAME)
        assert raised.value.errorcode == ("TOSSL", "VALUE", "files")
    files, folder = files_in(tmp_path), tmp_path / "files" / FOLDER
    folder.mkdir(parents=True)
    (folder / "fullchain.pem").write_text("certbot's")
    with pytest.raises(ArgumentError, match=r"fullchain\.pem.* is not tossl's: move it away"):
        files.check(MemoryStore(), NAME)
    with pytest.raises(ArgumentError, match="is not tossl's"):
        files.keep(context, certificate())
    assert contents(folder) == {"fullchain.pem": "certbot's"}


def test_a_place_that_is_no_folder_is_told_before_anything_is_ordered(tmp_path: Path) -> None:
    (tmp_path / "files").write_text("")
    with pytest.raises(ArgumentError) as raised:
        files_in(tmp_path).check(MemoryStore(), NAME)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "files")


def test_a_command_is_told_of_files_or_refused(tmp_path: Path) -> None:
    command = Hooks(command="true")
    check_has_files(FolderStore(absolute(tmp_path)), None, command)
    check_has_files(MemoryStore(), files_in(tmp_path), command)
    check_has_files(MemoryStore(), None, Hooks())
    with pytest.raises(ArgumentError, match="-files or -pem_file writes them"):
        check_has_files(MemoryStore(), None, command)
    with pytest.raises(ArgumentError, match="needs a store"):
        check_has_files(None, None, command)


def test_a_store_that_is_an_old_copy_does_not_put_an_old_certificate_in_place(tmp_path: Path, context: Context) -> None:
    """As where two nodes were given two stores; one that begins an hour earlier is of another CA."""
    files = files_in(tmp_path)

    def issued(days: float) -> dict[str, object]:
        at = time.time() + days * 86400
        key = new_key("ec")
        csr = x509.load_der_x509_csr(csr_for(load_private_key(key), parse_identifiers([NAME]), "").der)
        chain = Issuer().issue(csr, life=(at, at + 86400))[0]
        return certificate(key) | {"fullchain": chain, "not_before": int(at)}

    newer = issued(0)
    files.keep(context, newer)
    with pytest.raises(ArgumentError, match="is newer than the store's by 2 days") as raised:
        files.keep(context, issued(-2.5))
    assert raised.value.errorcode == ("TOSSL", "VALUE", "files")
    assert contents(tmp_path / "files" / FOLDER)["fullchain.pem"] == newer["fullchain"]
    for days in (-0.04, 60):
        files.keep(context, issued(days))
