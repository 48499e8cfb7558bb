"""Bad input: a Tcl error with its errorcode, before anything is sent, and with no secret in it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from tests.pem import write_block
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.issuer import Issuer
from tests.servers.pebble import Pebble
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme.acme.account import contact_urls
from tossl_acme.commands import PACKAGES
from tossl_acme.commands.groups import GROUPS
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key, private_pem, public_pem
from tossl_acme.tcl.command import Command, load_commands

COMMANDS = [
    command.function for name, command in load_commands(PACKAGES["tossl"]).items() if name.startswith("acme::")
]
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
SECRET = "c2VjcmV0LXRoYXQtbXVzdC1ub3QtYmUtc2hvd24"
PKCS8 = (Encoding.PEM, PrivateFormat.PKCS8)

BAD_KEYS = {
    "format": "not a key",
    "public": public_pem(ec.generate_private_key(ec.SECP256R1())),
    "encrypted": ec.generate_private_key(ec.SECP256R1())
    .private_bytes(*PKCS8, BestAvailableEncryption(b"secret"))
    .decode(),
    "weak": private_pem(rsa.generate_private_key(65537, 1024)),
    "type": private_pem(dsa.generate_private_key(1024)),
    "curve": private_pem(ec.generate_private_key(ec.SECP256K1())),
}
WITH_A_USER = ["https://operator:Ob5tr1ct@ca.example/1", "https://Ob5tr1ct@ca.example", "http://a:Ob5tr1ct@ca.example"]
BAD_DIRECTORIES = ["", "nobody", "http://ca.example/directory", "https://", "https:///dir", "https://a b/", "ftp://x/"]
BAD_TOKENS = ["", "a b", "../../etc/passwd", "a" * 256, "tok\u00e9n", "a.b"]
BAD_URLS = ["", "x", "/order/1", "http://ca.example/order/1", "https://", "https://ca.example/a b"]


def certificate(days: float = 6) -> str:
    request = csr_for(ec.generate_private_key(ec.SECP256R1()), parse_identifiers(["a.example"])).der
    return Issuer().issue(x509.load_der_x509_csr(request), days)[0]


GOOD: dict[str, object] = {
    "email": "a@example.com",
    "domains": ["a.example"],
    "domain": "a.example",
    "token": TOKEN,
    "provider": "generic",
    "api_key": SECRET,
    "record_name": "_acme-challenge.a.example",
    "certificate": certificate(),
    "account_key": new_key(),
    "new_key": new_key(),
    "path": "/",
}
#: Options without which a command looks at nothing else.
_NEEDED: dict[str, dict[str, object]] = {"dns_account01_challenge": {"account_url": "https://ca.example/account/1"}}


@pytest.fixture(scope="module")
def _proxy(calm_pebble: Pebble, certificates: Certificates) -> Iterator[FaultProxy]:
    with FaultProxy(calm_pebble.directory, certificates) as server:
        yield server


@pytest.fixture
def proxy(_proxy: FaultProxy) -> FaultProxy:
    """A CA that notices whether anything is sent to it."""
    _proxy.clear()
    return _proxy


def commands_with(parameter: str) -> list[str]:
    return [command.__name__ for command in COMMANDS if parameter in _arguments(command)]


def _arguments(command: Any) -> list[str]:
    """The names of the arguments that have to be given."""
    found = Command("acme", command, GROUPS).parameters.arguments
    return [argument.name for argument in found if argument.is_required]


def refused(tcl: Tcl, proxy: FaultProxy, name: str, options: dict[str, object] | None = None, **bad: object) -> Failure:
    """How the command fails with one bad argument among good ones; nothing was sent, and no secret is shown."""
    command = next(command for command in COMMANDS if command.__name__ == name)
    good = {**GOOD, "directory_url": proxy.directory}
    given = [bad.get(p, good.get(p, f"{proxy.url}/thing/1")) for p in _arguments(command)]
    options = {**_NEEDED.get(name, {}), **(options or {})}
    failure = tcl.failure(name, *given, **options)
    assert proxy.seen() == []
    told = repr(failure)
    for value in (*bad.values(), *options.values(), *GOOD.values()):
        text = str(value)
        if "PRIVATE KEY" in text or text == SECRET:
            assert text not in told
            assert not any(line in told for line in text.splitlines() if len(line) > 40)
    return failure


#: Commands that need no argument.
_ALONE = ("check_certificates", "list_certificates", "renew_certificates")
#: The command that a web server calls with what a request says: it takes any text.
_ASKED = "http01_response"


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS if command.__name__ not in _ALONE])
def test_missing_arguments_are_tcls_own_error(command: str) -> None:
    """With what the command takes."""
    failure = Tcl().failure(command)
    assert failure.message.startswith("wrong # args: should be ")
    assert f"tossl::acme::{command} " in failure.message
    assert failure.code == ("TCL", "WRONGARGS")


@pytest.mark.parametrize("command", [command.__name__ for command in COMMANDS if command.__name__ != _ASKED])
def test_an_unknown_option_is_named(tcl: Tcl, proxy: FaultProxy, command: str) -> None:
    """And those that there are."""
    failure = refused(tcl, proxy, command, {"nonsense": 1})
    assert failure.code == ("TOSSL", "VALUE", "nonsense")
    assert "must be -" in failure.message


@pytest.mark.parametrize("command", commands_with("directory_url"))
@pytest.mark.parametrize("directory", BAD_DIRECTORIES + WITH_A_USER)
def test_what_is_no_directory_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, directory: str) -> None:
    """Neither an https URL nor a CA's short name."""
    failure = refused(tcl, proxy, command, directory_url=directory)
    assert failure.code == ("TOSSL", "VALUE", "directory_url")
    assert "Ob5tr1ct" not in repr(failure)


def test_a_directory_that_has_no_key_is_shown_without_its_query(tcl: Tcl) -> None:
    """Which may be secret."""
    failure = tcl.failure("get_account_key", "https://ca.example/directory?key=Ob5tr1ct")
    assert failure.code == ("TOSSL", "VALUE", "store")
    assert failure.message == "no account key is stored for https://ca.example/directory"
    assert "Ob5tr1ct" not in repr(failure)


@pytest.mark.parametrize("kind", BAD_KEYS)
@pytest.mark.parametrize("command", commands_with("account_key"))
def test_what_is_no_account_key_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, kind: str) -> None:
    """Text, public, encrypted, weak, of a type or on a curve that no CA takes."""
    failure = refused(tcl, proxy, command, account_key=BAD_KEYS[kind])
    assert failure.code == ("TOSSL", "KEY", kind)
    assert failure.message.startswith("Invalid key format: ")


@pytest.mark.parametrize("argument", ["order_url", "authorization_url", "challenge_url", "certificate_url"])
@pytest.mark.parametrize("url", BAD_URLS + WITH_A_USER)
def test_what_is_no_url_of_an_object_is_refused(tcl: Tcl, proxy: FaultProxy, argument: str, url: str) -> None:
    """In every command that takes one."""
    commands = commands_with(argument)
    assert commands
    for command in commands:
        options: dict[str, object] = {"key": new_key()} if command == "finalize_order" else {}
        failure = refused(tcl, proxy, command, options, **{argument: url})
        assert failure.code == ("TOSSL", "VALUE", argument)
        assert "Ob5tr1ct" not in repr(failure)


@pytest.mark.parametrize("names", [[], [""], ["a b"], ["*"], ["a.*.b"], ["a" * 64 + ".b"], ["ok.example", "a..b"]])
@pytest.mark.parametrize("command", commands_with("domains"))
def test_what_is_no_name_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, names: list[str]) -> None:
    """Wherever names are given."""
    options: dict[str, object] = {"directory": proxy.directory} if command == "obtain_certificate" else {}
    failure = refused(tcl, proxy, command, options, domains=names)
    assert failure.code == ("TOSSL", "VALUE", "domains")
    assert failure.message.startswith("Failed to parse domains")


@pytest.mark.parametrize("command", [*commands_with("domains")])
def test_what_is_no_list_is_refused(tcl: Tcl, proxy: FaultProxy, command: str) -> None:
    """A malformed Tcl list."""
    failure = refused(tcl, proxy, command, domains="a.example {b.example")
    assert failure.code == ("TOSSL", "VALUE", "domains")
    assert failure.message.startswith("Failed to parse domains")


@pytest.mark.parametrize(
    "follows", ["MHcCAQ7xs3cret", '"MHcCAQ7xs3cret"', '" followed by "MHcCAQ7xs3cret', "-----BEGIN"]
)
def test_what_is_no_list_is_not_quoted(tcl: Tcl, proxy: FaultProxy, follows: str) -> None:
    """Tcl's own message is."""
    failure = refused(tcl, proxy, "create_order", domains="{a.example}" + follows)
    cause = "list element in braces followed by other characters instead of space"
    assert failure.message == f"Failed to parse domains: {cause}"
    assert "MHc" not in failure.info


@pytest.mark.parametrize("command", commands_with("domain"))
@pytest.mark.parametrize("name", ["", "a b", "*", "a..b", "a\nb"])
def test_what_is_no_single_name_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, name: str) -> None:
    """As in a list."""
    failure = refused(tcl, proxy, command, domain=name)
    assert failure.code == ("TOSSL", "VALUE", "domain")


@pytest.mark.parametrize("command", [name for name in commands_with("token") if name != _ASKED])
@pytest.mark.parametrize("token", BAD_TOKENS, ids=range(len(BAD_TOKENS)))
def test_what_is_no_token_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, token: str) -> None:
    """RFC 8555 section 8: base64url, before it becomes a path or a record."""
    assert refused(tcl, proxy, command, token=token).code == ("TOSSL", "VALUE", "token")


@pytest.mark.parametrize("token", BAD_TOKENS, ids=range(len(BAD_TOKENS)))
def test_a_request_with_no_token_has_an_empty_response(token: str) -> None:
    """Whatever its path: the web server answers with its 404."""
    assert Tcl().acme(_ASKED, token) == ""


def test_the_response_to_a_token_takes_the_store_alone() -> None:
    """What a request says is one word, and never an option."""
    failure = Tcl().failure(_ASKED, TOKEN, nonsense=1)
    assert (failure.message, failure.code[1:]) == ('unknown option "-nonsense": must be -store', ("VALUE", "nonsense"))


@pytest.mark.parametrize("command", commands_with("email"))
@pytest.mark.parametrize("email", ["x", "a@", "@b", "a b@c", "a@b,c@d", "a@b?subject=x", "a@b\n", "a@b@c"])
def test_what_is_no_address_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, email: str) -> None:
    """RFC 8555 section 7.3: one address, no header fields."""
    assert refused(tcl, proxy, command, email=email).code == ("TOSSL", "VALUE", "email")
    good = [proxy.directory, GOOD["account_key"], "a@example.com"]
    assert tcl.failure(command, *good, [f"mailto:{email}"]).code == ("TOSSL", "VALUE", "contact")


@pytest.mark.parametrize("address", ["a@example.com", "mailto:a@example.com", "MailTo:a@example.com"])
def test_an_address_may_have_its_scheme_in_any_case(address: str) -> None:
    assert contact_urls(address, [address]) == ("mailto:a@example.com",)


@pytest.mark.parametrize("command", commands_with("certificate"))
@pytest.mark.parametrize("text", ["", "x", new_key(), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_refused(tcl: Tcl, proxy: FaultProxy, command: str, text: str) -> None:
    """Also where it is a key."""
    assert refused(tcl, proxy, command, certificate=text).code == ("TOSSL", "VALUE", "certificate")


def test_an_expired_certificate_is_not_asked_about(tcl: Tcl, proxy: FaultProxy) -> None:
    """RFC 9773 section 4.3."""
    failure = refused(tcl, proxy, "renewal_info", certificate=certificate(-0.5))
    assert failure.code == ("TOSSL", "VALUE", "certificate")
    assert "has expired" in failure.message


OWN = {"directory": "https://127.0.0.1:9/directory", "store": "", "port": 0}


@pytest.mark.parametrize(
    ("command", "options", "code"),
    [
        ("create_account", {"eab_kid": "k"}, ("VALUE", "eab_hmac_key")),
        ("create_account", {"eab_hmac_key": SECRET}, ("VALUE", "eab_kid")),
        ("create_account", {"eab_kid": "k", "eab_hmac_key": f"{SECRET} !"}, ("VALUE", "eab_hmac_key")),
        ("create_account", {"eab_kid": "k", "eab_hmac_key": SECRET, "eab_alg": "none"}, ("VALUE", "eab_alg")),
        ("create_account", {"agree_tos": "perhaps"}, ("VALUE", "agree_tos")),
        ("list_orders", {"limit": 0}, ("VALUE", "limit")),
        ("list_orders", {"limit": "x"}, ("VALUE", "limit")),
        ("create_order", {"not_before": "soon"}, ("VALUE", "not_before")),
        ("create_order", {"not_after": "2026-01-01"}, ("VALUE", "not_after")),
        ("create_order", {"not_before": 20, "not_after": 10}, ("VALUE", "not_after")),
        ("create_order", {"replaces": "x"}, ("VALUE", "replaces")),
        ("create_order", {"replaces": "-----BEGIN CERTIFICATE-----"}, ("VALUE", "certificate")),
        ("revoke_certificate", {"reason": "boredom"}, ("VALUE", "reason")),
        ("revoke_certificate", {"reason": 7}, ("VALUE", "reason")),
        ("finalize_order", {}, ("VALUE", "private_key")),
        ("finalize_order", {"key": "x"}, ("KEY", "format")),
        ("finalize_order", {"csr": "x"}, ("VALUE", "csr")),
        ("finalize_order", {"csr": new_key()}, ("VALUE", "csr")),
        ("http01_challenge", {}, ("VALUE", "webroot")),
        ("http01_challenge", {"port": 70000}, ("VALUE", "port")),
        ("http01_challenge", {"webroot": "/nowhere"}, ("VALUE", "webroot")),
        ("tls_alpn01_challenge", {"port": 70000}, ("VALUE", "port")),
        ("tls_alpn01_challenge", {"port": "x"}, ("VALUE", "port")),
        ("dns_account01_challenge", {"account_url": ""}, ("VALUE", "account_url")),
        ("dns_account01_challenge", {"account_url": "http://x/1"}, ("VALUE", "account_url")),
        ("dns_persist01_record", {"issuer": "a b"}, ("VALUE", "issuer")),
        ("dns_persist01_record", {"persist_until": -1}, ("VALUE", "persist_until")),
        ("obtain_certificate", {}, ("VALUE", "directory")),
        ("obtain_certificate", {**OWN, "challenge": "smoke-01"}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": ["http-01", "smoke-01"]}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": ["http-01", "a.example"]}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": ["a.example"]}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": ["b.example", "http-01"]}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": ["a.example", "smoke-01"]}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": ["a.example", ""]}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": "{"}, ("VALUE", "challenge")),
        ("obtain_certificate", {**OWN, "challenge": "dns-01"}, ("VALUE", "provider")),
        ("obtain_certificate", {**OWN, "challenge": ["http-01", "dns-01"]}, ("VALUE", "provider")),
        ("obtain_certificate", {**OWN, "challenge": ["default", "dns-account-01"]}, ("VALUE", "provider")),
        ("obtain_certificate", {**OWN, "key_type": "quantum"}, ("VALUE", "key_type")),
        ("obtain_certificate", {**OWN, "private_key": "x"}, ("KEY", "format")),
        ("obtain_certificate", {**OWN, "private_key": BAD_KEYS["weak"]}, ("KEY", "weak")),
        ("obtain_certificate", {**OWN, "csr": "x"}, ("VALUE", "csr")),
        ("obtain_certificate", {**OWN, "email": "x"}, ("VALUE", "email")),
        ("obtain_certificate", {**OWN, "account_key": BAD_KEYS["public"]}, ("KEY", "public")),
        ("obtain_certificate", {**OWN, "eab_kid": "k"}, ("VALUE", "eab_hmac_key")),
        ("obtain_certificate", {**OWN, "not_after": "soon"}, ("VALUE", "not_after")),
        ("obtain_certificate", {**OWN, "timeout": 0}, ("VALUE", "timeout")),
    ],
)
def test_an_option_that_says_nothing_usable_is_refused(
    tcl: Tcl, proxy: FaultProxy, command: str, options: dict[str, object], code: tuple[str, ...]
) -> None:
    """Each names itself in the errorcode."""
    assert refused(tcl, proxy, command, options).code == ("TOSSL", *code)


def test_a_key_cannot_be_changed_to_what_is_none(tcl: Tcl, proxy: FaultProxy) -> None:
    """Nor to the same one."""
    for kind, key in BAD_KEYS.items():
        assert refused(tcl, proxy, "change_account_key", new_key=key).code == ("TOSSL", "KEY", kind)
    same = refused(tcl, proxy, "change_account_key", new_key=GOOD["account_key"])
    assert same.code == ("TOSSL", "VALUE", "new_key")


def test_a_wildcard_cannot_be_authorized_in_advance(tcl: Tcl, proxy: FaultProxy) -> None:
    """RFC 8555 section 7.4.1."""
    assert refused(tcl, proxy, "create_authorization", domain="*.a.example").code == ("TOSSL", "VALUE", "domain")


def test_a_request_and_a_key_are_not_given_together(tcl: Tcl, proxy: FaultProxy) -> None:
    """The request has its key."""
    key = new_key()
    csr = write_block("CERTIFICATE REQUEST", csr_for(load_private_key(key), parse_identifiers(["a.example"])).der)
    options = {**OWN, "csr": csr, "private_key": key}
    assert refused(tcl, proxy, "obtain_certificate", options).code == ("TOSSL", "VALUE", "csr")
    for name in ("private_key", "key"):
        assert refused(tcl, proxy, "finalize_order", {"csr": csr, name: key}).code == ("TOSSL", "VALUE", name)
