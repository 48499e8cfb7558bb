"""A certificate that is held: returned without an ACME request, replaced where it is not as asked for."""

from __future__ import annotations

import json
import re
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.bare_host import HOST, IMPORTED
from tests.pem import write_block
from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Reply
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme.acme import clients, public_cas
from tossl_acme.acme.public_cas import PublicCa
from tossl_acme.certificates import due
from tossl_acme.certificates.held import words_digests
from tossl_acme.certificates.record import FILES
from tossl_acme.certificates.revoked import kept_as_revoked
from tossl_acme.commands.acme.obtain import obtain_certificate
from tossl_acme.commands.groups import GROUPS
from tossl_acme.context import Context
from tossl_acme.errors import WaitTimeout
from tossl_acme.files import absolute
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.chain import read_chain
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key, public_der
from tossl_acme.pki.sealing import generate_sealing_key
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.reseal import seal_anew
from tossl_acme.store.sealed import SealedStore, SealKey
from tossl_acme.tcl.command import Command

PAGE = Path(__file__).parents[2] / "docs" / "source" / "acme.md"
NAME = "a.example"
DAY = 86400.0


@pytest.fixture
def ca(scripted_ca: ScriptedCa) -> ScriptedCa:
    scripted_ca.script.order = "ready"
    return scripted_ca


@dataclass
class World:
    """A store, a CA at which nothing has to be proven, and a process that is new at each call."""

    tcl: Tcl
    ca: ScriptedCa
    store: Path

    def obtain(self, *names: str, **options: object) -> dict[str, str] | Failure:
        clients.reset()
        given: dict[str, object] = {
            "directory": self.ca.directory,
            "challenge": "dns-persist-01",
            "propagation_timeout": 0,
            "store": self.store,
        }
        result = self.tcl.try_acme("obtain_certificate", names or (NAME,), **given | options)
        return result if isinstance(result, Failure) else self.tcl.as_dict(result)

    def got(self, *names: str, **options: object) -> dict[str, str]:
        found = self.obtain(*names, **options)
        assert isinstance(found, dict), found
        return found

    @property
    def folder(self) -> Path:
        return self.store / "certificates" / NAME


@pytest.fixture
def world(tcl: Tcl, ca: ScriptedCa, tmp_path: Path) -> World:
    return World(tcl, ca, tmp_path / "store")


def asked_since(ca: ScriptedCa) -> list[str]:
    found = [request.path.split("/")[1] for request in ca.requests]
    ca.requests.clear()
    return found


# ---- held ----


def test_what_is_held_costs_no_acme_request(world: World) -> None:
    first = world.got()
    asked_since(world.ca)
    second, third = world.got(), world.got()
    assert (first["issued"], second["issued"], third["issued"]) == ("1", "0", "0")
    assert asked_since(world.ca) == ["renewal"]  # asked once: its Retry-After is kept
    same = set(first) - {"issued", "warnings"}
    assert {name: second[name] for name in same} == {name: first[name] for name in same}
    assert second["warnings"] == second["clean_up_failed"] == ""


_ONE_CALL = f"""{HOST}
options, result = host.function("acme::obtain_certificate", *sys.argv[2:])
assert not options, result
assert result[result.index("issued") + 1] == "0"
{IMPORTED}"""


def loaded_by_one_call(world: World, certificates: Certificates, name: str) -> set[str]:
    """Returns the modules that a new process has loaded which gets what is held."""
    words = [name, "-directory", world.ca.directory, "-challenge", "dns-persist-01", "-store", str(world.store)]
    words += ["-ca_bundle", str(certificates.ca_bundle), "-propagation_timeout", "0"]
    argv = [sys.executable, "-S", "-c", _ONE_CALL, str(PAGE.parents[2]), *words]
    return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())


def test_a_process_that_finds_it_held_loads_nothing_heavy(world: World, certificates: Certificates) -> None:
    """What takes longer to import than all that it does."""
    world.got()
    world.got()
    loaded = loaded_by_one_call(world, certificates, NAME)
    assert "tossl_acme.certificates.held" in loaded
    heavy = {"threading", "contextlib", "functools", "collections", "json", "re", "dataclasses", "hashlib", "typing"}
    further = {f"tossl_acme.{name}" for name in ("certificates.deploy", "store.writing", "store.earlier", "http")}
    assert not (heavy | further) & loaded


def test_what_was_asked_for_in_other_words_is_held_too(world: World) -> None:
    world.got(NAME, "127.0.0.1", key_type="ec")
    assert world.got("A.Example.", "127.0.0.1")["issued"] == "0"
    assert world.got("127.0.0.1", NAME, key_type="ec256", name=NAME)["issued"] == "0"


@pytest.mark.parametrize("name", ["A.Example.", "0::1"])
def test_a_name_in_another_form_costs_no_acme_request(world: World, certificates: Certificates, name: str) -> None:
    world.got(name)
    world.got(name)
    asked_since(world.ca)
    loaded = loaded_by_one_call(world, certificates, name)
    assert "tossl_acme.http" not in loaded
    assert asked_since(world.ca) == []


def test_renewal_information_that_cannot_be_had_is_no_error(world: World) -> None:
    world.got()
    world.ca.answers["/renewal"] += [Reply(500)] * 9
    assert world.got()["issued"] == "0"


def test_force_issues_all_the_same(world: World) -> None:
    first, second = world.got(), world.got(force=1)
    assert second["issued"] == "1"
    assert second["serial"] != first["serial"]
    assert second["private_key"] != first["private_key"]
    assert world.ca.payloads("new-order")[1]["replaces"]


def test_one_that_is_due_is_renewed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first = world.got()
    monkeypatch.setattr(due, "now", lambda: time.time() + 5.9 * DAY)
    second = world.got()
    assert (second["issued"], second["serial"] != first["serial"]) == ("1", True)


def test_the_store_may_be_one_that_can_only_be_read(world: World) -> None:
    world.got()
    before = sorted(path.stat().st_mtime_ns for path in world.folder.rglob("*"))
    assert world.got()["issued"] == "0"
    assert sorted(path.stat().st_mtime_ns for path in world.folder.rglob("*")) == before


def test_two_names_for_the_same_domains_live_side_by_side(world: World) -> None:
    first = world.got(name="web-ec")
    second = world.got(name="web-rsa", key_type="rsa")
    assert (first["issued"], second["issued"]) == ("1", "1")
    assert world.got(name="web-ec")["serial"] == first["serial"]
    assert world.got(name="web-rsa", key_type="rsa")["serial"] == second["serial"]
    assert first["name"] == "web-ec"
    assert "/certificates/web-ec/" in first["files"]


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "-x", "a b", "x" * 300, "_.a", "*."])
def test_what_can_name_no_certificate(world: World, name: str) -> None:
    failure = world.obtain(name=name)
    assert isinstance(failure, Failure)
    assert failure.code in {("TOSSL", "VALUE", "name"), ("TOSSL", "VALUE", "store")}
    assert not world.ca.requests


def test_two_at_once_order_once(world: World, certificates: Certificates) -> None:
    results: list[str] = []

    def run() -> None:
        tcl = Tcl(str(certificates.ca_bundle))
        words = {
            "directory": world.ca.directory,
            "challenge": "dns-persist-01",
            "propagation_timeout": 0,
            "store": world.store,
        }
        results.append(tcl.dict("obtain_certificate", [NAME], **words)["issued"])

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["0", "0", "0", "1"]
    assert len(world.ca.payloads("new-order")) == 1


def test_renewable_says_whether_its_name_is_enough(world: World) -> None:
    assert world.got()["renewable"] == "1"
    assert world.got()["renewable"] == "1"
    assert world.got("b.example", account_key=new_key())["renewable"] == "0"
    assert world.got("b.example", account_key=new_key())["renewable"] == "0"
    assert world.got("c.example", store="")["renewable"] == "0"


def renewed(world: World) -> dict[str, object]:
    """With what it is renewed: the options in its record."""
    found = json.loads((world.folder / "certificate.json").read_text())["issuance"]
    assert isinstance(found, dict)
    return found


def test_the_options_of_the_last_call_are_those_of_its_renewal(world: World, tmp_path: Path) -> None:
    pem_file, webroot = tmp_path / "site.pem", tmp_path / "www"
    first = world.got()
    assert world.got(pem_file=pem_file, deploy_command="true")["issued"] == "0"
    assert world.got(webroot=webroot, challenge="http-01")["issued"] == "0"
    asked = renewed(world)
    assert asked["solvers"]["webroot"]["path"] == str(webroot)  # type: ignore[index]
    assert asked["deploy_command"] == "true"
    world.got()
    assert renewed(world)["solvers"]["webroot"] is None  # type: ignore[index]
    before = pem_file.read_text()
    clients.reset()
    again = world.tcl.dict("renew_certificate", NAME, store=world.store, force=1)
    assert again["serial"] != first["serial"]
    assert pem_file.read_text() != before
    assert again["fullchain"] in pem_file.read_text()


def test_a_held_ones_files_are_kept_as_the_last_call_says(world: World) -> None:
    world.got()
    assert world.got(layout="files", file_mode="0440")["issued"] == "0"
    key = world.folder / "privkey.pem"
    assert not key.is_symlink()
    assert stat.S_IMODE(key.stat().st_mode) == 0o440
    for _ in range(2):
        world.got()
        assert not key.is_symlink()
        assert stat.S_IMODE(key.stat().st_mode) == 0o440
    world.got(layout="links", file_mode="0600")
    assert key.is_symlink()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_the_same_call_writes_nothing(world: World, tmp_path: Path) -> None:
    options = {"pem_file": tmp_path / "site.pem", "account_key": new_key()}
    world.got(**options)
    written = world.folder.joinpath("..data").readlink()
    for _ in range(2):
        world.got(**options)
        assert world.folder.joinpath("..data").readlink() == written


def test_a_literal_secret_leaves_it_renewable(world: World, tmp_path: Path) -> None:
    """Who tries something by hand does not stop its renewals."""
    assert world.got()["renewable"] == "1"
    again = world.got(account_key=new_key(), pem_file=tmp_path / "site.pem")
    assert (again["issued"], again["renewable"]) == ("0", "1")
    asked = renewed(world)
    assert asked["account_key"] is None
    assert asked["pem_file"]["path"] == str(tmp_path / "site.pem")  # type: ignore[index]


def test_a_call_without_secrets_makes_it_renewable(world: World) -> None:
    assert world.got(account_key=new_key())["renewable"] == "0"
    assert world.got()["renewable"] == "1"


def test_of_a_secret_no_digest_is_kept() -> None:
    """Of one of few letters it would tell too much."""
    names = {option[1:] for option in Command("tossl::acme", obtain_certificate, GROUPS).parameters.options}
    secrets = {name for name in names if f"{name}_file" in names}
    assert {"api_key", "private_key"} <= secrets
    assert words_digests({"seal_key": "one"}) == words_digests({})  # of the store, not of the request
    for name in (secrets - {"seal_key"}) | {"csr", "proxy"}:
        assert words_digests({name: "one"}) == words_digests({name: "another"})
        assert words_digests({name: "one"}) != words_digests({})


def test_a_key_that_is_elsewhere_is_in_no_pem_file(world: World, tmp_path: Path) -> None:
    options = {"csr": csr(LEAF_KEY)}
    world.got(**options)
    failure = world.obtain(**options, pem_file=tmp_path / "site.pem")
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "pem_file")
    assert not (tmp_path / "site.pem").exists()


def test_no_secret_is_in_the_record(world: World) -> None:
    key = new_key()
    world.got(account_key=key)
    record = (world.folder / "certificate.json").read_text()
    assert "PRIVATE KEY" not in record
    assert key.splitlines()[1] not in record


# ---- what is damaged or foreign ----


@pytest.mark.parametrize("file", ["cert.pem", "fullchain.pem", "chain.pem", "privkey.pem"])
@pytest.mark.parametrize("force", [0, 1])
def test_a_file_that_is_another_is_told_and_stays(world: World, file: str, force: int) -> None:
    world.got()
    path = (world.folder / file).resolve()
    path.write_text("mine")
    failure = world.obtain(force=force)
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "store")
    assert f"{NAME}/{file}" in failure.message
    assert path.read_text() == "mine"
    assert len(world.ca.payloads("new-order")) == 1


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "damaged"), ("{", "damaged"), ("[]", "damaged"), ("{}", "damaged"), ('{"format": 99}', "later version"),
        ('{"format": 1, "domains": 7}', "damaged"), ("[" * 100_000, "damaged"), ('{"a": NaN}', "damaged"),
        ('{"format": 1, "not_after": 1' + "0" * 400, "damaged"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("force", [0, 1])
def test_a_record_that_is_damaged_is_told_and_stays(world: World, text: str, cause: str, force: int) -> None:
    world.got()
    path = (world.folder / "certificate.json").resolve()
    path.write_text(text)
    failure = world.obtain(force=force)
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "store")
    assert cause in failure.message
    assert "certificate.json" in failure.message
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("member", "value"),
    [("not_before", 10**400), ("not_after", -(10**15)), ("serial", "\ud800"), ("domains", [7]), ("revoked", 10**400)],
    ids=["begin", "end", "serial", "domains", "revoked"],
)
def test_a_value_beyond_reason_is_damage(world: World, member: str, value: object) -> None:
    world.got()
    path = (world.folder / "certificate.json").resolve()
    path.write_text(json.dumps({**json.loads(path.read_text()), member: value}))
    failure = world.obtain()
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "store")
    [damaged] = world.tcl.dicts(world.tcl.acme("list_certificates", store=world.store))
    assert "certificate.json" in damaged["damaged"]


def test_the_longest_domain_is_a_name(world: World) -> None:
    name = ".".join(["a" * 62, "b" * 62, "c" * 62, "d" * 62, "e"])
    assert len(name) == 253
    assert world.got(name)["name"] == name
    assert world.got(name)["issued"] == "0"
    assert world.tcl.dict("get_certificate", name, store=world.store)["domains"] == name


def test_one_whose_key_is_gone_is_got_anew(world: World) -> None:
    world.got()
    (world.folder / "privkey.pem").resolve().unlink()
    assert world.got()["issued"] == "1"
    assert world.got()["issued"] == "0"


def test_one_that_an_earlier_version_kept_is_held(world: World) -> None:
    """Its record says less."""
    world.got()
    path = (world.folder / "certificate.json").resolve()
    kept = json.loads(path.read_text())
    members = ("domains", "not_before", "not_after", "issuer", "serial", "directory", "key_type", "has_key")
    path.write_text(json.dumps({name: kept[name] for name in members}))
    held = world.got()
    assert (held["issued"], held["renewable"]) == ("0", "1")


def test_a_store_that_is_a_file(world: World) -> None:
    world.store.write_text("mine")
    failure = world.obtain()
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "store")
    assert world.store.read_text() == "mine"
    assert not world.ca.requests


# ---- the table in the page ----


def rows() -> dict[str, str]:
    """What becomes of a held certificate, by what is asked for with another value."""
    table = PAGE.read_text().partition("| asked for with another |")[2].partition("\n\n")[0]
    cells = [line.split("|")[1:3] for line in table.splitlines()[2:]]
    return {asked.strip(): outcome.strip() for asked, outcome in cells}


@dataclass
class Try:
    """What a certificate is held for, and what is asked for then."""

    names: tuple[str, ...] = (NAME,)
    options: Callable[[Any], dict[str, object]] = lambda _: {}
    first: Callable[[Any], dict[str, object]] = lambda _: {}
    first_names: tuple[str, ...] = (NAME,)


def csr(key: str) -> str:
    return write_block("CERTIFICATE REQUEST", csr_for(load_private_key(key), parse_identifiers([NAME])).der)


LEAF_KEY, OTHER_KEY = new_key(), new_key()
EAB = {"eab_kid": "k", "eab_hmac_key": "aG1hYw", "eab_alg": "HS512", "agree_tos": 1}
DNS = {
    "provider": "cloudflare", "api_key": "abc", "zone_id": "z", "resolvers": "192.0.2.1", "propagation_timeout": 1,
    "propagation": "wait", "follow_cname": 0,
}  # fmt: skip
TRIES: dict[str, Try] = {
    "`domains`: the same in another order or spelling, IP addresses too": Try(
        ("A.EXAMPLE", "0:0:0:0:0:0:0:1"), lambda w: {"name": NAME}, first_names=(NAME, "::1")
    ),
    "`domains`: all of its names, and more": Try((NAME, "more.example")),
    "`domains`: not all of its names": Try((NAME, "other.example"), first_names=(NAME, "b.example")),
    "`-name`": Try(options=lambda w: {"name": "another"}),
    "`-directory`: another CA": Try(options=lambda w: {"directory": w.other.directory}),
    "`-directory`: a list with its CA": Try(options=lambda w: {"directory": [w.other.directory, w.ca.directory]}),
    "`-directory`: a staging CA in place of another": Try(options=lambda w: {"directory": "try-staging"}),
    "`-key_type`": Try(options=lambda w: {"key_type": "rsa"}),
    "`-private_key`": Try(options=lambda w: {"private_key": LEAF_KEY}),
    "`-csr`": Try(options=lambda w: {"csr": csr(LEAF_KEY)}),
    "`-common_name`": Try(options=lambda w: {"common_name": NAME}),
    "`-profile`": Try(options=lambda w: {"profile": "short"}),
    "`-preferred_chain`": Try(options=lambda w: {"preferred_chain": "Scripted Root Two"}),
    "`-not_before`, `-not_after`": Try(options=lambda w: {"not_before": 1, "not_after": 4000000000}),
    "`-subdomain_auth`": Try(options=lambda w: {"subdomain_auth": "a.example"}),
    "`-email`, `-account_key`, `-eab_kid`, `-eab_hmac_key`, `-eab_alg`, `-agree_tos`, `-shared_key`": Try(
        options=lambda w: {"email": "b@example.com", "account_key": OTHER_KEY, **EAB}
    ),
    "`-challenge`, `-webroot`, `-port`, `-http01_response`, `-tls_port`, `-check_caa`": Try(
        options=lambda w: {
            "challenge": "http-01",
            "webroot": w.store.parent / "nowhere",
            "port": 1,
            "http01_response": True,
            "tls_port": 1,
            "check_caa": 0,
        }
    ),
    "`-provider`, `-credentials`, `-api_key`, `-zone_id`, `-endpoint`, `-follow_cname`, `-resolvers`, `-propagation`, "
    "`-propagation_timeout`": Try(
        options=lambda w: {**DNS, "endpoint": "https://127.0.0.1:1/"}
    ),
    "`-ca_bundle`, `-proxy`, `-timeout`, `-progress`, `-command`": Try(
        options=lambda w: {"ca_bundle": w.bundle, "timeout": 50, "progress": "list"}
    ),
    "`-store`": Try(options=lambda w: {"store": w.store.parent / "another"}),
    "`-seal_key`": Try(options=lambda w: {"seal_key": generate_sealing_key()}),
    "`-layout`, `-file_mode`, `-group`": Try(options=lambda w: {"layout": "files", "file_mode": "0640"}),
    "`-files`": Try(options=lambda w: {"files": w.store.parent / "files"}),
    "`-pem_file`": Try(options=lambda w: {"pem_file": w.store.parent / "site.pem"}),
    "`-deploy`, `-deploy_command`, `-deploy_timeout`": Try(
        options=lambda w: {"deploy": "list", "deploy_command": "true", "deploy_timeout": 9}
    ),
    "`-replace_names`": Try(options=lambda w: {"replace_names": 1}),
    "`-force`": Try(options=lambda w: {"force": 1}),
}


@dataclass
class TableWorld(World):
    other: Any = None
    bundle: str = ""


@pytest.fixture
def table_world(
    world: World,
    other_ca: ScriptedCa,
    certificates: Certificates,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> TableWorld:
    if "staging" in request.node.name:
        staging = PublicCa("try-staging", other_ca.directory)
        monkeypatch.setattr(public_cas, "PUBLIC_CAS", (*public_cas.PUBLIC_CAS, staging))
    world.ca.script.profiles = {"short": "6 days"}
    return TableWorld(world.tcl, world.ca, world.store, other_ca, str(certificates.ca_bundle))


@pytest.mark.parametrize("row", TRIES)
def test_the_table_says_what_becomes_of_a_held_certificate(table_world: TableWorld, row: str) -> None:
    tried, outcome, world = TRIES[row], rows()[row], table_world
    first = world.got(*tried.first_names, **tried.first(world))
    again = world.obtain(*tried.names, **tried.options(world))
    if outcome == "refused":
        assert isinstance(again, Failure)
        assert again.code in {("TOSSL", "VALUE", "domains"), ("TOSSL", "VALUE", "directory")}
        assert len(world.ca.payloads("new-order")) + len(world.other.payloads("new-order")) == 1
    else:
        assert isinstance(again, dict), again
        assert again["issued"] == {"kept": "0", "replaced": "1", "left alone": "1"}[outcome]
        assert (again["serial"] == first["serial"]) == (outcome == "kept")
    held = world.got(*tried.first_names, **tried.first(world)) if outcome in ("refused", "left alone") else again
    assert isinstance(held, dict)
    assert (held["serial"] == first["serial"]) == (outcome != "replaced")
    if outcome == "replaced" and row != "`-force`":
        assert world.got(*tried.names, **tried.options(world))["issued"] == "0"


def test_the_table_has_every_option() -> None:
    command = Command("tossl::acme", obtain_certificate, GROUPS)
    named = set(re.findall(r"`(-\w+)`", " ".join(rows())))
    options = {re.sub(r"_(file|env)$", "", option) for option in command.parameters.options} - {"-pem"}
    assert options | {"-pem_file"} <= named
    assert set(TRIES) <= set(rows())


def test_a_key_or_request_that_it_has_already_is_kept(world: World) -> None:
    first = world.got(private_key=LEAF_KEY)
    assert world.got(private_key=LEAF_KEY)["issued"] == "0"
    assert world.got()["issued"] == "0"
    assert world.got(csr=csr(LEAF_KEY))["issued"] == "1"  # from then on the key is the user's
    assert world.got(csr=csr(LEAF_KEY))["issued"] == "0"
    assert not (world.folder / "privkey.pem").exists()
    assert world.got()["serial"] != first["serial"]


def test_replace_names_lets_other_names_in(world: World) -> None:
    world.got(NAME, "b.example")
    again = world.got(NAME, "c.example", replace_names=1)
    assert (again["issued"], again["domains"]) == ("1", f"{NAME} c.example")
    assert world.got(NAME, "c.example")["issued"] == "0"


# ---- revoked ----


def revoke(world: World, certificate: dict[str, str], **options: object) -> str | Failure:
    key = world.tcl.acme("get_account_key", world.ca.directory, store=world.store)
    given = {"store": world.store, **options}
    return world.tcl.try_acme("revoke_certificate", world.ca.directory, key, certificate["certificate"], **given)


def test_one_that_was_revoked_is_never_held_again(world: World) -> None:
    first = world.got()
    assert revoke(world, first) == "Certificate revoked successfully"
    assert world.tcl.dict("get_certificate", NAME, store=world.store)["revoked"] == "1"
    second = world.got()
    assert (second["issued"], second["private_key"] != first["private_key"]) == ("1", True)
    assert "replaces" not in world.ca.payloads("new-order")[1]
    assert world.got()["issued"] == "0"


def test_its_key_is_never_used_again(world: World) -> None:
    revoke(world, world.got(private_key=LEAF_KEY))
    for options in ({"private_key": LEAF_KEY}, {"csr": csr(LEAF_KEY)}):
        for name in (NAME, "another"):
            failure = world.obtain(name=name, force=1, **options)
            assert isinstance(failure, Failure)
            assert failure.code == ("TOSSL", "VALUE", *options)
    got = world.got()
    assert read_chain(got["certificate"]).public_key != public_der(load_private_key(LEAF_KEY))


def test_a_sealed_one_is_not_revoked_without_the_sealing_key(world: World) -> None:
    """It could not be marked then. Neither where its own key is not sealed yet, among others that are."""
    first = world.got()
    key = world.tcl.acme("get_account_key", world.ca.directory, store=world.store)
    sealing = generate_sealing_key()
    store = SealedStore(FolderStore(absolute(world.store)), SealKey("-seal_key", sealing))
    store.mark_anew(Context(60).begin())
    for _ in range(2):
        failure = world.tcl.try_acme(
            "revoke_certificate", world.ca.directory, key, first["certificate"], store=world.store
        )
        assert isinstance(failure, Failure)
        assert failure.code == ("TOSSL", "VALUE", "seal_key")
        assert "TOSSL_SEAL_KEY_FILE" in failure.message
        assert world.ca.payloads("revoke") == []
        seal_anew(Context(60).begin(), store)
    done = world.tcl.try_acme(
        "revoke_certificate", world.ca.directory, key, first["certificate"], store=world.store, seal_key=sealing
    )
    assert done == "Certificate revoked successfully"
    assert world.tcl.dict("get_certificate", NAME, store=world.store, seal_key=sealing)["revoked"] == "1"


def test_one_that_the_ca_had_revoked_is_marked_too(world: World) -> None:
    first = world.got()
    problem = {"type": "urn:ietf:params:acme:error:alreadyRevoked", "detail": "so it is", "status": 400}
    reply = Reply(400, json.dumps(problem).encode(), {"Content-Type": "application/problem+json"})
    world.ca.answers["/revoke"].append(reply)
    assert isinstance(revoke(world, first), Failure)
    assert world.got()["issued"] == "1"


def test_one_that_the_ca_does_not_revoke_stays_held(world: World) -> None:
    first = world.got()
    problem = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "no", "status": 403}
    reply = Reply(403, json.dumps(problem).encode(), {"Content-Type": "application/problem+json"})
    world.ca.answers["/revoke"].append(reply)
    assert isinstance(revoke(world, first), Failure)
    assert world.got()["issued"] == "0"


def test_where_it_cannot_be_marked_in_time_the_error_says_that_it_is_revoked(world: World) -> None:
    chain, store = read_chain(world.got()["certificate"]), FolderStore(absolute(world.store))
    with pytest.raises(WaitTimeout, match="the certificate is revoked"), kept_as_revoked(
        Context(0).begin(), store, chain
    ):
        pass


def test_another_certificate_that_was_revoked_marks_nothing(world: World) -> None:
    first = world.got()
    world.got(force=1)
    revoke(world, first)
    assert world.got()["issued"] == "0"


def test_an_account_that_has_ended_leaves_its_key_aside(world: World) -> None:
    world.got()
    key = world.tcl.acme("get_account_key", world.ca.directory, store=world.store)
    world.tcl.acme("deactivate_account", world.ca.directory, key, store=world.store)
    failure = world.tcl.failure("get_account_key", world.ca.directory, store=world.store)
    assert failure.code == ("TOSSL", "VALUE", "store")
    aside = [path.read_text() for path in world.store.glob("accounts/*/key-*.pem")]
    assert key in aside
    assert world.got(force=1)["issued"] == "1"
    assert world.tcl.acme("get_account_key", world.ca.directory, store=world.store) != key


def test_what_is_kept_is_what_the_files_hold(world: World) -> None:
    got = world.got()
    for kind, file in FILES.items():
        assert (world.folder / file).read_text() == got[kind]
