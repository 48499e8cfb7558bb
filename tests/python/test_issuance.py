"""What a certificate is asked with is plain data: it comes back from JSON as it was, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pem import write_block
from tests.tclhost import new_key
from tossl_acme.acme.account import ExternalAccountBinding, NewAccount
from tossl_acme.acme.order import OrderOptions
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.errors import ArgumentError, KeyFormatError
from tossl_acme.files import FilePath
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key, public_der
from tossl_acme.text import Secret

KEY = new_key()
NAMES = parse_identifiers(["a.example", "*.b.example", "192.0.2.1"])
DIRECTORY = "https://ca.example/directory"
SECRETS = {"TOSSL_TEST_HMAC": "aG1hYw", "TOSSL_TEST_TOKEN": "dns-token"}


@pytest.fixture
def full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Issuance:
    """Every option is given, and every secret by reference."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "account.pem"
    file.write_text(KEY)
    (tmp_path / "leaf.pem").write_text(KEY)
    provider = ProviderOptions(
        "generic",
        {"api_key": Secret("dns-token", env="TOSSL_TEST_TOKEN")},
        "zone",
        "https://dns.example/",
        ConnectionOptions(proxy="http://proxy.example:3128"),
    )
    return Issuance(
        NAMES,
        DIRECTORY,
        NewAccount(
            ("mailto:a@example.com",), True, ExternalAccountBinding("kid", Secret("aG1hYw", env="TOSSL_TEST_HMAC"))
        ),
        Secret(KEY.removesuffix("\n"), file=str(file)),
        CertificateKey("rsa", Secret(KEY.removesuffix("\n"), file=str(tmp_path / "leaf.pem"))),
        OrderOptions("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z", "shortlived", "abc.def"),
        SolverOptions(
            ("dns-01", "http-01"), FilePath("/srv/\xfc", "/srv/ue"), 8080, 8443, provider, ("192.0.2.53",), 90.5
        ),
        "Root",
        ConnectionOptions(FilePath("/etc/ca.pem"), "http://proxy.example:3128"),
    )


def kept(issuance: Issuance) -> str:
    return json.dumps(issuance.as_json())


def test_everything_comes_back(full: Issuance) -> None:
    again = Issuance.from_json(json.loads(kept(full)))
    assert again == full
    assert again.solvers.webroot is not None
    assert again.solvers.webroot.word == "/srv/ue"
    assert again.is_renewable


@pytest.mark.parametrize("key", [CertificateKey(), CertificateKey("ec384")])
def test_what_is_not_given_comes_back(key: CertificateKey) -> None:
    plain = Issuance(NAMES, DIRECTORY, key=key)
    assert Issuance.from_json(json.loads(kept(plain))) == plain
    assert plain.is_renewable


def test_secrets_stay_where_they_are(full: Issuance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their references are kept alone, and are read anew."""
    text = kept(full)
    for secret in (*SECRETS.values(), *KEY.splitlines()[1:-1]):
        assert secret not in text
        assert secret not in repr(full)
    monkeypatch.setenv("TOSSL_TEST_TOKEN", "another")
    provider = Issuance.from_json(json.loads(text)).solvers.provider
    assert provider is not None
    assert provider.credentials["api_key"].value == "another"


@pytest.mark.parametrize("gone", ["variable", "file"])
def test_a_secret_that_is_gone_is_named(full: Issuance, monkeypatch: pytest.MonkeyPatch, gone: str) -> None:
    data = json.loads(kept(full))
    if gone == "variable":
        monkeypatch.delenv("TOSSL_TEST_TOKEN")
    else:
        assert full.account_key is not None
        Path(full.account_key.file).unlink()
    with pytest.raises(ArgumentError, match="TOSSL_TEST_TOKEN" if gone == "variable" else "account.pem") as raised:
        Issuance.from_json(data)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "store")


@pytest.mark.parametrize(
    "literal",
    [
        {"account_key": Secret(KEY)},
        {"key": CertificateKey(private_key=Secret(KEY))},
        {"account": NewAccount(binding=ExternalAccountBinding("kid", Secret("aG1hYw")))},
        {"solvers": SolverOptions(provider=ProviderOptions("cloudflare", {"api_key": Secret("a-dns-token")}))},
        {"connection": ConnectionOptions(proxy="http://user:pass-word@proxy.example:3128")},
    ],
    ids=["account key", "certificate's key", "binding", "provider", "proxy"],
)
def test_a_literal_secret_is_marked_and_not_written(literal: dict[str, Any]) -> None:
    """Nobody can ask with it once more."""
    issuance = Issuance(NAMES, DIRECTORY, **literal)
    assert not issuance.is_renewable
    text = kept(issuance)
    assert '{"literal": true}' in text
    assert not any(secret in text for secret in ("a-dns-token", "aG1hYw", "PRIVATE KEY", "pass-word"))
    with pytest.raises(ArgumentError, match="not stored"):
        Issuance.from_json(json.loads(text))


@pytest.mark.parametrize(
    "data",
    [None, 7, [], {}, {"format": 2}, {"format": 1}, {"format": 1, "identifiers": 7, "directory": DIRECTORY},
     {"format": 1, "identifiers": [7], "directory": DIRECTORY}, {"format": 1, "identifiers": [], "directory": 7},
     {"format": 1, "identifiers": [], "directory": DIRECTORY, "more": 1},
     {"format": 1, "identifiers": [], "directory": DIRECTORY, "solvers": {"port": "x"}},
     {"format": 1, "identifiers": [], "directory": DIRECTORY, "account_key": {}},
     {"format": 1, "identifiers": [], "directory": DIRECTORY, "account_key": 7}],
    ids=range(13),
)  # fmt: skip
def test_what_is_no_issuance_is_refused(data: object) -> None:
    """A damaged or foreign record is an error of the store."""
    with pytest.raises(ArgumentError) as raised:
        Issuance.from_json(data)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "store")


@pytest.mark.parametrize("value", [[], "", 7, [[]], "\ud800", 10**400], ids=ascii)
def test_a_value_of_another_type_is_refused(value: object) -> None:
    """Whichever option it stands for."""
    data = Issuance(NAMES, DIRECTORY).as_json()
    fitting = {
        "identifiers": [[], ""],
        "fallbacks": [[]],
        "deploy_timeout": [7],
        "preferred_chain": [""],
        "deploy_command": [""],
        "directory": [""],
    }
    for option in data:
        if option != "format" and value not in fitting.get(option, []):
            with pytest.raises(ArgumentError) as raised:
                Issuance.from_json({**data, option: value})
            assert raised.value.errorcode == ("TOSSL", "VALUE", "store")


def test_half_of_a_character_is_refused_before_it_is_kept() -> None:
    with pytest.raises(ArgumentError, match="half of a character") as raised:
        Issuance(NAMES, DIRECTORY, preferred_chain="Root \ud800").as_json()
    assert raised.value.errorcode == ("TOSSL", "VALUE", "preferred_chain")


def test_an_option_that_came_later_has_its_default() -> None:
    data = Issuance(NAMES, DIRECTORY).as_json()
    del data["preferred_chain"], data["connection"]["proxy"]
    assert Issuance.from_json(data) == Issuance(NAMES, DIRECTORY)


# ---- the key ----


def test_the_key_of_an_attempt_serves_again() -> None:
    """If it is of the type asked for."""
    wanted = CertificateKey("ec")
    assert wanted.request(NAMES, KEY).public_key == public_der(load_private_key(KEY))
    for left_over in ("", "damaged", new_key("ec", 384), new_key("rsa")):
        request = wanted.request(NAMES, left_over)
        assert request.private_key not in ("", left_over)
    assert CertificateKey("ec", Secret(KEY)).request(NAMES, new_key()).private_key == KEY


def test_keys_that_contradict_each_other_are_refused() -> None:
    csr = write_block("CERTIFICATE REQUEST", csr_for(load_private_key(KEY), NAMES).der)
    with pytest.raises(ArgumentError, match="give either -csr or -private_key"):
        CertificateKey("ec", Secret(KEY), csr)
    with pytest.raises(ArgumentError, match="not one of ec"):
        CertificateKey("dsa")
    with pytest.raises(KeyFormatError):
        CertificateKey("ec", Secret("no key"))
    assert CertificateKey(csr=csr).identifiers([]) == NAMES
    with pytest.raises(ArgumentError, match=r"the CSR is for .*, the order for other\.example") as raised:
        CertificateKey(csr=csr).identifiers(["other.example"])
    assert raised.value.errorcode == ("TOSSL", "VALUE", "csr")
