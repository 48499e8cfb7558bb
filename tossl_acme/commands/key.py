"""::tossl::key::*: key pairs, and certificates that they sign themselves."""

from __future__ import annotations

from ..errors import ArgumentError

#: Days that a certificate may last that nobody has issued.
_MOST_DAYS = 3650


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


def self_signed(names: list[str], *, key_type: str = "ec", days: int = 30) -> dict[str, object]:
    """Makes a key and a certificate for these names that the key itself signs: nobody trusts it, nothing is sent.

    With it a TLS server starts before its first certificate is there: a program that must have some certificate to
    listen, or a test. It has the names in its subjectAltName, and "self-signed" for a subject.

    names           a list of DNS names, perhaps with "*.", and IP addresses; localhost is one, too
    -key_type name  as in tossl::acme::obtain_certificate: ec (P-256), ec384, ec521, rsa (2048 bits), rsa3072, rsa4096,
                    rsa8192, ed25519
    -days count     how long it lasts from now, 1 to 3650; it begins a day ago, for clocks differ

    Returns a dict, with keys that tossl::acme::obtain_certificate has, too:

    domains      a list of its names
    certificate  PEM text
    chain        empty
    fullchain    the same as certificate
    private_key  PKCS#8 PEM text, not encrypted
    not_before   its begin, epoch seconds
    not_after    its end, epoch seconds
    issuer       self-signed
    serial       its serial number, hexadecimal

    Errors:
    TOSSL VALUE names     "Failed to parse domains: " with the name and its fault
    TOSSL VALUE key_type  no such type of key
    TOSSL VALUE days      not from 1 to 3650
    """
    from ..certificates.key import CertificateKey
    from ..identifiers import parse_identifiers
    from ..pki.chain import read_certificate
    from ..pki.keys import private_pem
    from ..pki.self_signed import server_certificate

    if not 1 <= days <= _MOST_DAYS:
        raise ArgumentError("days", f"-days: must be from 1 to {_MOST_DAYS}")
    try:
        identifiers = parse_identifiers(names)
    except ArgumentError as error:
        raise ArgumentError("names", error.message) from None
    key = CertificateKey(key_type).new_key()
    certificate = read_certificate(server_certificate(identifiers, key, days)).as_dict()
    return {**certificate, "private_key": private_pem(key)}


COMMANDS = (generate, self_signed)
