"""Several CAs, the limits of each, and what is kept of accounts, directories and renewal: at scripted CAs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Reply, json_reply
from tests.tclhost import Failure, Tcl
from tossl_acme.acme import clients
from tossl_acme.certificates import due

NAME = "a.example"
PROBLEM = {"Content-Type": "application/problem+json"}
VISIT = "https://ca.example/unpause?jwt=abc"


@pytest.fixture
def ca(scripted_ca: ScriptedCa) -> ScriptedCa:
    scripted_ca.script.order = "ready"
    return scripted_ca


@dataclass
class Clock:
    """The time by which certificates age: `offset` seconds later than it is."""

    offset: float = 0.0

    def now(self) -> float:
        return time.time() + self.offset


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(due, "now", clock.now)
    return clock


@pytest.fixture
def obtain(tcl: Tcl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, str] | Failure]:
    """obtain_certificate as a new process calls it; nothing has to be proven."""

    def call(directory: object, **options: object) -> dict[str, str] | Failure:
        clients.reset()
        options = {"challenge": "dns-persist-01", "propagation_timeout": 0, "store": str(tmp_path / "store"), **options}
        result = tcl.try_acme("obtain_certificate", [NAME], directory=directory, **options)
        return result if isinstance(result, Failure) else tcl.as_dict(result)

    return call


def refuse(ca: ScriptedCa, kind: str = "serverInternal", status: int = 400, detail: str = "no", **headers: str) -> None:
    """The CA's next answer to newOrder."""
    document = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    ca.answers["/new-order"].append(Reply(status, json.dumps(document).encode(), PROBLEM | named))


def orders(ca: ScriptedCa) -> int:
    return len(ca.payloads("new-order"))


def kept(tmp_path: Path, pattern: str) -> dict[str, Any]:
    [file] = (tmp_path / "store").glob(pattern)
    document: dict[str, Any] = json.loads(file.read_text())
    return document


# ---- limits ----


def test_three_failures_an_hour_by_name(obtain: Any, ca: ScriptedCa, clock: Clock) -> None:
    for _ in range(3):
        refuse(ca, "unauthorized", 403)
        assert obtain(ca.directory).code[1:3] == ("ACME", "unauthorized")
    failure = obtain(ca.directory)
    assert failure.code[:2] == ("TOSSL", "RETRY")
    assert 3590 <= int(failure.code[2]) <= 3600
    assert failure.details["retry_after"] == failure.code[2]
    assert orders(ca) == 0
    clock.offset = 3601
    assert obtain(ca.directory)["domains"] == NAME
    assert orders(ca) == 1


def test_a_certificate_forgets_the_failures(obtain: Any, ca: ScriptedCa, tmp_path: Path) -> None:
    refuse(ca)
    obtain(ca.directory)
    limits = kept(tmp_path, "limits/*/limits.json")
    assert (limits["failures"], limits["names"], limits["directory"]) == (1, [NAME], ca.directory)
    obtain(ca.directory)
    assert list((tmp_path / "store").glob("limits/*/limits.json")) == []


def test_other_names_are_not_paused(tcl: Tcl, obtain: Any, ca: ScriptedCa, tmp_path: Path) -> None:
    for _ in range(3):
        refuse(ca)
        obtain(ca.directory)
    options = {"challenge": "dns-persist-01", "propagation_timeout": 0, "store": str(tmp_path / "store")}
    assert tcl.dict("obtain_certificate", ["b.example"], directory=ca.directory, **options)["domains"] == "b.example"


def test_retry_after_is_kept_to_the_second(obtain: Any, ca: ScriptedCa, clock: Clock) -> None:
    refuse(ca, "rateLimited", 429, retry_after="86400")
    assert obtain(ca.directory).code[2] == "rateLimited"
    clock.offset = 86398
    failure = obtain(ca.directory)
    assert failure.code[:2] == ("TOSSL", "RETRY")
    assert int(failure.code[2]) <= 2
    assert orders(ca) == 0
    clock.offset = 86400
    assert obtain(ca.directory)["domains"] == NAME


def test_a_wrong_word_is_no_failure(obtain: Any, ca: ScriptedCa, tmp_path: Path) -> None:
    for _ in range(5):
        assert obtain(ca.directory, challenge="http-01").code[1] == "VALUE"
    assert list((tmp_path / "store").glob("limits/*/limits.json")) == []


def test_damaged_limits_are_named_and_left(obtain: Any, ca: ScriptedCa, tmp_path: Path) -> None:
    refuse(ca)
    obtain(ca.directory)
    [file] = (tmp_path / "store").glob("limits/*/limits.json")
    file.write_text("{")
    failure = obtain(ca.directory)
    assert failure.code == ("TOSSL", "VALUE", "store")
    assert "limits.json" in failure.message
    assert file.read_text() == "{"


def test_a_pause_of_the_ca_names_the_page(obtain: Any, ca: ScriptedCa, tmp_path: Path) -> None:
    names = ", ".join(f"host-{number}.example" for number in range(200))
    refuse(ca, "rateLimited", 429, f"Your account is temporarily prevented: {names}. Please visit: {VISIT}")
    failure = obtain(ca.directory)
    assert failure.details["visit"] == VISIT
    assert VISIT in failure.message
    limits = kept(tmp_path, "limits/*/limits.json")
    assert (limits["paused"], limits["visit"]) == (True, VISIT)
    assert obtain(ca.directory)["domains"] == NAME


# ---- other CAs ----


def test_another_ca_after_repeated_failure(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    both = [ca.directory, other_ca.directory]
    refuse(ca)
    assert obtain(both).code[1] == "ACME"
    assert orders(other_ca) == 0
    refuse(ca)
    got = obtain(both)
    assert got["directory"] == other_ca.directory
    assert "warning fallback" in got["warnings"]
    assert (orders(ca), orders(other_ca)) == (0, 1)


def test_without_a_store_the_next_is_asked_at_once(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    refuse(ca)
    assert obtain([ca.directory, other_ca.directory], store="")["directory"] == other_ca.directory


def test_where_all_refuse_each_is_named(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    refuse(ca)
    refuse(other_ca, "serverInternal")
    failure = obtain([ca.directory, other_ca.directory], store="")
    assert failure.code[2] == "serverInternal"
    for asked in (ca, other_ca):
        assert f"{asked.directory}: " in failure.message


def test_a_ca_that_wants_to_be_left_alone_is_passed_over(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    refuse(ca, "rateLimited", 429, retry_after="86400")
    both = [ca.directory, other_ca.directory]
    assert obtain(both).code[2] == "rateLimited"
    assert obtain(both)["directory"] == other_ca.directory
    assert orders(ca) == 0


def test_where_none_is_to_be_asked_the_shortest_wait_is_told(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    refuse(ca, "rateLimited", 429, retry_after="5000")
    refuse(other_ca, "rateLimited", 429, retry_after="400")
    both = [ca.directory, other_ca.directory]
    obtain(both)
    assert obtain(both).code[2] == "rateLimited"
    failure = obtain(both)
    assert failure.code[1] == "RETRY"
    assert 390 <= int(failure.code[2]) <= 400


def test_each_has_its_own_options(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    for server in (ca, other_ca):
        server.script.profiles = {"short": "6 days", "long": "90 days"}
    second = [other_ca.directory, "-profile", "long", "-email", "b@example.com"]
    for _ in range(2):
        refuse(ca)
        got = obtain([ca.directory, second], profile="short", email="a@example.com")
    assert got["directory"] == other_ca.directory
    assert [payload.get("profile") for payload in other_ca.payloads("new-order")] == ["long"]
    assert other_ca.payloads("new-account")[0]["contact"] == ["mailto:b@example.com"]
    assert ca.payloads("new-account")[0]["contact"] == ["mailto:a@example.com"]


def test_all_accounts_are_made_with_the_first_certificate(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    assert obtain([ca.directory, other_ca.directory])["directory"] == ca.directory
    assert len(other_ca.payloads("new-account")) == 1
    obtain([ca.directory, other_ca.directory])
    assert len(other_ca.payloads("new-account")) == 1


def test_a_ca_that_gives_no_account_is_a_warning(obtain: Any, ca: ScriptedCa, other_ca: ScriptedCa) -> None:
    other_ca.script.eab_required = True
    refused = {"type": "urn:ietf:params:acme:error:unauthorized", "detail": "bad binding", "status": 403}
    other_ca.answers["/new-account"] += [json_reply(refused, 403)] * 3
    second = [other_ca.directory, "-eab_kid", "k", "-eab_hmac_key", "aG1hYw"]
    got = obtain([ca.directory, second])
    assert got["directory"] == ca.directory
    assert "gave no account" in got["warnings"]


def test_a_missing_binding_is_told_before_anything_is_sent(obtain: Any, ca: ScriptedCa) -> None:
    failure = obtain([ca.directory, "zerossl"])
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")
    assert not ca.signed


# ---- what spares requests ----


def requests_of(ca: ScriptedCa) -> list[str]:
    """What was asked since the last look."""
    found = [request.path.split("/")[1] for request in ca.requests]
    ca.requests.clear()
    return found


def test_a_new_process_asks_neither_for_directory_nor_account(obtain: Any, ca: ScriptedCa, clock: Clock) -> None:
    obtain(ca.directory)
    assert requests_of(ca)[:3] == ["directory", "nonce", "new-account"]
    obtain(ca.directory, force=1)
    assert requests_of(ca)[:2] == ["nonce", "new-order"]
    clock.offset = 86400
    obtain(ca.directory, force=1)
    assert requests_of(ca)[:3] == ["directory", "nonce", "new-order"]


def test_an_account_that_the_ca_lost_is_made_anew(obtain: Any, ca: ScriptedCa) -> None:
    obtain(ca.directory)
    ca.objects.clear()
    assert obtain(ca.directory, force=1)["domains"] == NAME
    # The key is looked up once in between: its account may have another URL by now.
    assert [payload.get("onlyReturnExisting") for payload in ca.payloads("new-account")] == [None, True, None]


def test_a_directory_that_has_changed_is_read_anew(obtain: Any, ca: ScriptedCa, tmp_path: Path) -> None:
    obtain(ca.directory)
    [file] = (tmp_path / "store").glob("accounts/*/directory.json")
    file.write_text(file.read_text().replace("/new-order", "/old-order").replace("/nonce", "/old-nonce"))
    assert obtain(ca.directory, force=1)["domains"] == NAME
    assert "/old-order" not in file.read_text()


def test_what_a_ca_offers_by_now_is_asked_for_before_it_is_refused(obtain: Any, ca: ScriptedCa) -> None:
    obtain(ca.directory)
    ca.script.profiles = {"short": "6 days"}
    assert obtain(ca.directory, profile="short", force=1)["issued"] == "1"
    requests_of(ca)
    assert obtain(ca.directory, profile="none", force=1).code == ("TOSSL", "VALUE", "profile")
    assert requests_of(ca).count("directory") == 1


@pytest.mark.parametrize("damage", ["{", "[]", '{"read_at": "x"}', '{"url": 7, "directory": []}'])
def test_what_is_damaged_is_asked_for(obtain: Any, ca: ScriptedCa, tmp_path: Path, damage: str) -> None:
    obtain(ca.directory)
    for name in ("directory", "account"):
        [file] = (tmp_path / "store").glob(f"accounts/*/{name}.json")
        file.write_text(damage)
    requests_of(ca)
    assert obtain(ca.directory, force=1)["domains"] == NAME
    assert requests_of(ca)[:3] == ["directory", "nonce", "new-account"]


def test_other_contacts_are_sent(obtain: Any, ca: ScriptedCa) -> None:
    obtain(ca.directory, email="a@example.com")
    obtain(ca.directory, email="a@example.com", force=1)
    obtain(ca.directory, email="b@example.com", force=1)
    assert len(ca.payloads("new-account")) == 2
    assert [payload.get("contact") for payload in ca.payloads("account")] == [["mailto:b@example.com"]]
