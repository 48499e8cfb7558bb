"""dns-persist-01: the permanent record, compared as the draft says, and proven by a real CA's own validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.scripted_ca import Script, ScriptedCa
from tests.servers.scripted_dns import ScriptedDns
from tests.tclhost import Failure, Tcl
from tossl_acme.acme.authorization import Challenge
from tossl_acme.certificates import due
from tossl_acme.challenges import dns_persist01
from tossl_acme.challenges.dns_persist01 import DnsPersist01
from tossl_acme.challenges.standing import Wanted, find_standing, standing_name, zone_line
from tossl_acme.context import Context
from tossl_acme.dns.issue_value import parse_issue_value
from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import Identifier

ACCOUNT = "https://ca.example/acct/123"
AT = 1_800_000_000.0
SOON, LATER = int(AT) + 60, int(AT) + 86_400


def wanted(**members: Any) -> Wanted:
    given = {"domain": "example.com", "account_url": ACCOUNT, "issuers": ("ca.example", "CA.two.example."), **members}
    return Wanted(**given)


@pytest.mark.parametrize(
    ("value", "until"),
    [
        (f"ca.example; accounturi={ACCOUNT}", None),
        (f"ca.example;accounturi={ACCOUNT}", None),
        (f"CA.Two.Example; accounturi={ACCOUNT}", None),
        (f"ca.example; accounturi={ACCOUNT}; policy=wildcard", None),
        (f"ca.example; accounturi={ACCOUNT}; policy=specific; unknown=1", None),
        (f"ca.example; AccountURI={ACCOUNT}; PersistUntil={SOON}", SOON),
    ],
    ids=range(6),
)
def test_a_record_that_serves(value: str, until: int | None) -> None:
    found, differences = find_standing([value], wanted(), AT)
    assert found is not None
    assert (found.value, found.until, differences) == (value, until, [])


@pytest.mark.parametrize(
    ("value", "is_wildcard", "difference"),
    [
        (f"other.example; accounturi={ACCOUNT}", False, "it names the CA other.example, not ca.example or"),
        (f"; accounturi={ACCOUNT}", False, "it names the CA (none)"),
        ("ca.example", False, "its accounturi is missing"),
        (f"ca.example; accounturi={ACCOUNT}4", False, "its accounturi is https://ca.example/acct/1234, not"),
        (f"ca.example; accounturi={ACCOUNT.upper()}", False, "its accounturi is"),
        (f"ca.example; accounturi={ACCOUNT}", True, "policy=wildcard is missing"),
        (f"ca.example; accounturi={ACCOUNT}; policy=specific", True, "policy=wildcard is missing"),
        (f"ca.example; accounturi={ACCOUNT}; persistUntil={int(AT) - 1}", False, "is over"),
        (f"ca.example; accounturi={ACCOUNT}; persistUntil=2027-01-01", False, "not a time in epoch seconds"),
        (f"ca.example; accounturi={ACCOUNT}; persistUntil=-5", False, "not a time in epoch seconds"),
        (f"ca.example; accounturi={ACCOUNT}; persistUntil=\u0665", False, "tag=value"),
        (f"ca.example; accounturi={ACCOUNT}; persistUntil=" + "9" * 5000, False, "not a time in epoch seconds"),
        (f"ca.example; accounturi={ACCOUNT}; persistUntil=1; persistUntil=2", False, "two parameters persistuntil"),
        ("v=spf1 -all", False, "begins with no domain name"),
        ("", False, "it names the CA (none)"),
    ],
    ids=lambda value: str(value)[-24:],
)  # fmt: skip
def test_a_record_that_does_not_serve_says_how_it_differs(value: str, is_wildcard: bool, difference: str) -> None:
    """draft-ietf-acme-dns-persist section 4."""
    found, differences = find_standing([value], wanted(wildcard=is_wildcard), AT)
    assert found is None
    assert difference in differences[0]


@pytest.mark.parametrize("policy", ["policy=wildcard", "Policy=Wildcard", "POLICY=WILDCARD"])
def test_the_policy_is_in_any_case(policy: str) -> None:
    """Section 4: its tag and its values."""
    found, _ = find_standing([f"ca.example; accounturi={ACCOUNT}; {policy}"], wanted(wildcard=True), AT)
    assert found is not None


@pytest.mark.parametrize("how", [{}, {"wildcard": True}, {"until": SOON}, {"wildcard": True, "until": SOON}], ids=str)
def test_what_is_to_be_set_is_an_issue_value(how: dict[str, Any]) -> None:
    """Section 4: read as RFC 8659 section 4.2 has it, it names the CA and the account."""
    (value,) = wanted(issuers=("CA.example.",), **how).values
    read = parse_issue_value(value)
    assert (read.issuer, read.parameters["accounturi"]) == ("ca.example", ACCOUNT)
    assert read.parameters.get("policy") == ("wildcard" if "wildcard" in how else None)
    assert read.parameters.get("persistuntil") == (str(SOON) if "until" in how else None)


def test_the_record_that_serves_longest_counts() -> None:
    """Several records may stand at one name (section 4.1)."""
    values = [f"ca.example; accounturi={ACCOUNT}; persistUntil={until}" for until in (SOON, LATER, 1)]
    found, differences = find_standing(["foreign", *values], wanted(), AT)
    assert found is not None
    assert found.until == LATER
    assert len(differences) == 2
    endless, _ = find_standing([*values, f"ca.example; accounturi={ACCOUNT}"], wanted(), AT)
    assert endless is not None
    assert endless.until is None


def test_a_long_value_is_split_for_a_zone() -> None:
    """Section 9.1: strings of at most 255 bytes."""
    line = zone_line("_validation-persist.example.com", "a" * 255 + 'b"\\')
    assert line == '_validation-persist.example.com. IN TXT "' + "a" * 255 + '" "b\\"\\\\"'


# ---- against a real CA ----


class Account:
    """The account of a store at a CA, and what its scripts do."""

    def __init__(self, tcl: Tcl, ca: Pebble | ScriptedCa, resolver: str, store: Path) -> None:
        self.tcl, self.ca, self.resolver, self.store = tcl, ca, resolver, str(store)
        self.key = tcl.acme("get_account_key", ca.directory, store=self.store, generate=1)
        tcl.acme("create_account", ca.directory, self.key, "")

    def record(self, name: str, **options: object) -> dict[str, str]:
        return self.tcl.dict(
            "dns_persist01_record", self.ca.directory, self.key, name, resolvers=[self.resolver], **options
        )

    def value(self, name: str, **options: object) -> str:
        return self.tcl.as_list(self.record(name, **options)["dns_record_values"])[0]

    def obtain(self, *names: str, **options: object) -> dict[str, str] | Failure:
        given = {"store": self.store, "resolvers": [self.resolver], "challenge": "dns-persist-01", **options}
        found = self.tcl.try_acme("obtain_certificate", list(names), directory=self.ca.directory, **given)
        return found if isinstance(found, Failure) else self.tcl.as_dict(found)


@pytest.fixture
def set_txt(challtestsrv: ChallTestSrv) -> Iterator[Callable[[str, str], None]]:
    """Sets the TXT record of a domain."""
    names: list[str] = []

    def put(domain: str, value: str) -> None:
        names.append(standing_name(domain))
        challtestsrv.clear_txt(names[-1])
        challtestsrv.set_txt(names[-1], value)

    yield put
    for name in names:
        challtestsrv.clear_txt(name)


def test_set_once_and_renewed_without_credentials(
    tcl: Tcl, newest_pebble: Pebble, challtestsrv: ChallTestSrv, tmp_path: Path, set_txt: Callable[[str, str], None]
) -> None:
    """The CA's own validation accepts the record that was said; that it is missing is said before any order."""
    me = Account(tcl, newest_pebble, challtestsrv.dns, tmp_path / "store")
    failure = me.obtain("persist.example", "*.persist.example")
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "DNS", "dns-persist-01", "record")
    assert "no TXT record; set 'pebble.letsencrypt.org; accounturi=https://" in failure.message
    record = me.record("*.persist.example", persist_until=4_000_000_000)
    assert (record["standing"], record["persist_until"]) == ("0", "0")
    set_txt("persist.example", tcl.as_list(record["dns_record_values"])[0])
    record = me.record("*.persist.example")
    assert (record["standing"], record["persist_until"], record["difference"]) == ("1", "4000000000", "")
    got = me.obtain("persist.example", "*.persist.example")
    assert isinstance(got, dict), got
    assert (got["issued"], got["warnings"]) == ("1", "")
    renewed = tcl.dict("renew_certificate", "persist.example", store=me.store, force=1)
    assert (renewed["issued"], renewed["serial"] != got["serial"]) == ("1", True)
    listed = tcl.dict("get_certificate", "persist.example", store=me.store)
    assert (listed["persist_until"], listed["warnings"], listed["renewable"]) == ("4000000000", "", "1")


def test_the_end_of_a_record_is_warned_of(
    tcl: Tcl, newest_pebble: Pebble, challtestsrv: ChallTestSrv, tmp_path: Path, set_txt: Callable[[str, str], None]
) -> None:
    """In the result, and by list: before the renewal is due, or within 30 days. After its end nothing is ordered."""
    me = Account(tcl, newest_pebble, challtestsrv.dns, tmp_path / "store")
    ends = int(time.time()) + 40 * 86_400
    set_txt("ends.example", me.value("ends.example", persist_until=ends))
    got = me.obtain("ends.example")
    assert isinstance(got, dict), got
    # Pebble's certificates last five years: the renewal is due long after that.
    [warning] = tcl.dicts(got["warnings"])
    assert warning["warning"] == "persist_until"
    assert "set a later persistUntil" in warning["message"]
    [listed] = tcl.dicts(tcl.acme("list_certificates", store=me.store))
    assert tcl.dicts(listed["warnings"])[0]["message"] == warning["message"]
    set_txt("ends.example", me.value("ends.example", persist_until=int(time.time()) - 5))
    failure = me.obtain("ends.example", force=1)
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "DNS", "dns-persist-01", "record")
    assert "is over" in failure.message


@pytest.mark.parametrize(
    ("until", "due_in", "at", "said"),
    [
        (0, 10, 0, ""), (90, 60, 0, ""), (90, 95, 0, "ends at"), (90, 60, 61, "ends at"), (90, 60, 91, "ended at"),
    ],
)  # fmt: skip
def test_when_the_end_of_a_record_is_said(until: int, due_in: int, at: int, said: str) -> None:
    """Days."""
    found = due.record_warning(until * 86_400, due_in * 86_400, at * 86_400)
    assert said in found
    assert bool(said) == bool(found)


@pytest.fixture
def persisting_ca(scripted_ca: ScriptedCa) -> ScriptedCa:
    """A CA whose challenge has another name of its own than its directory."""
    offered = {"type": "dns-persist-01", "issuer-domain-names": ["two.example"]}
    scripted_ca.script = Script(challenges=(offered,), caa_identities=("one.example",))
    return scripted_ca


def test_a_record_for_another_name_of_the_ca_is_refused_by_the_challenge(
    tcl: Tcl, persisting_ca: ScriptedCa, challtestsrv: ChallTestSrv, tmp_path: Path, set_txt: Callable[[str, str], None]
) -> None:
    """The directory's names are not the challenge's: only these are final, and no wrong record is answered with."""
    me = Account(tcl, persisting_ca, challtestsrv.dns, tmp_path / "store")
    set_txt("names.example", me.value("names.example"))
    failure = me.obtain("names.example")
    assert isinstance(failure, Failure)
    assert "it names the CA one.example, not two.example; set 'two.example; accounturi=" in failure.message
    assert persisting_ca.payloads("challenge") == []
    set_txt("names.example", me.value("names.example", issuer="two.example"))
    assert isinstance(me.obtain("names.example", force=1), dict)


def test_a_record_above_may_serve(
    tcl: Tcl, persisting_ca: ScriptedCa, challtestsrv: ChallTestSrv, tmp_path: Path, set_txt: Callable[[str, str], None]
) -> None:
    """policy=wildcard holds for all names below (section 6); whether the CA looks there is its own choice."""
    me = Account(tcl, persisting_ca, challtestsrv.dns, tmp_path / "store")
    set_txt("above.example", me.value("above.example", issuer="two.example"))
    assert isinstance(me.obtain("a.b.above.example"), Failure)
    set_txt("above.example", me.value("*.above.example", issuer="two.example"))
    assert isinstance(me.obtain("a.b.above.example", force=1), dict)


def test_a_dns_that_gives_no_answer_decides_nothing(
    tcl: Tcl, persisting_ca: ScriptedCa, challtestsrv: ChallTestSrv, tmp_path: Path
) -> None:
    """The CA may see more than this machine."""
    me = Account(tcl, persisting_ca, challtestsrv.dns, tmp_path / "store")
    challtestsrv.set_servfail(standing_name("silent.example"))
    try:
        record = me.record("silent.example")
        assert (record["standing"], bool(record["difference"])) == ("", True)
        assert isinstance(me.obtain("silent.example"), dict)
    finally:
        challtestsrv.clear_servfail(standing_name("silent.example"))


def test_silent_name_servers_end_the_look_and_not_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dns_persist01, "LOOK_SECONDS", 0.2)
    steps: list[dict[str, object]] = []
    with ScriptedDns(lambda _query, _by_tcp: None) as server:
        solver = DnsPersist01([server.address])
        name = Identifier("dns", "a.example")
        challenge = Challenge("dns-persist-01", name, account_url=ACCOUNT, issuers=("ca.example",))
        solver.check_standing(Context(20).begin(listener=steps.append), challenge)
    assert [step["step"] for step in steps] == ["dns_standing_unknown"]


def test_a_domain_that_leaves_no_room_for_the_record() -> None:
    label = f"{'a' * 61}."
    assert len(standing_name(label * 3 + "a" * 30 + ".example")) <= 253
    with pytest.raises(ArgumentError) as caught:
        standing_name(label * 3 + "a" * 50 + ".example")
    assert caught.value.errorcode == ("TOSSL", "VALUE", "domain")


def test_another_challenge_may_serve_where_no_record_stands(
    tcl: Tcl, persisting_ca: ScriptedCa, challtestsrv: ChallTestSrv, tmp_path: Path
) -> None:
    """The record is looked at before the order only where nothing else can prove the name."""
    me = Account(tcl, persisting_ca, challtestsrv.dns, tmp_path / "store")
    persisting_ca.script.challenges = ("tls-alpn-01",)
    both = {"challenge": "dns-persist-01 tls-alpn-01", "tls_port": 0}
    assert isinstance(me.obtain("choice.example", **both), dict)
