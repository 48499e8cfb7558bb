"""Private keys as JSON Web Keys (RFC 7517, RFC 7518 section 6), in which certbot keeps its accounts' keys."""

from __future__ import annotations

import base64
import binascii
import json

from cryptography.hazmat.primitives.asymmetric import ec, rsa

from ..errors import KeyFormatError
from .keys import PrivateKey, check_public_key

_CURVES: dict[object, type[ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1,
    "P-384": ec.SECP384R1,
    "P-521": ec.SECP521R1,
}


def private_key_of_jwk(text: str) -> PrivateKey:
    """Returns the private key, RSA or EC, of a JWK. Raises KeyFormatError: format, type, curve, size or weak."""
    try:
        jwk = json.loads(text)
        if not isinstance(jwk, dict):
            raise KeyFormatError("format", "it is no JSON Web Key")
        key = _key(jwk)
    except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
        raise KeyFormatError("format", "it is no JSON Web Key with a private key in it") from None
    check_public_key(key.public_key())
    return key


def _key(jwk: dict[str, object]) -> PrivateKey:
    if jwk.get("kty") == "RSA":
        public = rsa.RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"]))
        p, q, d = (_number(jwk[name]) for name in ("p", "q", "d"))
        dp, dq, qi = (_number(jwk[name]) for name in ("dp", "dq", "qi"))
        return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key()
    if jwk.get("kty") != "EC":
        raise KeyFormatError("type", "a JSON Web Key of another type than RSA and EC is not read")
    if jwk.get("crv") not in _CURVES:
        raise KeyFormatError("curve", "the curve of the JSON Web Key is none of ACME's")
    point = ec.EllipticCurvePublicNumbers(_number(jwk["x"]), _number(jwk["y"]), _CURVES[jwk["crv"]]())
    return ec.EllipticCurvePrivateNumbers(_number(jwk["d"]), point).private_key()


def _number(text: object) -> int:
    if not isinstance(text, str):
        raise TypeError
    return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
