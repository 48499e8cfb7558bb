"""Certificates that are kept: listed, got and forgotten."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme.certificates import record
from tossl_acme.certificates.record import RECORD, read_json, sha256

NAME = "a.example"


@pytest.fixture
def ca(scripted_ca: ScriptedCa) -> ScriptedCa:
    scripted_ca.script.order = "ready"
    return scripted_ca


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


def obtain(tcl: Tcl, ca: ScriptedCa, store: Path, *names: str, **options: object) -> dict[str, str]:
    given = {
        "directory": ca.directory,
        "challenge": "dns-persist-01",
        "propagation_timeout": 0,
        "store": store,
        **options,
    }
    return tcl.dict("obtain_certificate", names or (NAME,), **given)


def listed(tcl: Tcl, store: object) -> list[dict[str, str]]:
    return tcl.dicts(tcl.acme("list_certificates", store=store))


def test_a_store_that_is_not_there_has_none(tcl: Tcl, store: Path) -> None:
    assert listed(tcl, store) == []
    assert listed(tcl, "") == []
    assert not store.exists()


def test_the_list_says_what_there_is_to_know(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    obtain(tcl, ca, store, "*.b.example", "b.example")
    got = obtain(tcl, ca, store, NAME, account_key=new_key(), key_type="rsa")
    wildcard, plain = listed(tcl, store)
    assert (wildcard["name"], wildcard["domains"], wildcard["renewable"]) == (
        "*.b.example",
        "*.b.example b.example",
        "1",
    )
    assert (plain["name"], plain["key_type"], plain["renewable"], plain["revoked"]) == (NAME, "rsa", "0", "0")
    for member in ("not_before", "not_after", "issuer", "serial", "directory", "files"):
        assert plain[member] == got[member]
    assert int(plain["not_before"]) < int(plain["due"]) < int(plain["not_after"])
    assert (plain["last_error"], plain["deploy_command"], plain["deploy_owed"]) == ("", "", "0")


def test_the_list_says_which_deploy_command_is_kept_and_owed(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    obtain(tcl, ca, store, deploy_command="echo no; false")
    for found in (listed(tcl, store)[0], tcl.dict("get_certificate", NAME, store=store)):
        assert (found["deploy_command"], found["deploy_owed"]) == ("echo no; false", "1")
        assert found["deploy_error"] == "the command ended with exit status 1: no"
    obtain(tcl, ca, store, deploy_command="true")
    (found,) = listed(tcl, store)
    assert (found["deploy_command"], found["deploy_owed"], found["deploy_error"]) == ("true", "0", "")


def test_no_certificate_is_read_for_the_list(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    obtain(tcl, ca, store)
    before = listed(tcl, store)
    for path in store.rglob("*.pem"):
        if "accounts" not in path.parts and not path.is_symlink():
            path.write_text("no certificate")
    assert listed(tcl, store) == before


def test_one_that_is_damaged_does_not_hide_the_others(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    obtain(tcl, ca, store)
    obtain(tcl, ca, store, "b.example")
    (store / "certificates" / NAME / RECORD).resolve().write_text("{")
    damaged, whole = listed(tcl, store)
    assert sorted(damaged) == ["damaged", "name"]
    assert "certificate.json" in damaged["damaged"]
    assert whole["name"] == "b.example"


@pytest.mark.parametrize("damage", ["a folder for ..data", "a link to itself"])
def test_one_that_cannot_be_opened_does_not_hide_the_others(
    tcl: Tcl, ca: ScriptedCa, store: Path, damage: str
) -> None:
    """Copied with `cp -rL`, perhaps."""
    obtain(tcl, ca, store)
    obtain(tcl, ca, store, "b.example")
    folder = store / "certificates" / NAME
    if damage == "a link to itself":
        folder.rename(store / "aside")
        folder.symlink_to(folder)
    else:
        (folder / "..data").unlink()
        (folder / "..data").mkdir()
    damaged, whole = listed(tcl, store)
    assert sorted(damaged) == ["damaged", "name"]
    assert NAME in damaged["damaged"]
    assert whole["name"] == "b.example"
    result = tcl.dict("renew_certificates", store=store, within=4_000_000_000)
    assert [one["name"] for one in tcl.dicts(result["failed"])] == [NAME]
    assert [one["name"] for one in tcl.dicts(result["renewed"])] == ["b.example"]


def test_one_is_got_by_its_name(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    first = obtain(tcl, ca, store, NAME, name="web")
    ca.requests.clear()
    got = tcl.dict("get_certificate", "web", store=store)
    for member in ("certificate", "chain", "fullchain", "private_key", "files", "domains", "serial", "name"):
        assert got[member] == first[member]
    assert got["renewable"] == "1"
    assert not ca.requests


@pytest.mark.parametrize("command", ["get_certificate", "forget_certificate"])
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("b.example", "name"),
        ("../x", "name"),
        ("", "name"),
        ("x" * 300, "name"),
        ("_.b.example", "name"),
        (".hidden", "name"),
    ],
)
def test_a_name_that_is_not_held(tcl: Tcl, ca: ScriptedCa, store: Path, command: str, name: str, code: str) -> None:
    obtain(tcl, ca, store)
    before = sorted(store.rglob("*"))
    assert tcl.failure(command, name, store=store).code == ("TOSSL", "VALUE", code)
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize("command", ["get_certificate", "forget_certificate"])
def test_no_store_at_all(tcl: Tcl, command: str) -> None:
    assert tcl.failure(command, NAME, store="").code == ("TOSSL", "VALUE", "store")


@pytest.mark.parametrize(
    ("command", "words"), [("list_certificates", ()), ("get_certificate", (NAME,)), ("forget_certificate", (NAME,))]
)
def test_a_store_that_is_a_file(tcl: Tcl, store: Path, command: str, words: tuple[str, ...]) -> None:
    store.write_text("mine")
    assert tcl.failure(command, *words, store=store).code == ("TOSSL", "VALUE", "store")
    assert store.read_text() == "mine"


def test_one_that_is_forgotten_is_gone(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    first = obtain(tcl, ca, store, deploy_command="false")
    assert first["warnings"].startswith("{warning deploy")
    assert (store / "deploy" / NAME).is_dir()
    obtain(tcl, ca, store)  # asks for its renewal information, and keeps it
    obtain(tcl, ca, store, "b.example")
    assert tcl.acme("forget_certificate", NAME, store=store) == "Certificate forgotten"
    assert [found["name"] for found in listed(tcl, store)] == ["b.example"]
    key = first["private_key"].splitlines()[1]
    assert not [path for path in store.rglob("*") if path.is_file() and key in path.read_text()]
    assert not [*store.glob(f"renewal/{NAME}"), *store.glob(f"deploy/{NAME}")]
    assert obtain(tcl, ca, store)["issued"] == "1"


#: Mounts the store read-only where nobody else sees it, and goes on.
_READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && exec "$@"'
_SERVED = """
lappend auto_path [lindex $argv 0]
package require tossl
proc call args {
    catch {tossl::acme::[lindex $args 0] {*}[lrange $args 1 end] -store [lindex $::argv 1]} result options
    return [list $result [dict get $options -code]]
}
set list [lindex [call list_certificates] 0]
set got [lindex [call get_certificate a.example] 0]
set held [lindex [call obtain_certificate a.example -directory [lindex $argv 2] -challenge dns-persist-01 \\
    -propagation_timeout 0 -ca_bundle [lindex $argv 3]] 0]
lassign [call forget_certificate a.example] message code
puts [list [dict get [lindex $list 0] name] [dict get $got serial] [dict get $held issued] [dict get $held serial] \\
    [dict get $held warnings] $code $message]
"""


def can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    folder.mkdir()
    argv = ["unshare", "-m", "sh", "-c", _READ_ONLY, str(folder), "sh", "-c", f"! touch {folder}/x"]
    return subprocess.run(argv, capture_output=True).returncode == 0


def test_a_store_that_is_mounted_read_only_serves_what_is_held(
    tcl: Tcl, ca: ScriptedCa, certificates: Certificates, store: Path, tmp_path: Path
) -> None:
    if not can_mount(tmp_path / "probe"):
        pytest.skip("mounting takes root")
    ca.script.renewal = True
    serial = obtain(tcl, ca, store)["serial"]
    script = tmp_path / "served.tcl"
    script.write_text(_SERVED)
    words = [os.environ.get("TCLSH", "tclsh"), script, Path(__file__).parents[2], store, ca.directory]
    argv = ["unshare", "-m", "sh", "-c", _READ_ONLY, store, *words, certificates.ca_bundle]
    done = subprocess.run([str(word) for word in argv], capture_output=True, text=True)
    assert done.stderr == ""
    *found, message = tcl.as_list(done.stdout)
    assert found == [NAME, serial, "0", serial, "", "1"]
    assert "Read-only file system" in message
    assert [found["name"] for found in listed(tcl, store)] == [NAME]


def test_what_is_damaged_or_foreign_is_not_forgotten(tcl: Tcl, ca: ScriptedCa, store: Path) -> None:
    obtain(tcl, ca, store)
    path = (store / "certificates" / NAME / "privkey.pem").resolve()
    path.write_text("mine")
    failure = tcl.failure("forget_certificate", NAME, store=store)
    assert (failure.code, "privkey.pem" in failure.message) == (("TOSSL", "VALUE", "store"), True)
    assert isinstance(tcl.try_acme("get_certificate", NAME, store=store), Failure)
    assert path.read_text() == "mine"


@pytest.mark.parametrize("text", ["{}", ' {"a": [1, 2.5, -3e2, true, null, "\\u00e9\\n"]} ', '"x"', "[]", "7"])
def test_json_is_read_as_json_reads_it(text: str) -> None:
    assert read_json(text) == json.loads(text)


@pytest.mark.parametrize("text", ["", "{", "{} {}", "nul", '{"a": NaN}', "[" * 100_000, '"\n"', "Infinity"])
def test_what_is_not_json(text: str) -> None:
    with pytest.raises(ValueError):
        read_json(text)


def test_the_digest_is_that_of_everyone() -> None:
    import hashlib

    assert sha256(b"abc") == hashlib.sha256(b"abc").hexdigest()
    assert record.set_name("*.a.example") == "certificates/_.a.example"
    assert record.certificate_name("_.a.example") == "*.a.example"
