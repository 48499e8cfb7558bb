"""::tossl::key::*: key pairs."""

from __future__ import annotations


def generate(*, type: str = "rsa", bits: int | None = None, curve: str | None = None) -> dict[str, object]:
    """A new key pair: a dict private public type bits ?curve?, the keys as PEM text (PKCS#8, SubjectPublicKeyInfo).

    rsa has 2048 bits and ec is on prime256v1 unless told otherwise; dsa has 2048 bits, and no CA takes it.
    Errors: TOSSL VALUE type|bits|curve.
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
