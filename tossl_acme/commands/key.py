"""::tossl::key::*: key pairs."""

from __future__ import annotations


def generate(*, type: str = "rsa", bits: int | None = None, curve: str | None = None) -> dict[str, object]:
    """Makes a key pair, for an account, a certificate or another use.

    -type name   rsa, ec, ed25519 or dsa. ec is better for a new account or certificate: generating is fast, and keys
                 and signatures are small. No CA accepts dsa
    -bits count  for rsa 2048 (default) to 8192, a multiple of 8; for dsa 2048 (default) or 3072; for ec 256, 384 or
                 521, which chooses the curve of that size. Large RSA and DSA keys take seconds
    -curve name  for ec: prime256v1 (default; also secp256r1, P-256), secp384r1 (P-384), secp521r1 (P-521); and
                 secp256k1, brainpoolP256r1, brainpoolP384r1, brainpoolP512r1, which no CA accepts. Upper or lower case

    Returns a dict:

    private  the private key, PKCS#8 PEM text, not encrypted
    public   the public key, PEM text
    type     rsa, dsa, ec or ed25519
    bits     the size of the key
    curve    OpenSSL's name of the curve; for ec only

    Errors:
    TOSSL VALUE type   no such type of key
    TOSSL VALUE bits   a size that this type or curve does not have
    TOSSL VALUE curve  no such curve, or a curve for a key that is not ec
    """
    from ..pki.keys import curve_name, generate_private_key, key_bits, key_type, private_pem, public_pem

    key = generate_private_key(type, bits, curve)
    pair: dict[str, object] = {
        "private": private_pem(key),
        "public": public_pem(key),
        "type": key_type(key),
        "bits": key_bits(key),
    }
    on_curve = curve_name(key)
    return pair | {"curve": on_curve} if on_curve else pair


COMMANDS = (generate,)
