"""Signed requests: JWS with a flattened JSON serialization (RFC 8555 section 6.2), JWK thumbprints (RFC 7638)."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ..errors import KeyFormatError
from ..pki.keys import PrivateKey, load_private_key, public_der
from .encoding import b64url, b64url_json

_CURVES: dict[str, tuple[str, str, type[hashes.HashAlgorithm]]] = {
    "secp256r1": ("P-256", "ES256", hashes.SHA256),
    "secp384r1": ("P-384", "ES384", hashes.SHA384),
    "secp521r1": ("P-521", "ES512", hashes.SHA512),
}
_HMACS: dict[str, type[hashes.HashAlgorithm]] = {"HS256": hashes.SHA256, "HS384": hashes.SHA384, "HS512": hashes.SHA512}


class AccountKey:
    """A private key that signs requests. The algorithm follows from the key; its repr shows the thumbprint only."""

    def __init__(self, key: PrivateKey) -> None:
        self._key = key
        self.alg, self.jwk = _public_jwk(key)
        # Made before there is anything to sign: the library loads modules for the first.
        self._ecdsa = ec.ECDSA(_CURVES[key.curve.name][2]()) if isinstance(key, ec.EllipticCurvePrivateKey) else None
        self.thumbprint = thumbprint(self.jwk)

    @classmethod
    def from_pem(cls, pem: str) -> AccountKey:
        """Returns the key in PKCS#8, PKCS#1 or SEC1 PEM. Raises KeyFormatError with the reason."""
        return cls(load_private_key(pem))

    @property
    def spki(self) -> bytes:
        """Returns the public key as SubjectPublicKeyInfo in DER, for comparing keys."""
        return public_der(self._key)

    def __repr__(self) -> str:
        return f"AccountKey({self.alg} {self.thumbprint})"

    def sign(self, protected: dict[str, Any], payload: object | None) -> dict[str, str]:
        """Returns a flattened JWS; payload None is the empty payload of POST-as-GET (RFC 8555 section 6.3)."""
        return _flattened(protected, payload, self.signature)

    def signature(self, data: bytes) -> bytes:
        """Returns the signature of the key's algorithm (RFC 7518 section 3, RFC 8037)."""
        key = self._key
        if isinstance(key, rsa.RSAPrivateKey):
            return key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return key.sign(data)
        assert self._ecdsa is not None
        size = (key.curve.key_size + 7) // 8
        r, s = decode_dss_signature(key.sign(data, self._ecdsa))
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def thumbprint(jwk: dict[str, str]) -> str:
    """Returns the JWK thumbprint (RFC 7638): base64url SHA-256 over the required members in order."""
    text = json.dumps(jwk, sort_keys=True, separators=(",", ":"))
    return b64url(hashlib.sha256(text.encode("utf-8")).digest())


def hmac_signed(secret: bytes, alg: str, protected: dict[str, Any], payload: object) -> dict[str, str]:
    """Returns a JWS with a MAC, for external account binding (RFC 8555 section 7.3.4)."""

    def signature(data: bytes) -> bytes:
        mac = hmac.HMAC(secret, _HMACS[alg]())
        mac.update(data)
        return mac.finalize()

    return _flattened({"alg": alg, **protected}, payload, signature)


def _flattened(protected: dict[str, Any], payload: object | None, signature: Any) -> dict[str, str]:
    head = b64url_json(protected)
    body = "" if payload is None else b64url_json(payload)
    signed = b64url(signature(f"{head}.{body}".encode("ascii")))
    return {"protected": head, "payload": body, "signature": signed}


def _public_jwk(key: PrivateKey) -> tuple[str, dict[str, str]]:
    if isinstance(key, rsa.RSAPrivateKey):
        public = key.public_key().public_numbers()
        return "RS256", {"e": _number(public.e), "kty": "RSA", "n": _number(public.n)}
    if isinstance(key, ed25519.Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return "EdDSA", {"crv": "Ed25519", "kty": "OKP", "x": b64url(raw)}
    if key.curve.name not in _CURVES:
        raise KeyFormatError("curve", f"no JWS algorithm signs with the curve {key.curve.name}")
    name, alg, _ = _CURVES[key.curve.name]
    point = key.public_key().public_numbers()
    size = (key.curve.key_size + 7) // 8
    return alg, {"crv": name, "kty": "EC", "x": _number(point.x, size), "y": _number(point.y, size)}


def _number(value: int, size: int = 0) -> str:
    return b64url(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))
