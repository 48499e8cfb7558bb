"""Certificates (RFC 8555 sections 7.4.2 and 7.6): download with alternates, revoke."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..context import Scope
from ..errors import ArgumentError, HttpError
from ..http.client import Reply, shown_url
from .client import Client
from .encoding import b64url
from .jws import AccountKey
from .links import links

_PEM_CHAIN = "application/pem-certificate-chain"
#: RFC 5280 section 5.3.1; 7 is not used.
REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "certificateHold": 6,
    "removeFromCRL": 8,
    "privilegeWithdrawn": 9,
    "aACompromise": 10,
}


@dataclass(frozen=True)
class Download:
    """A PEM chain as the CA sent it, and where it offers others for the same certificate."""

    url: str
    pem: str
    alternates: tuple[str, ...]


def download_certificate(client: Client, scope: Scope, url: str) -> Download:
    """The certificate with its chain (section 7.4.2)."""
    reply = client.post_as_get(scope, url, media_type=_PEM_CHAIN)
    return Download(url, _pem(reply), tuple(links(reply, "alternate")))


def alternate_chains(client: Client, scope: Scope, first: Download) -> Iterator[Download]:
    """The first chain and then the CA's others, each downloaded when it is asked for."""
    yield first
    for url in first.alternates:
        yield download_certificate(client, scope, url)


def revoke_certificate(
    client: Client, scope: Scope, der: bytes, reason: int | None = None, certificate_key: AccountKey | None = None
) -> None:
    """Revokes by the account's key, or by the certificate's own (section 7.6)."""
    payload: dict[str, object] = {"certificate": b64url(der)}
    if reason is not None:
        payload["reason"] = reason
    client.post(scope, client.directory(scope).where("revokeCert"), payload, signer=certificate_key)


def reason_code(text: str) -> int | None:
    """The code for a reason's name (any case) or number; None for an empty text. ArgumentError "reason"."""
    if not text:
        return None
    by_name = {name.lower(): code for name, code in REASONS.items()}
    code = by_name.get(text.lower(), int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1)
    if code not in REASONS.values():
        raise ArgumentError("reason", f"reason must be one of {', '.join(REASONS)}, or its number")
    return code


def _pem(reply: Reply) -> str:
    try:
        text = reply.body.decode("ascii")
    except UnicodeDecodeError:
        text = ""
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise HttpError("malformed", f"{shown_url(reply.url)} answered without a PEM certificate")
    return text
