"""A store with keys of strangers is refused; one that others can write to is warned of."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Tcl, new_key
from tossl_acme.acme import clients


def _give_to_a_stranger(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        os.chown(path.resolve(), 12345, -1)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)


@pytest.mark.parametrize("account_key", ["", new_key()], ids=["kept", "given"])
def test_an_account_key_of_a_stranger_is_not_used(
    tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, account_key: str
) -> None:
    """Whoever made it could act in the account. Nor does it become this user's by being written again."""
    scripted_ca.script.authorization = "valid"
    store = tmp_path / "store"
    options = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": store}
    tcl.acme("obtain_certificate", ["a.example"], **options)
    (key,) = (path for path in store.glob("accounts/*/key.pem"))
    _give_to_a_stranger(key, monkeypatch)
    if account_key:
        tcl.acme("obtain_certificate", ["c.example"], **options, account_key=account_key)
        assert key.stat().st_uid != os.geteuid()
    orders = len(scripted_ca.payloads("new-order"))
    refused = tcl.failure("obtain_certificate", ["b.example"], **options)
    assert refused.code == ("TOSSL", "VALUE", "store")
    assert "neither root nor the user of this process" in refused.message
    assert len(scripted_ca.payloads("new-order")) == orders


@pytest.mark.parametrize("file", ["account.json", "directory.json"])
def test_what_a_stranger_says_of_a_ca_is_not_used(
    tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """It could send this user's requests anywhere. Commands that read it only to save a request ask the CA."""
    scripted_ca.script.authorization = "valid"
    monkeypatch.setenv("TOSSL_STORE", str(tmp_path / "store"))
    options = {"directory": scripted_ca.directory, "webroot": tmp_path}
    tcl.acme("obtain_certificate", ["a.example"], **options)
    key = tcl.acme("get_account_key", scripted_ca.directory)
    (record,) = (tmp_path / "store").glob(f"accounts/*/{file}")
    record.write_text(record.read_text().replace(scripted_ca.tls_origin, "https://127.0.0.1:1"))
    _give_to_a_stranger(record, monkeypatch)
    clients.reset()
    refused = tcl.failure("obtain_certificate", ["b.example"], **options)
    assert refused.code == ("TOSSL", "VALUE", "store")
    assert f"accounts/{record.parent.name}/{file}" in refused.message
    tcl.acme("create_order", scripted_ca.directory, key, ["c.example"])


@pytest.mark.parametrize("file", ["privkey.pem", "certificate.json", "pending/privkey.pem", "pending/attempt.json"])
def test_a_certificate_with_files_of_a_stranger_is_not_used(
    tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    """Whoever made its key could pose as its names, and a record says which commands are run."""
    scripted_ca.script.authorization = "valid"
    options = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": tmp_path / "store"}
    if file.startswith("pending"):  # a certificate that is not valid yet stays there
        scripted_ca.script.life = lambda: (time.time() + 9000, time.time() + 90 * 86400)
    tcl.try_acme("obtain_certificate", ["a.example"], **options)
    (path,) = (tmp_path / "store").glob(f"certificates/*/{file}")
    _give_to_a_stranger(path, monkeypatch)
    orders = len(scripted_ca.payloads("new-order"))
    for given in ({}, {"force": True}):
        refused = tcl.failure("obtain_certificate", ["a.example"], **options, **given)
        assert refused.code == ("TOSSL", "VALUE", "store")
        assert "neither root nor the user of this process" in refused.message
    assert len(scripted_ca.payloads("new-order")) == orders


@pytest.mark.parametrize(("which", "mode"), [(".", 0o770), ("accounts", 0o702)])
def test_a_store_that_others_can_write_to(
    tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, which: str, mode: int
) -> None:
    """Is used, and named in a warning."""
    scripted_ca.script.authorization = "valid"
    store = tmp_path / "store"
    options = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": store}
    first = tcl.dict("obtain_certificate", ["a.example"], **options)
    assert "others can write" not in first["warnings"]
    (store / which).chmod(mode)
    (warning,) = tcl.dicts(tcl.dict("obtain_certificate", ["b.example"], **options)["warnings"])
    assert warning["warning"] == "store"
    assert f"others can write to \"{(store / which).resolve()}\"" in warning["message"]
