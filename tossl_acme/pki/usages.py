"""What a certificate's key may be used for (RFC 5280 section 4.2.1.3)."""

from __future__ import annotations

from cryptography import x509

_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def key_usage(*uses: str) -> x509.KeyUsage:
    """Returns the extension for these uses, by cryptography's names, and no other."""
    return x509.KeyUsage(**{usage: usage in uses for usage in _USAGES})
