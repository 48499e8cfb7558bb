"""Renewal information (RFC 9773): when the CA wants a certificate to be renewed."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..context import Context
from ..errors import ArgumentError, HttpError
from ..http.urls import shown_url
from ..pki.chain import CertificateChain
from ..text import safe
from .answer import Answer
from .encoding import b64url
from .problem import problem_error
from .server import Server
from .times import epoch_seconds

_MIN_WAIT_SECONDS = 60.0
_MAX_WAIT_SECONDS = 86400.0
#: Seconds until the next request if the CA names no time (RFC 9773 section 4.3.3).
_USUAL_WAIT_SECONDS = 21600.0


@dataclass(frozen=True, eq=False, repr=False)
class RenewalInfo:
    """Times are epoch seconds; `retry_after` is the seconds until the next request."""

    start: int
    end: int
    chosen: int
    explanation_url: str
    retry_after: int
    raw: Mapping[str, Any]

    def as_dict(self) -> dict[str, object]:
        return {
            "window": {"start": self.start, "end": self.end},
            "chosen": self.chosen,
            "explanation_url": self.explanation_url,
            "retry_after": self.retry_after,
        }


def cert_id(chain: CertificateChain) -> str:
    """Returns the leaf's name for renewal information (RFC 9773 section 4.1).

    Raises ArgumentError "certificate" if it has no authority key identifier.
    """
    if not chain.authority_key_id:
        raise ArgumentError("certificate", "the certificate has no authority key identifier, which its ARI name needs")
    # DER adds a byte to a positive number whose highest bit is set.
    serial = chain.serial.to_bytes(chain.serial.bit_length() // 8 + 1, "big", signed=True)
    return f"{b64url(chain.authority_key_id)}.{b64url(serial)}"


def renewal_info(server: Server, context: Context, name: str) -> RenewalInfo:
    """Returns the suggested window for a certificate's cert_id() (section 4.2), with a random time in it.

    Raises AcmeError "notOffered" if the CA has no ARI.
    """
    base = server.directory(context).url_of("renewalInfo").rstrip("/")
    response = server.fetch(context, "GET", f"{base}/{name}")
    if response.status // 100 != 2:
        raise problem_error(response)
    answer = Answer.of(response)
    window = answer.part("suggestedWindow") or Answer(response, {})
    start, end = _epoch(window, "start"), _epoch(window, "end")
    if end <= start:
        raise HttpError("malformed", f"{shown_url(response.url)} suggests a window that ends before it starts")
    explanation = answer.raw.get("explanationURL")
    after = answer.retry_after
    wait = _USUAL_WAIT_SECONDS if after is None else after
    return RenewalInfo(
        start=start,
        end=end,
        chosen=random.SystemRandom().randrange(start, end),
        explanation_url=safe(explanation) if isinstance(explanation, str) else "",
        retry_after=round(min(max(wait, _MIN_WAIT_SECONDS), _MAX_WAIT_SECONDS)),
        raw=answer.raw,
    )


def _epoch(window: Answer, name: str) -> int:
    try:
        return int(epoch_seconds(window.text(name)))
    except (ValueError, OverflowError):
        at = shown_url(window.response.url)
        raise HttpError("malformed", f"{at} answered without a valid time for suggestedWindow {name}") from None
