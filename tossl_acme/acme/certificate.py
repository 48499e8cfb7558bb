"""Certificates (RFC 8555 sections 7.4.2 and 7.6): download with alternates, revoke."""

from __future__ import annotations

from dataclasses import dataclass

from ..context import Context
from ..errors import ArgumentError, HttpError
from ..http.urls import shown_url
from ..pki.pem import certificate_blocks
from .answer import Answer
from .client import Client
from .encoding import b64url
from .jws import AccountKey

_PEM_CHAIN = "application/pem-certificate-chain"
#: Pauses before an incomplete certificate is downloaded again.
_DOWNLOAD_PAUSES_SECONDS = (0.1, 0.4, 1.0)
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


@dataclass(frozen=True, eq=False, repr=False)
class DownloadedChain:
    """A PEM chain as the CA sent it, and the URLs of alternate chains for the same certificate."""

    url: str
    pem: str
    alternates: tuple[str, ...]


def download_certificate(client: Client, context: Context, url: str) -> DownloadedChain:
    """Returns the certificate with its chain (section 7.4.2); downloads again if the answer is incomplete.

    An answer that stays incomplete is returned if it contains a complete certificate. Raises HttpError "malformed".
    """
    for pause in (*_DOWNLOAD_PAUSES_SECONDS, None):
        answer = Answer(client.post_as_get(context, url, media_type=_PEM_CHAIN), {})
        # Non-ASCII text is not part of a block (RFC 8555 section 9.1): a byte order mark, a comment.
        pem = answer.response.body.decode("ascii", "replace")
        chain = DownloadedChain(url, pem, tuple(answer.links("alternate")))
        if _is_whole(pem):
            return chain
        seconds = max(pause or 0.0, answer.retry_after or 0.0)
        if pause is None or seconds >= context.remaining():
            break
        context.tell("waiting", what="certificate", status="incomplete", seconds=round(seconds, 3))
        context.sleep(seconds, "certificate")
    if certificate_blocks(pem):  # cut each time, behind a certificate that is whole
        return chain
    raise HttpError("malformed", f"{shown_url(url)} answered without a PEM certificate")


def revoke_certificate(
    client: Client, context: Context, der: bytes, reason: int | None = None, certificate_key: AccountKey | None = None
) -> None:
    """Revokes a certificate, signed by the account's key or by the certificate's key (section 7.6)."""
    payload: dict[str, object] = {"certificate": b64url(der)}
    if reason is not None:
        payload["reason"] = reason
    client.post(context, client.directory(context).url_of("revokeCert"), payload, signer=certificate_key)


def reason_code(text: str) -> int | None:
    """Returns the code for a reason's name (any case) or number, None for empty text. Raises ArgumentError "reason"."""
    if not text:
        return None
    by_name = {name.lower(): code for name, code in REASONS.items()}
    code = by_name.get(text.lower(), int(text) if text.isascii() and text.isdigit() and len(text) < 4 else -1)
    if code not in REASONS.values():
        raise ArgumentError("reason", f"reason must be one of {', '.join(REASONS)}, or its number")
    return code


def _is_whole(pem: str) -> bool:
    begins = pem.count("-----BEGIN CERTIFICATE-----")
    return bool(begins) and begins == pem.count("-----END CERTIFICATE-----")
