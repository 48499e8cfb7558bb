"""The public keys that this process knows, by their use: an account's at a CA, or a certificate's.

RFC 8555 section 11.1 wants them kept apart: a certificate with an account's key lets whoever runs its server speak for
the account, and an account's key that is known at two CAs lets one of them act in the account at the other.
"""

from __future__ import annotations

import hashlib
import ipaddress
from urllib.parse import urlsplit

from ..errors import ArgumentError
from ..text import clean
from .public_cas import PUBLIC_CAS

_APART = "(RFC 8555 section 11.1)"
_accounts: dict[str, set[str]] = {}
_certificates: set[str] = set()


def know_account_key(public_key: bytes, where: str) -> None:
    """Remembers the key (SubjectPublicKeyInfo, DER) of an account; where: a URL of its CA."""
    _accounts.setdefault(_digest(public_key), set()).add(_host(where))


def know_certificate_key(public_key: bytes) -> None:
    """Remembers the key (SubjectPublicKeyInfo, DER) of a certificate."""
    know_certificate_digest(_digest(public_key))


def know_certificate_digest(digest: str) -> None:
    """Remembers the key of a certificate by the SHA-256 of its SubjectPublicKeyInfo, in hex."""
    _certificates.add(digest)


def check_account_key(public_key: bytes, directory: str, argument: str = "account_key") -> None:
    """Raises ArgumentError where a key that is to have a new account has a use already: at another CA, or in a
    certificate. Staging and production of one CA, one host, loopback and private addresses are no other CA.
    """
    digest, host = _digest(public_key), _host(directory)
    if digest in _certificates:
        raise _shared(argument, "is a certificate's key")
    for other in sorted(_accounts.get(digest, ())):
        if not _is_one_ca(host, other):
            raise _shared(argument, f"has an account at another CA, {clean(other)}")


def other_ca_of(public_key: bytes, directory: str, account: str) -> str:
    """Returns the host of an account's URL where that is another CA than the directory's, known to have the key's
    account; empty otherwise.

    A directory may name URLs on any host (RFC 8555 section 7.1.1): one that names those of another CA leads to accounts
    there.
    """
    host = _host(account)
    is_known = host in _accounts.get(_digest(public_key), ())
    return host if is_known and not _is_one_ca(_host(directory), host) else ""


def check_certificate_key(public_key: bytes, argument: str) -> None:
    """Raises ArgumentError where a key that is to be certified is known as an account's."""
    if public_key and (hosts := _accounts.get(_digest(public_key))):
        raise _shared(argument, f"is the key of an account at {clean(min(hosts))}")


def reset() -> None:
    """Forgets all keys."""
    _accounts.clear()
    _certificates.clear()


def _shared(argument: str, use: str) -> ArgumentError:
    return ArgumentError(argument, f"the key {use}: give another key, or -shared_key 1 to use it all the same {_APART}")


def _digest(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "").lower()


def _is_one_ca(one: str, other: str) -> bool:
    by_host = {_host(ca.url): ca.name.partition("-")[0] for ca in PUBLIC_CAS}
    is_one_operator = one in by_host and by_host[one] == by_host.get(other)
    return one == other or is_one_operator or is_local(one) or is_local(other)


def is_local(host: str) -> bool:
    """Returns whether a host is a loopback or private address, where CAs for trying are."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
