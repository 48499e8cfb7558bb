"""Accounts: created, found, changed, bound to another, ended."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import actions
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.pebble import Pebble, new_eab_key
from tests.servers.scripted_ca import Refused, Script, ScriptedCa
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme.acme import clients
from tossl_acme.acme.encoding import b64url_bytes
from tossl_acme.acme.jws import AccountKey
from tossl_acme.certificates import accounts
from tossl_acme.certificates.accounts import keep_account_key
from tossl_acme.context import Context
from tossl_acme.files import absolute
from tossl_acme.store.folder import FolderStore

KEYS = {"p256": ("ec", 256), "p384": ("ec", 384), "p521": ("ec", 521), "rsa": ("rsa", 2048)}


def test_an_account_is_created_and_found_again(tcl: Tcl, calm_pebble: Pebble) -> None:
    """RFC 8555 sections 7.3 and 7.3.1; the same key gives the same account."""
    key = new_key()
    assert tcl.acme("create_account", calm_pebble.directory, key, "a@example.com") == "Account created successfully"
    found = tcl.dict("get_account", calm_pebble.directory, key)
    assert (found["status"], found["contact"]) == ("valid", "mailto:a@example.com")
    again = tcl.dict("create_account", calm_pebble.directory, key, "a@example.com", return_details=1)
    assert again["url"] == found["url"]


def test_a_known_key_has_its_contacts_brought_up_to_date(tcl: Tcl, calm_pebble: Pebble) -> None:
    """create_account on an account that is there."""
    key = new_key()
    tcl.acme("create_account", calm_pebble.directory, key, "a@example.com")
    more = ["mailto:b@example.com"]
    account = tcl.dict("create_account", calm_pebble.directory, key, "d@example.com", more, return_details=1)
    assert tcl.as_list(account["contact"]) == ["mailto:d@example.com", "mailto:b@example.com"]


def test_contacts_are_replaced_and_removed(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 section 7.3.2: contact alone is sent, an empty list too."""
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "a@example.com")
    account = tcl.dict("update_account", scripted_ca.directory, key, "b@example.com", ["tel:+12025551212"])
    assert account["contact"] == "mailto:b@example.com tel:+12025551212"
    assert tcl.dict("update_account", scripted_ca.directory, key, "")["contact"] == ""
    assert scripted_ca.payloads("account") == [
        {"contact": ["mailto:b@example.com", "tel:+12025551212"]},
        {"contact": []},
    ]


def test_pebble_replaces_contacts(tcl: Tcl, calm_pebble: Pebble) -> None:
    """On a real CA."""
    key = new_key()
    tcl.acme("create_account", calm_pebble.directory, key, "a@example.com")
    assert tcl.dict("update_account", calm_pebble.directory, key, "b@example.com")["contact"] == "mailto:b@example.com"
    assert tcl.dict("get_account", calm_pebble.directory, key)["contact"] == "mailto:b@example.com"


def test_contacts_are_those_of_the_last_command(tcl: Tcl, calm_pebble: Pebble) -> None:
    """Whichever brought them up to date."""
    key, directory = new_key(), calm_pebble.directory
    options = {"directory": directory, "account_key": key, "store": "", "port": calm_pebble.http_port}
    tcl.acme("obtain_certificate", ["contact.example"], email="a@example.com", **options)
    tcl.acme("update_account", directory, key, "b@example.com")
    tcl.acme("obtain_certificate", ["contact.example"], email="a@example.com", **options)
    assert tcl.dict("get_account", directory, key)["contact"] == "mailto:a@example.com"


@pytest.mark.parametrize("kind", KEYS)
def test_accounts_have_keys_of_every_type(tcl: Tcl, calm_pebble: Pebble, kind: str) -> None:
    """The algorithm follows from the key (RFC 8555 section 6.2)."""
    key = new_key(*KEYS[kind])
    tcl.acme("create_account", calm_pebble.directory, key, "")
    assert tcl.acme("create_order", calm_pebble.directory, key, ["k.example"]) == "Order created successfully"


def test_an_ed25519_account_where_the_ca_takes_it(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """And the CA's own words where it does not."""
    key = new_key("ed25519")
    tcl.acme("create_account", scripted_ca.directory, key, "")
    assert scripted_ca.signed[0].header["alg"] == "EdDSA"


def test_an_algorithm_that_the_ca_does_not_take_is_its_error(tcl: Tcl, calm_pebble: Pebble) -> None:
    """RFC 8555 section 6.2: badSignatureAlgorithm, or what the CA says instead."""
    failure = tcl.failure("create_account", calm_pebble.directory, new_key("ed25519"), "")
    assert failure.code[:2] == ("TOSSL", "ACME")
    assert failure.message.startswith("Account creation failed: ")


@pytest.mark.parametrize(("old", "new"), [("p256", "rsa"), ("rsa", "p384"), ("p384", "p521"), ("p521", "p256")])
def test_an_account_gets_another_key(tcl: Tcl, calm_pebble: Pebble, old: str, new: str) -> None:
    """RFC 8555 section 7.3.5: the new key has the account, the old one has none."""
    first, second = new_key(*KEYS[old]), new_key(*KEYS[new])
    account = tcl.dict("create_account", calm_pebble.directory, first, "a@example.com", return_details=1)
    changed = tcl.dict("change_account_key", calm_pebble.directory, first, second)
    assert (changed["url"], changed["contact"]) == (account["url"], "mailto:a@example.com")
    assert tcl.acme("create_order", calm_pebble.directory, second, ["rolled.example"]) == "Order created successfully"
    assert tcl.failure("get_account", calm_pebble.directory, first).code[2] == "accountDoesNotExist"


def test_a_key_in_the_store_is_changed_with_the_accounts(tcl: Tcl, calm_pebble: Pebble, tmp_path: Path) -> None:
    """The next certificate is for the same account."""
    directory, folder, key = calm_pebble.directory, tmp_path / "store", new_key()
    options = {"directory": directory, "store": folder, "port": calm_pebble.http_port}
    tcl.acme("obtain_certificate", ["stored.example"], **options)
    first = tcl.acme("get_account_key", directory, store=folder)
    account = tcl.dict("get_account", directory, first)
    tcl.acme("change_account_key", directory, first, key, store=folder)
    assert tcl.acme("get_account_key", directory, store=folder) == key
    assert tcl.dict("obtain_certificate", ["stored.example"], **options)["domains"] == "stored.example"
    assert tcl.dict("get_account", directory, key)["url"] == account["url"]
    tcl.acme("change_account_key", directory, key, new_key())
    assert [path.read_text() for path in folder.rglob("accounts/*/*.pem")] == [key]


def test_a_key_that_the_ca_may_have_taken_is_kept(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    """Beside the one in the store, which stays."""
    first, successors = new_key(), [new_key(), new_key()]
    keep_account_key(FolderStore(absolute(tmp_path)), Context(5).begin(), scripted_ca.directory, first)
    tcl.acme("create_account", scripted_ca.directory, first, "")
    for key in successors:
        scripted_ca.answers["/key-change"].append(Refused(409, "malformed", "in use").reply)
        tcl.failure("change_account_key", scripted_ca.directory, first, key, store=tmp_path)
    assert tcl.acme("get_account_key", scripted_ca.directory, store=tmp_path) == first
    assert sorted(path.read_text() for path in tmp_path.glob("accounts/*/*.pem")) == sorted([first, *successors])


def test_the_inner_request_of_a_key_change_is_the_new_keys(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 section 7.3.5: no nonce, the same url, the account and the old key in it; the outer one is the old's."""
    first, second = new_key(), new_key("rsa")
    tcl.acme("create_account", scripted_ca.directory, first, "")
    tcl.try_acme("change_account_key", scripted_ca.directory, first, second)
    outer = next(signed for signed in scripted_ca.signed if signed.kind == "key-change")
    inner = {name: _json(outer.payload[name]) for name in ("protected", "payload")}
    old, new = AccountKey.from_pem(first), AccountKey.from_pem(second)
    assert inner["protected"] == {"alg": "RS256", "jwk": new.jwk, "url": outer.header["url"]}
    assert inner["payload"] == {"account": outer.header["kid"], "oldKey": old.jwk}
    assert outer.header["alg"] == "ES256"


def test_a_key_that_has_an_account_cannot_become_anothers(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 section 7.3.5: 409 and the other account's URL; the old key still works."""
    first, second = new_key(), new_key()
    tcl.acme("create_account", scripted_ca.directory, first, "")
    scripted_ca.answers["/key-change"].append(Refused(409, "malformed", "in use").reply)
    failure = tcl.failure("change_account_key", scripted_ca.directory, first, second)
    assert failure.message == "Account key change failed: in use [malformed]"
    assert failure.code == ("TOSSL", "ACME", "malformed", "409")
    assert tcl.dict("get_account", scripted_ca.directory, first)["status"] == "valid"


def test_a_key_known_to_have_an_account_is_not_asked_for(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 section 11.1: an error of the client's own."""
    first, second = new_key(), new_key()
    for key in (first, second):
        tcl.acme("create_account", scripted_ca.directory, key, "")
    failure = tcl.failure("change_account_key", scripted_ca.directory, first, second)
    assert failure.code == ("TOSSL", "VALUE", "new_key")
    assert scripted_ca.payloads("key-change") == []


def test_a_deactivated_account_is_the_end(tcl: Tcl, calm_pebble: Pebble) -> None:
    """RFC 8555 section 7.3.6."""
    key = new_key()
    tcl.acme("create_account", calm_pebble.directory, key, "")
    assert tcl.acme("deactivate_account", calm_pebble.directory, key) == "Account deactivated successfully"
    failure = tcl.failure("create_order", calm_pebble.directory, key, ["ended.example"])
    assert failure.code == ("TOSSL", "ACME", "unauthorized", "403")


@pytest.mark.parametrize("is_pebble", [True, False], ids=["pebble", "shown"])
def test_an_account_in_the_store_that_has_ended_is_replaced(
    tcl: Tcl, calm_pebble: Pebble, scripted_ca: ScriptedCa, tmp_path: Path, is_pebble: bool
) -> None:
    """Somebody has deactivated it: at CAs that refuse to show it, and at those that show it as what it is."""
    directory = calm_pebble.directory if is_pebble else scripted_ca.directory
    port = calm_pebble.http_port if is_pebble else 0
    options = {"directory": directory, "store": str(tmp_path), "port": port}
    key = str(tcl.acme("get_account_key", directory, store=str(tmp_path), generate=1))
    tcl.acme("obtain_certificate", ["first.example"], **options)
    tcl.acme("deactivate_account", directory, key, store="")
    clients.reset()
    got = tcl.dict("obtain_certificate", ["second.example"], **options)
    assert got["domains"] == "second.example"
    aside = next(tmp_path.glob("accounts/*/key-*.pem"))
    assert aside.name in got["warnings"]
    assert aside.read_text() == key
    assert tcl.acme("get_account_key", directory, store=str(tmp_path)) not in ("", key)
    failure = tcl.failure("obtain_certificate", ["third.example"], **options, account_key=key)
    assert failure.code[:3] == ("TOSSL", "ACME", "unauthorized")
    assert "-account_key has ended; give another key" in failure.message
    assert tcl.failure("create_account", directory, key, "").code[:3] == ("TOSSL", "ACME", "unauthorized")


@pytest.mark.parametrize(
    ("asked", "orders"), [(["newOrder"], [400, 201]), (["newOrder", "authorization", "finalize"], [400, 201])],
    ids=["once", "thrice"],
)  # fmt: skip
def test_a_key_that_another_changes_in_the_midst_of_an_issuance(
    tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, certificates: Certificates, tmp_path: Path,
    asked: list[str], orders: list[int],
) -> None:  # fmt: skip
    """The CA refuses what the old one signs from then on; the order is taken up with the new key, each time."""
    directory, store = calm_proxy.directory, str(tmp_path)
    options = {"directory": directory, "store": store, "port": calm_pebble.http_port}
    tcl.acme("obtain_certificate", ["first.example"], **options)
    keys = [tcl.acme("get_account_key", directory, store=store)]

    def change(exchange: actions.Exchange) -> None:
        keys.append(new_key())
        Tcl(str(certificates.ca_bundle)).acme("change_account_key", directory, keys[-2], keys[-1], store=store)
        exchange.send(exchange.deliver())

    for path in asked:
        calm_proxy.fault(change, path=path)
    got = tcl.dict("obtain_certificate", ["second.example"], **options)
    assert (got["domains"], got["warnings"]) == ("second.example", "")
    assert tcl.acme("get_account_key", directory, store=store) == keys[-1]
    assert len(keys) == 1 + len(asked)
    assert [seen.status for seen in calm_proxy.seen("newOrder")][1:] == orders


def test_a_key_without_an_account_has_none(tcl: Tcl, calm_pebble: Pebble) -> None:
    """RFC 8555 section 7.3.1: looking does not create one."""
    key = new_key()
    for _ in range(2):
        failure = tcl.failure("get_account", calm_pebble.directory, key)
        assert failure.code == ("TOSSL", "ACME", "accountDoesNotExist", "400")
        assert failure.details["problem"].startswith("type urn:ietf:params:acme:error:accountDoesNotExist")


def test_an_account_is_looked_for_by_only_return_existing(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 section 7.3.1."""
    assert tcl.failure("get_account", scripted_ca.directory, new_key()).code[2] == "accountDoesNotExist"
    assert scripted_ca.payloads("new-account") == [{"onlyReturnExisting": True}]


# terms of service


def test_terms_are_agreed_to_and_can_be_refused(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """RFC 8555 section 7.3: sends true or nothing; the error without agreement has the URL of the terms."""
    scripted_ca.script.terms = "https://ca.example/terms"
    key = new_key()
    failure = tcl.failure("create_account", scripted_ca.directory, key, "", agree_tos=0)
    assert failure.code == ("TOSSL", "VALUE", "agree_tos")
    assert "https://ca.example/terms" in failure.message
    assert scripted_ca.payloads("new-account") == [{"onlyReturnExisting": True}]
    meta = tcl.as_dict(tcl.dict("directory", scripted_ca.directory)["meta"])
    assert meta["termsOfService"] == "https://ca.example/terms"
    tcl.acme("create_account", scripted_ca.directory, key, "", agree_tos=1)
    assert scripted_ca.payloads("new-account")[1:] == [{"termsOfServiceAgreed": True}]
    # What is there already needs no agreement.
    tcl.acme("create_account", f"{scripted_ca.directory}?fresh", key, "", agree_tos=0)
    assert scripted_ca.payloads("new-account")[2:] == [{"onlyReturnExisting": True}]


def test_a_ca_without_terms_is_told_of_no_agreement(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """With -agree_tos 0."""
    tcl.acme("create_account", scripted_ca.directory, new_key(), "", agree_tos=0)
    assert scripted_ca.payloads("new-account") == [{}]


def test_new_terms_send_a_person_to_the_ca(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """RFC 8555 section 7.3.3: the instance URL in the message, it and the terms' URL in the return options."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    body = (
        '{"type":"urn:ietf:params:acme:error:userActionRequired","detail":"Terms have changed",'
        '"instance":"https://ca.example/agree/1"}'
    )
    link = {"Link": '<https://ca.example/terms/2>;rel="terms-of-service"'}
    calm_proxy.fault(actions.answer(403, body, "application/problem+json", link), path="newOrder")
    failure = tcl.failure("create_order", calm_proxy.directory, key, ["terms.example"])
    assert "Terms have changed; visit https://ca.example/agree/1" in failure.message
    assert failure.code == ("TOSSL", "ACME", "userActionRequired", "403")
    assert failure.details["instance"] == "https://ca.example/agree/1"
    assert failure.details["terms_of_service"] == "https://ca.example/terms/2"


# external account binding


@pytest.fixture(scope="module")
def bound_pebble(certificates: Certificates) -> Iterator[Pebble]:
    """A CA that takes bound accounts only."""
    with Pebble(certificates=certificates, eab={"kid-1": new_eab_key()}, nonce_reject=0) as server:
        yield server


def test_an_account_is_bound_to_one_at_the_ca(tcl: Tcl, bound_pebble: Pebble) -> None:
    """RFC 8555 section 7.3.4, on a real CA; the account then needs its binding no more."""
    key, secret = new_key(), bound_pebble.eab["kid-1"]
    created = tcl.acme("create_account", bound_pebble.directory, key, "", eab_kid="kid-1", eab_hmac_key=secret)
    assert created == "Account created successfully"
    assert tcl.acme("create_order", bound_pebble.directory, key, ["bound.example"]) == "Order created successfully"


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_a_binding_takes_every_mac(tcl: Tcl, scripted_ca: ScriptedCa, alg: str) -> None:
    """-eab_alg; the payload is the account's public key, the url that of newAccount."""
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "", eab_kid="k", eab_hmac_key="c2VjcmV0", eab_alg=alg)
    looked, sent = scripted_ca.payloads("new-account")
    assert looked == {"onlyReturnExisting": True}
    binding = sent["externalAccountBinding"]
    url = scripted_ca.signed[0].header["url"]
    assert _json(binding["protected"]) == {"alg": alg, "kid": "k", "url": url}
    assert _json(binding["payload"]) == AccountKey.from_pem(key).jwk


def test_a_wrong_binding_is_the_cas_error(tcl: Tcl, bound_pebble: Pebble) -> None:
    """And the MAC key is in no message."""
    secret = new_eab_key()
    failure = tcl.failure("create_account", bound_pebble.directory, new_key(), "", eab_kid="kid-1", eab_hmac_key=secret)
    assert failure.code[:2] == ("TOSSL", "ACME")
    assert secret not in repr(failure)


def test_what_the_directory_wants_is_checked_before_the_account_is_asked_for(tcl: Tcl, bound_pebble: Pebble) -> None:
    """externalAccountRequired in its meta."""
    failure = tcl.failure("create_account", bound_pebble.directory, new_key(), "")
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")
    assert "external account binding" in failure.message


@pytest.mark.parametrize("name", ["zerossl", "google", "google-staging", "sslcom", "https://acme.zerossl.com/v2/DV90"])
def test_what_a_known_ca_wants_is_checked_before_its_directory(tcl: Tcl, name: str) -> None:
    """For a key that is made here, which can have no account: there is no way to any of these CAs from here."""
    tcl_here = {"proxy": "http://127.0.0.1:9"}
    failure = tcl.failure("obtain_certificate", ["a.example"], directory=name, port=5002, store="", **tcl_here)
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")


def test_the_same_script_a_second_time_needs_its_binding_no_more(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """A CA's binding may be good for one account: the account is looked for first, by every process anew."""
    scripted_ca.script = Script(eab_required=True, eab_once=True, challenges=("dns-persist-01",), order="ready")
    key, other = new_key(), new_key()
    bound = {"eab_kid": "k", "eab_hmac_key": "c2VjcmV0"}
    for run in range(3):
        directory = f"{scripted_ca.directory}?{run}"
        created = tcl.acme("create_account", directory, key, "a@example.com", **bound)
        assert created == "Account created successfully"
        options = {"directory": directory, "account_key": key, "email": "a@example.com", "store": "", **bound}
        tcl.acme("obtain_certificate", ["a.example"], challenge="dns-persist-01", propagation_timeout=0, **options)
    sent = scripted_ca.payloads("new-account")
    assert ["externalAccountBinding" in payload for payload in sent] == [False, True, False, False]
    # Another key cannot use it: the CA says so, in its own words.
    failure = tcl.failure("create_account", scripted_ca.directory, other, "", **bound)
    assert failure.code == ("TOSSL", "ACME", "unauthorized", "403")
    assert failure.message == "Account creation failed: the binding has been used [unauthorized]"


@pytest.mark.parametrize("command", ["create_account", "obtain_certificate"])
def test_a_known_key_needs_no_binding(tcl: Tcl, scripted_ca: ScriptedCa, command: str) -> None:
    """Whichever command has it; an unknown one is refused by name before newAccount creates anything."""
    scripted_ca.script = Script(eab_required=True, challenges=("dns-persist-01",), order="ready")
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "", eab_kid="k", eab_hmac_key="c2VjcmV0")

    def run(key: str) -> str | Failure:
        directory = f"{scripted_ca.directory}?{command}"
        if command == "create_account":
            return tcl.try_acme(command, directory, key, "")
        options = {
            "directory": directory,
            "account_key": key,
            "challenge": "dns-persist-01",
            "propagation_timeout": 0,
            "store": "",
        }
        return tcl.try_acme(command, ["a.example"], **options)

    assert isinstance(run(key), str)
    refused = run(new_key())
    assert isinstance(refused, Failure)
    assert refused.code == ("TOSSL", "VALUE", "eab_kid")
    assert sum(payload != {"onlyReturnExisting": True} for payload in scripted_ca.payloads("new-account")) == 1


def test_a_ca_without_bindings_is_asked_once(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """No look goes before newAccount where nothing wants one."""
    tcl.acme("create_account", scripted_ca.directory, new_key(), "")
    assert scripted_ca.payloads("new-account") == [{"termsOfServiceAgreed": True}]


@pytest.mark.parametrize(("shown", "asked"), [(None, 0), ([], 1), (["mailto:old@example.com"], 1)])
def test_a_ca_that_shows_no_contacts_is_not_asked_to_change_them(
    tcl: Tcl, scripted_ca: ScriptedCa, shown: list[str] | None, asked: int
) -> None:
    """Let's Encrypt keeps none."""
    key = new_key()
    url = tcl.dict("create_account", scripted_ca.directory, key, "", return_details=1)["url"]
    scripted_ca.objects[url].pop("contact")
    scripted_ca.objects[url] |= {} if shown is None else {"contact": shown}
    for _ in range(2):
        tcl.acme("create_account", scripted_ca.directory, key, "new@example.com")
    changes = [payload for payload in scripted_ca.payloads("account") if payload]
    assert changes == [{"contact": ["mailto:new@example.com"]}] * asked


def test_a_known_account_obtains_without_its_binding(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """The key is looked up before a binding is missed."""
    scripted_ca.script = Script(eab_required=True, challenges=("dns-persist-01",), order="ready")
    key = new_key()
    options = {
        "directory": scripted_ca.directory,
        "account_key": key,
        "challenge": "dns-persist-01",
        "propagation_timeout": 0,
        "store": "",
    }
    failure = tcl.failure("obtain_certificate", ["a.example"], **options)
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")
    tcl.acme("create_account", scripted_ca.directory, key, "", eab_kid="k", eab_hmac_key="c2VjcmV0")
    assert tcl.dict("obtain_certificate", ["a.example"], **options)["domains"] == "a.example"


@pytest.mark.parametrize("command", ["create_order", "get_account", "list_orders"])
def test_a_binding_for_each_look_up(tcl: Tcl, scripted_ca: ScriptedCa, command: str) -> None:
    """Some CAs want one with every newAccount: it can be given with every command, and is sent only where they do."""
    scripted_ca.script = Script(eab_required=True, eab_always=True)
    directory, key = scripted_ca.directory, new_key()
    binding = {"eab_kid": "kid-1\n", "eab_hmac_key": "c2VjcmV0\n"}  # as read from files
    words: list[object] = [["a.example"]] if command == "create_order" else []
    tcl.acme("create_account", directory, key, "", **binding)
    bound = [payload["externalAccountBinding"] for payload in scripted_ca.payloads("new-account")[-1:]]
    assert json.loads(b64url_bytes(bound[0]["protected"]))["kid"] == "kid-1"
    tcl.acme(command, directory, key, *words)
    clients.reset()
    failure = tcl.failure(command, directory, key, *words)
    assert failure.code == ("TOSSL", "ACME", "externalAccountRequired", "403")
    assert "-eab_kid" in failure.message
    tcl.acme(command, directory, key, *words, **binding)
    assert {*scripted_ca.payloads("new-account")[-1]} == {"onlyReturnExisting", "externalAccountBinding"}
    scripted_ca.script.eab_always = False
    clients.reset()
    tcl.acme(command, directory, key, *words, **binding)
    assert scripted_ca.payloads("new-account")[-1] == {"onlyReturnExisting": True}


@pytest.mark.parametrize("command", ["create_order", "get_account", "list_orders", "create_account"])
def test_an_account_in_the_default_store_is_not_looked_up(tcl: Tcl, scripted_ca: ScriptedCa, command: str) -> None:
    """A CA that wants a binding with every newAccount is not asked: the store keeps the URL of its key's account."""
    scripted_ca.script = Script(eab_required=True, eab_always=True)
    directory = scripted_ca.directory
    key = tcl.acme("get_account_key", directory, generate=1)
    words: list[object] = {"create_order": [["a.example"]], "create_account": [""]}.get(command, [])
    tcl.acme("create_account", directory, key, "", eab_kid="k", eab_hmac_key="c2VjcmV0")
    asked = len(scripted_ca.payloads("new-account"))
    clients.reset()
    tcl.acme(command, directory, key, *words)
    assert len(scripted_ca.payloads("new-account")) == asked
    other = tcl.failure(command, directory, new_key(), *words)
    assert other.code[1:] in (("ACME", "externalAccountRequired", "403"), ("VALUE", "eab_kid"))


@pytest.mark.parametrize("command", ["create_order", "get_account", "create_account"])
def test_an_account_in_the_store_that_the_ca_has_lost_is_looked_up(
    tcl: Tcl, scripted_ca: ScriptedCa, command: str
) -> None:
    """The key may have another one."""
    directory = scripted_ca.directory
    key = tcl.acme("get_account_key", directory, generate=1)
    words: list[object] = {"create_order": [["a.example"]], "create_account": [""]}.get(command, [])
    tcl.acme("create_account", directory, key, "")
    store = Path(os.environ["TOSSL_HOME"])
    (kept,) = (path.resolve() for path in store.glob("accounts/*/account.json"))
    kept.write_text(json.dumps(json.loads(kept.read_text()) | {"url": f"{scripted_ca.directory}/lost"}))
    clients.reset()
    tcl.acme(command, directory, key, *words)


def test_a_store_that_another_process_changes_is_not_waited_for_long(
    tcl: Tcl, scripted_ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is known of an account can be asked for again: the call's time is for the certificate."""
    scripted_ca.script.authorization = "valid"
    monkeypatch.setattr(accounts, "KEEP_SECONDS", 0.1)
    directory, store = scripted_ca.directory, os.environ["TOSSL_HOME"]
    tcl.acme("get_account_key", directory, generate=1)
    (path,) = Path(store).glob("accounts/*/.lock")
    with path.open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = tcl.dict("obtain_certificate", ["a.example"], directory=directory, port=0, timeout=20)
    assert made["issued"] == "1"


def test_a_ca_that_wants_a_binding_and_does_not_say_so(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """Its directory has no externalAccountRequired: the error names the options."""
    scripted_ca.script.eab_always = True
    failure = tcl.failure("create_account", scripted_ca.directory, new_key(), "")
    assert failure.code == ("TOSSL", "ACME", "externalAccountRequired", "403")
    assert "-eab_kid" in failure.message


def test_a_known_account_is_asked_for_at_its_own_url(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    """A renewal in a new process needs no binding, also where its contacts are others."""
    scripted_ca.script = Script(eab_required=True, eab_always=True)
    options = {"directory": scripted_ca.directory, "store": str(tmp_path), "port": 0}
    tcl.acme("obtain_certificate", ["a.example"], **options, eab_kid="k", eab_hmac_key="c2VjcmV0")
    made = len(scripted_ca.payloads("new-account"))
    for email in ("", "new@example.com"):
        clients.reset()
        tcl.acme("obtain_certificate", ["a.example"], **options, email=email, force=1)
    assert len(scripted_ca.payloads("new-account")) == made


@pytest.mark.parametrize(
    "kid", ["two\nlines", "a\u200bb", "a b", "k\u00fc"], ids=["lines", "invisible", "space", "not ASCII"]
)
def test_a_kid_that_is_none_is_refused(tcl: Tcl, scripted_ca: ScriptedCa, kid: str) -> None:
    """RFC 8555 section 7.3.4."""
    failure = tcl.failure("create_account", scripted_ca.directory, new_key(), "", eab_kid=kid, eab_hmac_key="c2Vj")
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")


def test_a_contact_that_the_ca_does_not_take_is_left_out(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    """And told; the account is made, and changed, with the rest."""
    scripted_ca.script.mail_alone = True
    key, contact = new_key(), ["https://example.com/contact", "b@example.com"]
    words = (scripted_ca.directory, key, "a@example.com")
    account = tcl.dict("create_account", *words, contact, return_details=1)
    assert account["contact"] == "mailto:a@example.com mailto:b@example.com"
    clients.reset()
    assert tcl.dict("create_account", *words, contact, return_details=1)["contact"] == account["contact"]
    assert tcl.dict("update_account", *words, contact[:1])["contact"] == "mailto:a@example.com"
    scripted_ca.script.mail_alone = False
    assert "https:" in tcl.dict("update_account", *words, contact[:1])["contact"]


@pytest.mark.parametrize("option", ["csr", "private_key", "account_key"])
@pytest.mark.parametrize("content", ["", "\n"], ids=["empty", "newline"])
def test_an_empty_file_is_no_value(tcl: Tcl, scripted_ca: ScriptedCa, option: str, content: str) -> None:
    """Read by the script or by its name: no other key is made in its place."""
    options = {"directory": scripted_ca.directory, "store": "", "port": 0}
    failure = tcl.failure("obtain_certificate", ["a.example"], **options, **{option: content})
    assert failure.code == ("TOSSL", "VALUE", option)
    assert f"-{option} is empty" in failure.message
    if option != "account_key":
        words = (scripted_ca.directory, new_key(), f"{scripted_ca.tls_origin}/order/1")
        failure = tcl.failure("finalize_order", *words, **{option: content})
        assert failure.code == ("TOSSL", "VALUE", option)
    assert not scripted_ca.signed


# the list of orders


def test_orders_are_listed_over_all_pages(tcl: Tcl, calm_proxy: FaultProxy) -> None:
    """RFC 8555 section 7.1.2.1; three to a page on this CA."""
    key = new_key()
    tcl.acme("create_account", calm_proxy.directory, key, "")
    urls = [
        tcl.dict("create_order", calm_proxy.directory, key, [f"o{number}.example"], return_details=1)["url"]
        for number in range(7)
    ]
    calm_proxy.clear()
    assert sorted(tcl.as_list(tcl.acme("list_orders", calm_proxy.directory, key))) == sorted(urls)
    assert len(calm_proxy.seen("orders")) == 3
    calm_proxy.clear()
    assert len(tcl.as_list(tcl.acme("list_orders", calm_proxy.directory, key, limit=2))) == 2
    assert len(calm_proxy.seen("orders")) == 1


def test_a_list_that_goes_round_in_circles_ends(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """A page is read once."""
    key = new_key()
    account = tcl.dict("create_account", scripted_ca.directory, key, "", return_details=1)
    scripted_ca.script.headers = {"Link": f'<{account["orders"]}>;rel="next"'}
    assert tcl.acme("list_orders", scripted_ca.directory, key) == ""
    assert len(scripted_ca.payloads("account")) == 2


def test_a_ca_without_such_a_list_is_told_apart(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """As many CAs are."""
    scripted_ca.script.sparse = True
    key = new_key()
    tcl.acme("create_account", scripted_ca.directory, key, "")
    failure = tcl.failure("list_orders", scripted_ca.directory, key)
    assert failure.code == ("TOSSL", "ACME", "notOffered", "0")


def _json(text: str) -> object:
    import json

    return json.loads(b64url_bytes(text))
