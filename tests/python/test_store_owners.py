"""A store with keys of strangers is refused; one that others can write to is warned of."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Tcl


def test_a_key_of_a_stranger_is_not_used(
    tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever made it could act in the account."""
    scripted_ca.script.authorization = "valid"
    store = tmp_path / "store"
    options = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": store}
    tcl.acme("obtain_certificate", ["a.example"], **options)
    (key,) = (path for path in store.glob("accounts/*/key.pem"))
    if os.geteuid() == 0:
        os.chown(key.resolve(), 12345, -1)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)
    orders = len(scripted_ca.payloads("new-order"))
    refused = tcl.failure("obtain_certificate", ["b.example"], **options)
    assert refused.code == ("TOSSL", "VALUE", "store")
    assert "neither root nor the user of this process" in refused.message
    assert len(scripted_ca.payloads("new-order")) == orders


@pytest.mark.parametrize("which", [".", "accounts"])
def test_a_store_that_others_can_write_to(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, which: str) -> None:
    """Is used, and named in a warning."""
    scripted_ca.script.authorization = "valid"
    store = tmp_path / "store"
    options = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": store}
    first = tcl.dict("obtain_certificate", ["a.example"], **options)
    assert "others can write" not in first["warnings"]
    (store / which).chmod(0o777)
    (warning,) = tcl.dicts(tcl.dict("obtain_certificate", ["b.example"], **options)["warnings"])
    assert warning["warning"] == "store"
    assert f"others can write to \"{(store / which).resolve()}\"" in warning["message"]
