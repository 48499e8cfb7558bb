"""Every request of an account's whole life at a CA: a test for each sentence that RFC 8555 has about requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Request, json_reply
from tests.tclhost import Tcl, new_key
from tossl_acme import version
from tossl_acme.acme import clients
from tossl_acme.acme.encoding import b64url_bytes
from tossl_acme.acme.jws import AccountKey

#: What the protected header of a request has (section 6.2), beside who signed it.
FIELDS = {"alg", "nonce", "url"}


@dataclass(frozen=True)
class Life:
    """All requests of an account, and the keys that signed them."""

    requests: tuple[Request, ...]
    account_url: str
    keys: dict[str, AccountKey]
    issued_nonces: frozenset[str]
    objects: frozenset[str]
    origin: str

    @property
    def posts(self) -> list[Request]:
        return [request for request in self.requests if request.method == "POST"]

    def to(self, kind: str) -> list[Request]:
        return [request for request in self.posts if request.path.split("/")[1] == kind]


@pytest.fixture(scope="module")
def life(certificates: Certificates) -> Iterator[Life]:
    """An account made, changed and given another key; certificates obtained, and revoked both ways."""
    clients.reset()
    tcl, keys = Tcl(str(certificates.ca_bundle)), {"first": new_key(), "second": new_key()}
    with ScriptedCa(certificates) as ca:
        options = {"directory": ca.directory, "challenge": "tls-alpn-01", "tls_port": 0, "store": ""}
        account = tcl.dict("create_account", ca.directory, keys["first"], "a@example.com", return_details=1)
        got = [
            tcl.dict("obtain_certificate", [name], **options, account_key=keys["first"])
            for name in ("a.example", "b\u00fccher.example")
        ]
        tcl.acme("update_account", ca.directory, keys["first"], "b@example.com")
        tcl.acme("list_orders", ca.directory, keys["first"])
        tcl.acme("create_authorization", ca.directory, keys["first"], "c.example")
        tcl.acme("revoke_certificate", ca.directory, keys["first"], got[0]["certificate"])
        tcl.acme("revoke_certificate", ca.directory, got[1]["private_key"], got[1]["certificate"])
        tcl.try_acme("change_account_key", ca.directory, keys["first"], keys["second"], store="")
        keys["certificate"] = got[1]["private_key"]
        read = {name: AccountKey.from_pem(pem) for name, pem in keys.items()}
        nonces = frozenset(ca.nonces)
        yield Life(tuple(ca.requests), account["url"], read, nonces, frozenset(ca.objects), ca.tls_origin)
    clients.reset()


def header(request: Request) -> dict[str, Any]:
    """The protected header of a signed request."""
    read: dict[str, Any] = json.loads(b64url_bytes(request.json()["protected"]))
    return read


def signer(request: Request, life: Life) -> AccountKey:
    """The key that is to sign it: the certificate's the second revocation, the new one what looks for its account."""
    if request == life.to("revoke")[1]:
        return life.keys["certificate"]
    is_later = life.posts.index(request) > life.posts.index(life.to("key-change")[0])
    return life.keys["second" if is_later and request in life.to("new-account") else "first"]


def is_by_a_key(request: Request, life: Life) -> bool:
    """Whether it names its key and no account: newAccount, and the second revocation."""
    return request in life.to("new-account") or request == life.to("revoke")[1]


# section 6.1


def test_every_request_says_who_asks(life: Life) -> None:
    """Section 6.1: User-Agent, with the name and the version of the software."""
    assert {request.headers["User-Agent"] for request in life.requests} == {f"tossl/{version.__version__}"}


def test_every_request_has_a_language(life: Life) -> None:
    """Section 6.1: Accept-Language."""
    assert {request.headers["Accept-Language"] for request in life.requests} == {"en"}


def test_no_value_is_padded(life: Life) -> None:
    """Section 6.1: neither the parts of a JWS nor what is in base64url within them."""
    for request in life.posts:
        assert "=" not in "".join(request.json().values())
        found = json.loads(b64url_bytes(request.json()["payload"]) or b"{}")
        assert "=" not in "".join(found.get(name, "") for name in ("csr", "certificate", "protected", "signature"))


# section 6.2


def test_every_body_is_a_jws(life: Life) -> None:
    """Section 6.2: whatever has a body, signed by the account's key unless by the certificate's."""
    assert all(request.method == "POST" for request in life.requests if request.body)
    for request in life.posts:
        verify(request, signer(request, life))


def verify(request: Request, key: AccountKey) -> None:
    """Fails for another key's signature."""
    point = [int.from_bytes(b64url_bytes(key.jwk[name]), "big") for name in ("x", "y")]
    body, public = request.json(), ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key()
    raw = b64url_bytes(body["signature"])
    signature = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    public.verify(signature, f"{body['protected']}.{body['payload']}".encode(), ec.ECDSA(hashes.SHA256()))


def test_every_jws_is_flattened(life: Life) -> None:
    """Section 6.2: one signature, no unprotected header, and a payload that is not detached."""
    for request in life.posts:
        assert set(request.json()) == {"protected", "payload", "signature"}
        assert all(isinstance(value, str) for value in request.json().values())


def test_no_payload_is_unencoded(life: Life) -> None:
    """Section 6.2: not by RFC 7797, whose header has b64 and crit."""
    for request in life.posts:
        assert not {"b64", "crit"} & set(header(request))
        assert re.fullmatch(r"[A-Za-z0-9_-]*", request.json()["payload"])


def test_every_protected_header_has_its_fields(life: Life) -> None:
    """Section 6.2: alg, nonce, url and one of jwk and kid; nothing else."""
    for request in life.posts:
        assert set(header(request)) in (FIELDS | {"jwk"}, FIELDS | {"kid"})
        assert header(request)["alg"] == "ES256"


@pytest.mark.parametrize(
    ("kind", "alg"),
    [(("ec", 256), "ES256"), (("ec", 384), "ES384"), (("ec", 521), "ES512"), (("rsa", 2048), "RS256"),
     (("ed25519",), "EdDSA")],
    ids=["P-256", "P-384", "P-521", "RSA", "Ed25519"],
)  # fmt: skip
def test_no_alg_is_none_or_a_mac(kind: tuple[str, int], alg: str) -> None:
    """Section 6.2: whatever the account's key is."""
    assert AccountKey.from_pem(new_key(*kind)).alg == alg


def test_what_is_signed_by_a_key_alone_has_its_jwk(life: Life) -> None:
    """Section 6.2: newAccount and a revocation by the certificate's key, with the public key that verifies it."""
    for request in filter(lambda request: is_by_a_key(request, life), life.posts):
        assert header(request)["jwk"] == signer(request, life).jwk
        assert "kid" not in header(request)


def test_all_else_has_the_accounts_url_as_kid(life: Life) -> None:
    """Section 6.2: as newAccount's Location had it."""
    others = [request for request in life.posts if not is_by_a_key(request, life)]
    assert {header(request)["kid"] for request in others} == {life.account_url}
    assert not any("jwk" in header(request) for request in others)
    kinds = {request.path.split("/")[1] for request in others}
    assert kinds >= {"new-order", "order", "authorization", "challenge", "finalize", "certificate", "account",
                     "new-authz", "revoke", "key-change"}  # fmt: skip


def test_every_jws_has_its_content_type(life: Life) -> None:
    """Section 6.2: application/jose+json."""
    assert {request.headers["Content-Type"] for request in life.posts} == {"application/jose+json"}


def test_the_inner_jws_of_a_key_change_is_the_new_keys(life: Life) -> None:
    """Section 7.3.5: as every other one, but for its nonce, and signed by the key that comes."""
    (outer,) = life.to("key-change")
    inner = replace(outer, body=b64url_bytes(outer.json()["payload"]))
    verify(inner, life.keys["second"])
    assert set(inner.json()) == {"protected", "payload", "signature"}
    assert set(header(inner)) == {"alg", "jwk", "url"}


# section 6.3


def test_what_is_fetched_is_asked_for_with_an_empty_payload(life: Life) -> None:
    """Section 6.3: the payload is there, and empty; nothing but the directory and newNonce is asked for otherwise."""
    unsigned = {(request.method, request.path) for request in life.requests if request.method != "POST"}
    assert unsigned == {("GET", "/directory"), ("HEAD", "/nonce")}
    fetched = {request.path.split("/")[1] for request in life.posts if request.json()["payload"] == ""}
    assert fetched == {"order", "authorization", "certificate", "account"}


# section 6.4


def test_every_request_is_signed_for_its_url(life: Life) -> None:
    """Section 6.4.1: a string in the protected header."""
    for request in life.posts:
        assert header(request)["url"] == f"{life.origin}{request.target}"


@pytest.mark.parametrize("path", ["/new-order/%7Eodd", "/new-order/%6fdd?a=%41&b", "/new-order/a;b=1/../c", "/NEW%2fx"])
def test_a_url_is_signed_as_the_ca_has_it(tcl: Tcl, scripted_ca: ScriptedCa, path: str) -> None:
    """Section 6.4: the exact string, however another would encode it."""
    made = {"newNonce": "/nonce", "newAccount": "/new-account", "newOrder": path}
    urls = {name: f"{scripted_ca.tls_origin}{at}" for name, at in made.items()}
    scripted_ca.answers["/directory"].append(json_reply(urls))
    tcl.acme("create_account", scripted_ca.directory, key := new_key(), "")
    tcl.try_acme("create_order", scripted_ca.directory, key, ["a.example"])
    assert header(scripted_ca.requests[-1])["url"] == urls["newOrder"]


# section 6.5


def test_every_jws_has_a_nonce_of_the_cas_once(life: Life) -> None:
    """Section 6.5: in the protected header, in base64url, as the CA gave it."""
    sent = [header(request)["nonce"] for request in life.posts]
    assert len(set(sent)) == len(sent)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+", nonce) for nonce in sent)
    assert set(sent) <= life.issued_nonces


def test_no_request_has_a_replay_nonce(life: Life) -> None:
    """Section 6.5.1: that header is for answers."""
    assert not any("Replay-Nonce" in request.headers for request in life.requests)


# section 5


def test_what_is_signed_is_utf_8(tcl: Tcl, scripted_ca: ScriptedCa) -> None:
    """Section 5: requests, and what a digest is made of."""
    tcl.acme("create_account", scripted_ca.directory, new_key(), "", ["https://ca.example/\u00fc\u20ac"])
    sent = b64url_bytes(scripted_ca.requests[-1].json()["payload"])
    assert json.loads(sent.decode("utf-8"))["contact"] == ["https://ca.example/\u00fc\u20ac"]
