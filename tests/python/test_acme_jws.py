"""Signatures, key names and account binding, held against the RFCs' own examples."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tossl_acme.acme.encoding import b64url, b64url_bytes, b64url_json
from tossl_acme.acme.jws import AccountKey, hmac_signed, thumbprint
from tossl_acme.errors import KeyFormatError
from tossl_acme.pki.keys import load_private_key, private_pem

EXAMPLES = json.loads((Path(__file__).parents[1] / "data" / "keys.json").read_text())
HEADER = {"nonce": "5XJ1L3lEkMG7tR6pA00clA", "url": "https://example.com/acme/new-order"}


def unpacked(text: str) -> Any:
    return json.loads(b64url_bytes(text))


def key_of(example: dict[str, Any]) -> ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey:
    secret = b64url_bytes(example["d"])
    if example["jwk"]["kty"] == "OKP":
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret)
    return ec.derive_private_key(int.from_bytes(secret, "big"), ec.SECP256R1())


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["source"])
def test_thumbprints_are_those_of_the_rfcs(example: dict[str, Any]) -> None:
    """RFC 7638, with the members in any order."""
    assert thumbprint(example["jwk"]) == example["thumbprint"]
    assert thumbprint(dict(reversed(example["jwk"].items()))) == example["thumbprint"]


@pytest.mark.parametrize("example", [e for e in EXAMPLES if "d" in e], ids=lambda example: example["source"])
def test_a_key_has_the_jwk_of_the_rfcs(example: dict[str, Any]) -> None:
    """The public half alone, with no optional member."""
    key = AccountKey(key_of(example))
    assert key.jwk == example["jwk"]
    assert key.thumbprint == example["thumbprint"]


def test_ed25519_signs_as_in_rfc_8037() -> None:
    """Appendix A.4."""
    example = next(e for e in EXAMPLES if "signature" in e)
    assert b64url(AccountKey(key_of(example)).signature(example["signed"].encode())) == example["signature"]


def test_coordinates_keep_their_leading_zeros() -> None:
    """RFC 7518 section 6.2.1.2: as long as the curve's field."""
    for curve, size in ((ec.SECP256R1(), 32), (ec.SECP384R1(), 48), (ec.SECP521R1(), 66)):
        # Small multiples of the generator, until one has a short coordinate.
        for secret in range(1, 2000):
            numbers = ec.derive_private_key(secret, curve).public_key().public_numbers()
            if size == 66 or min(numbers.x, numbers.y).bit_length() <= 8 * (size - 1):
                break
        jwk = AccountKey(ec.derive_private_key(secret, curve)).jwk
        assert (len(b64url_bytes(jwk["x"])), len(b64url_bytes(jwk["y"]))) == (size, size)


def test_numbers_of_a_key_have_no_leading_zeros() -> None:
    """RFC 8555 section 8.1: of RSA keys, whose encoding in DER has one."""
    jwk = AccountKey(rsa.generate_private_key(65537, 2048)).jwk
    assert jwk["e"] == "AQAB"
    assert (len(b64url_bytes(jwk["n"])), b64url_bytes(jwk["n"])[0] >= 0x80) == (256, True)


@pytest.mark.parametrize(
    ("curve", "alg", "digest", "size"),
    [
        (ec.SECP256R1(), "ES256", hashes.SHA256(), 32),
        (ec.SECP384R1(), "ES384", hashes.SHA384(), 48),
        (ec.SECP521R1(), "ES512", hashes.SHA512(), 66),
    ],
)
def test_ec_signatures_verify(curve: ec.EllipticCurve, alg: str, digest: hashes.HashAlgorithm, size: int) -> None:
    """The algorithm follows from the curve; r and s side by side (RFC 7518 section 3.4)."""
    key = ec.generate_private_key(curve)
    account = AccountKey(key)
    jws = account.sign({"alg": account.alg, **HEADER}, {"a": 1})
    raw = b64url_bytes(jws["signature"])
    assert (account.alg, len(raw)) == (alg, 2 * size)
    signature = encode_dss_signature(int.from_bytes(raw[:size], "big"), int.from_bytes(raw[size:], "big"))
    key.public_key().verify(signature, f"{jws['protected']}.{jws['payload']}".encode(), ec.ECDSA(digest))


def test_rsa_signatures_verify() -> None:
    """RS256."""
    key = rsa.generate_private_key(65537, 2048)
    account = AccountKey(key)
    jws = account.sign({"alg": account.alg, **HEADER}, {"a": 1})
    assert account.alg == "RS256"
    signed = f"{jws['protected']}.{jws['payload']}".encode()
    key.public_key().verify(b64url_bytes(jws["signature"]), signed, padding.PKCS1v15(), hashes.SHA256())


def test_a_request_is_flattened_json() -> None:
    """RFC 8555 section 6.2: protected, payload, signature and nothing else; section 6.3: an empty payload."""
    account = AccountKey(ec.generate_private_key(ec.SECP256R1()))
    jws = account.sign({"alg": "ES256", **HEADER}, None)
    assert set(jws) == {"protected", "payload", "signature"}
    assert jws["payload"] == ""
    assert unpacked(jws["protected"]) == {"alg": "ES256", **HEADER}
    assert account.sign({"alg": "ES256"}, {})["payload"] == "e30"


@pytest.mark.parametrize("alg", ["HS256", "HS384", "HS512"])
def test_an_external_binding_is_a_mac_over_the_account_key(alg: str) -> None:
    """RFC 8555 section 7.3.4."""
    jwk = EXAMPLES[2]["jwk"]
    binding = hmac_signed(b"secret", alg, {"kid": "kid-1", "url": "https://example.com/acme/new-account"}, jwk)
    header = {"alg": alg, "kid": "kid-1", "url": "https://example.com/acme/new-account"}
    assert unpacked(binding["protected"]) == header
    assert unpacked(binding["payload"]) == jwk
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    signed = f"{binding['protected']}.{binding['payload']}".encode()
    assert b64url_bytes(binding["signature"]) == hmac.digest(b"secret", signed, digest)


@pytest.mark.parametrize(
    ("text", "data"), [("", b""), ("AA", b"\0"), ("AA==", b"\0"), ("-_8", b"\xfb\xff"), ("+/8=", b"\xfb\xff")]
)
def test_base64url_is_read_as_cas_show_it(text: str, data: bytes) -> None:
    """MAC keys come with and without padding, and in the other alphabet too."""
    assert b64url_bytes(text) == data


@pytest.mark.parametrize("text", ["A", "A A A", "AA=A", "é", "AAAA-!"])
def test_what_is_no_base64url_is_refused(text: str) -> None:
    """Nothing is skipped."""
    with pytest.raises(ValueError, match="base64url"):
        b64url_bytes(text)


def test_base64url_has_no_padding() -> None:
    """RFC 8555 section 6.1."""
    assert [b64url(b"a" * n) for n in range(4)] == ["", "YQ", "YWE", "YWFh"]
    assert unpacked(b64url_json({"ü": "ß", "a": 1})) == {"ü": "ß", "a": 1}


def test_a_key_shows_nothing_of_itself() -> None:
    """Neither in its repr nor in the error for a curve without a JWS algorithm."""
    key = ec.generate_private_key(ec.SECP256R1())
    account = AccountKey(key)
    assert repr(account) == f"AccountKey(ES256 {account.thumbprint})"
    with pytest.raises(KeyFormatError, match="secp256k1"):
        AccountKey(ec.generate_private_key(ec.SECP256K1()))


def test_the_public_key_is_compared_whole() -> None:
    """Two readings of one key are the same key."""
    pem = private_pem(ec.generate_private_key(ec.SECP384R1()))
    assert AccountKey.from_pem(pem).spki == AccountKey(load_private_key(pem)).spki
