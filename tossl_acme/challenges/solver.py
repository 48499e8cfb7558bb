"""What every challenge type has in common."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Protocol

from ..context import Context
from ..errors import ArgumentError

#: RFC 8555 section 8.1; a token also names a file, whose name can have 255 bytes.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,255}")


def check_token(token: str) -> str:
    """The token, if it is base64url: only then may it become a path or a record."""
    if not _TOKEN.fullmatch(token):
        raise ArgumentError("token", "the challenge token is not base64url (RFC 8555 section 8.1)")
    return token


@dataclass(frozen=True)
class Proof:
    """What is to be shown for one name: the domain (without "*.") or IP address, and its challenge's values.

    account_url: needed where the account takes part in the proof (dns-account-01, dns-persist-01).
    issuers: the CA's own names, of which a standing record names one (dns-persist-01, which has no token).
    """

    domain: str
    wildcard: bool
    token: str = field(repr=False)
    key_authorization: str = field(repr=False)
    account_url: str = ""
    issuers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.token or not self.issuers:
            check_token(self.token)


class Solver(Protocol):
    """Shows proofs to a CA. Several may be presented before the first is cleaned up, from several threads."""

    @property
    def challenge_type(self) -> str: ...

    def present(self, context: Context, proof: Proof) -> None:
        """Shows the proof. Where it raises, clean_up() is still to be called."""

    def wait(self, context: Context, proof: Proof) -> None:
        """Waits until the CA can be expected to see the proof."""

    def clean_up(self, context: Context, proof: Proof) -> None:
        """Removes exactly what present() made; nothing where that is gone already."""
