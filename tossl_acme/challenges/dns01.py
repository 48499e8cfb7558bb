"""dns-01 (RFC 8555 section 8.4)."""

from __future__ import annotations

import base64
import hashlib

from ..acme.authorization import Challenge
from ..context import Context
from ..dns.propagation import PropagationCheck
from ..dns.provider import Provider
from ..dns.published import PublishedRecords

#: What stands before the domain in a record's name, as a regular expression.
DNS_LABEL = "_acme-challenge"


def record_name(domain: str) -> str:
    """Where a domain's TXT record stands; a wildcard's stands with the domain's own."""
    return f"_acme-challenge.{domain.removeprefix('*.').removesuffix('.').lower()}"


def record_value(key_authorization: str) -> str:
    """The TXT value: base64url SHA-256 of the key authorization."""
    digest = hashlib.sha256(key_authorization.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Dns01:
    """Publishes TXT values through a provider, and waits until `check` (if any) sees them.

    A domain and its wildcard share one name with two values: each is published and removed by itself. `published`
    knows of each for as long as it stands.
    """

    challenge_type = "dns-01"

    def __init__(
        self, provider: Provider, check: PropagationCheck | None = None, published: PublishedRecords | None = None
    ) -> None:
        self._provider = provider
        self._check = check
        self._published = published or PublishedRecords()

    def name_for(self, challenge: Challenge) -> str:
        """Where the challenge's TXT value is published."""
        return record_name(challenge.identifier.value)

    def present(self, context: Context, challenge: Challenge) -> None:
        value = record_value(challenge.key_authorization)
        self._published.publish(context, self._provider, self.name_for(challenge), value)

    def where(self, challenge: Challenge) -> dict[str, object]:
        """Where the challenge is presented, for people and their scripts."""
        return {"record": self.name_for(challenge)}

    def wait(self, context: Context, challenge: Challenge) -> None:
        if self._check is not None:
            name = self.name_for(challenge)
            context.tell("dns_wait", record=name)
            self._check.wait(context, name, record_value(challenge.key_authorization))

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        name, value = self.name_for(challenge), record_value(challenge.key_authorization)
        self._published.remove(context, self._provider, name, value)
