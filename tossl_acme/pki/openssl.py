"""The OpenSSL of cryptography, which need not be that of Python."""

from __future__ import annotations


def openssl_of_cryptography() -> str:
    """Returns its version, or why there is none."""
    try:
        from cryptography.hazmat.backends.openssl import backend
    except Exception as error:  # noqa: BLE001 - a library that is broken raises anything
        return f"{type(error).__name__}: {error}"
    return backend.openssl_version_text()
