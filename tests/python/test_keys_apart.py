"""Keys have one use (RFC 8555 section 11.1): an account at one CA, or a certificate."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pem import write_block
from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import LookAlike, Reply, Request
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme.acme import clients, known_keys
from tossl_acme.acme.clients import account_key_of
from tossl_acme.acme.known_keys import check_account_key, know_account_key
from tossl_acme.acme.public_cas import directory_url
from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key

HERE = "https://ca.example/directory"


@pytest.fixture(autouse=True)
def _nothing_known() -> Iterator[None]:
    known_keys.reset()
    yield
    known_keys.reset()
    clients.reset()


@pytest.fixture
def ca(scripted_ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch) -> ScriptedCa:
    """A CA that counts as one of the internet."""
    monkeypatch.setattr(known_keys, "is_local", lambda _host: False)
    scripted_ca.script.order = "ready"
    scripted_ca.script.authorization = "valid"
    return scripted_ca


class Mirror(LookAlike):
    """Has the directory of another CA as its own."""

    def __init__(self, certificates: Certificates, ca: ScriptedCa) -> None:
        self._ca = ca
        super().__init__(certificates)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        resources = {"newNonce": "nonce", "newAccount": "new-account", "newOrder": "new-order"}
        urls = {name: f"{self._ca.tls_origin}/{path}" for name, path in resources.items()}
        return Reply(200, json.dumps(urls).encode())


@pytest.mark.parametrize("command", ["create_order", "create_account", "get_account", "obtain_certificate"])
def test_a_directory_that_mirrors_another_cas(
    tcl: Tcl, ca: ScriptedCa, certificates: Certificates, command: str
) -> None:
    """Nothing is ordered in the account that the key has at the other one."""
    words: dict[str, list[object]] = {"create_order": [["a.example"]], "create_account": [""]}
    key = tcl.acme("get_account_key", ca.directory, generate=1)
    tcl.acme("create_account", ca.directory, key, "")
    for is_new in (False, True):
        if is_new:  # the default store knows it
            known_keys.reset()
            clients.reset()
        with Mirror(certificates, ca) as mirror:
            url = mirror.tls_origin.replace("127.0.0.1", "localhost")
            if command == "obtain_certificate":
                options = {"directory": url, "account_key": key, "port": 0, "shared_key": 1}
                failure = tcl.failure(command, ["a.example"], **options)
            else:
                failure = tcl.failure(command, url, key, *words.get(command, []))
        assert failure.code == ("TOSSL", "HTTP", "malformed")
        assert "leads to the account that this key has at another CA" in failure.message
    assert not ca.payloads("new-order")


@pytest.mark.parametrize(
    ("one", "other", "is_refused"),
    [
        (HERE, "https://other.example/directory", True),
        (HERE, "https://ca.example:8443/other", False),
        (HERE, "https://127.0.0.1:14000/dir", False),
        ("https://localhost:14000/dir", HERE, False),
        (HERE, "https://10.1.2.3/dir", False),
        (HERE, "https://[fd00::1]/dir", False),
        (HERE, "https://8.8.8.8/dir", True),
        (directory_url("letsencrypt"), directory_url("letsencrypt-staging"), False),
        (directory_url("google"), directory_url("google-staging"), False),
        (directory_url("letsencrypt"), directory_url("zerossl"), True),
    ],
)
def test_what_counts_as_another_ca(one: str, other: str, is_refused: bool) -> None:
    key = b"key"
    know_account_key(key, one)
    if is_refused:
        with pytest.raises(ArgumentError, match="-shared_key 1"):
            check_account_key(key, other)
    else:
        check_account_key(key, other)


def test_a_key_of_another_ca_gets_no_account(tcl: Tcl, ca: ScriptedCa) -> None:
    """Nothing but a look for an account is sent; -shared_key allows it, and an account that exists is used."""
    key = new_key()
    know_account_key(account_key_of(key).spki, HERE)
    refused = tcl.failure("create_account", ca.directory, key, "a@example.com")
    assert refused.code == ("TOSSL", "VALUE", "account_key")
    assert "ca.example" in refused.message
    assert [payload.get("onlyReturnExisting") for payload in ca.payloads("new-account")] == [True]
    tcl.acme("create_account", ca.directory, key, "a@example.com", shared_key=1)
    tcl.acme("create_account", ca.directory, key, "a@example.com")
    clients.reset()
    tcl.acme("get_account", ca.directory, key)
    tcl.acme("create_account", ca.directory, key, "a@example.com")


def test_keys_of_the_store_are_known(tcl: Tcl, ca: ScriptedCa, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To commands with -store, and those of the default one to commands without: accounts' and certificates'."""
    store = tmp_path / "store"
    options = {"directory": ca.directory, "webroot": tmp_path, "store": store}
    kept = tcl.dict("obtain_certificate", ["a.example.com"], **options)
    (account_key,) = (store / "accounts").glob("*/key.pem")
    known_keys.reset()
    clients.reset()
    monkeypatch.setenv("TOSSL_STORE", str(store))
    certified = tcl.failure("create_account", ca.directory, kept["private_key"], "a@example.com")
    assert certified.code == ("TOSSL", "VALUE", "account_key")
    assert "certificate's key" in certified.message
    known_keys.reset()
    of_account = {"private_key": account_key.read_text(), "account_key": new_key(), "directory": ca.directory}
    refused = tcl.try_acme("obtain_certificate", ["b.example.com"], **(options | of_account))
    assert isinstance(refused, Failure)
    assert refused.code == ("TOSSL", "VALUE", "private_key")
    assert "key of an account at 127.0.0.1" in refused.message
    orders = len(ca.payloads("new-order"))
    assert orders == 1
    tcl.dict("obtain_certificate", ["b.example.com"], shared_key=1, **(options | of_account))


def test_a_rollover_to_a_key_with_another_use(tcl: Tcl, ca: ScriptedCa) -> None:
    """A certificate's key, and one of an account at another CA."""
    old, new, certified = new_key(), new_key(), new_key()
    tcl.acme("create_account", ca.directory, old, "a@example.com")
    know_account_key(account_key_of(new).spki, HERE)
    known_keys.know_certificate_key(account_key_of(certified).spki)
    for key in (new, certified):
        refused = tcl.failure("change_account_key", ca.directory, old, key, store="")
        assert refused.code == ("TOSSL", "VALUE", "new_key")
    assert not ca.payloads("key-change")


def test_a_request_with_the_key_of_another_account(tcl: Tcl, ca: ScriptedCa) -> None:
    """In finalize_order: refused before it is sent."""
    key, other = new_key(), new_key()
    tcl.acme("create_account", ca.directory, other, "a@example.com")
    tcl.acme("create_account", ca.directory, key, "a@example.com")
    order = tcl.dict("create_order", ca.directory, key, ["a.example.com"], return_details=1)
    refused = tcl.failure("finalize_order", ca.directory, key, order["url"], private_key=other)
    assert refused.code == ("TOSSL", "VALUE", "private_key")
    assert not ca.payloads("finalize")
    tcl.acme("finalize_order", ca.directory, key, order["url"], private_key=other, shared_key=1)


def test_a_request_of_the_users_with_the_key_of_another_account(tcl: Tcl, ca: ScriptedCa) -> None:
    """-csr: the key in it is looked at before an order is placed."""
    other = new_key()
    know_account_key(account_key_of(other).spki, HERE)
    csr = write_block(
        "CERTIFICATE REQUEST", csr_for(load_private_key(other), parse_identifiers(["a.example.com"])).der
    )
    refused = tcl.failure("obtain_certificate", ["a.example.com"], directory=ca.directory, csr=csr, store="", port=0)
    assert refused.code == ("TOSSL", "VALUE", "csr")
    assert not ca.payloads("new-order")


def test_each_account_has_a_fresh_key(tcl: Tcl, ca: ScriptedCa, certificates: Certificates, tmp_path: Path) -> None:
    """Where no key is given: at each CA another one, in one store, and none of a certificate."""
    with ScriptedCa(certificates) as second:
        second.script.order = "ready"
        for number, directory in enumerate((ca.directory, second.directory)):
            options = {"directory": directory, "store": tmp_path, "port": 0, "name": f"n{number}"}
            tcl.acme("obtain_certificate", [f"n{number}.example.com"], **options)
    keys = [path.read_text() for path in tmp_path.glob("accounts/*/key.pem")]
    keys += [path.read_text() for path in tmp_path.glob("certificates/n?/privkey.pem")]
    assert len(keys) == len(set(keys)) == 4
