"""dns-01 (RFC 8555 section 8.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from ..acme.authorization import Challenge
from ..acme.encoding import b64url
from ..context import Backoff, Context
from ..dns.api import may_pass
from ..dns.propagation import PropagationCheck
from ..dns.provider import Provider
from ..dns.published import PUBLISHED, PublishedRecords
from ..dns.registry import Providers, open_providers
from ..errors import ArgumentError, DnsError, HttpError, WaitTimeout
from ..identifiers import MAX_NAME_CHARS
from ..text import quoted
from .solver import ChallengeType, SolverOptions

_LABEL = "_acme-challenge"
#: Pauses between two attempts to remove a record: the first and the longest.
CLEAN_UP_PAUSES_SECONDS = (0.5, 8.0)


def validation_name(domain: str) -> str:
    """Returns the name of a domain's TXT record (RFC 8555 section 8.4); a wildcard's is that of its domain.

    Raises ArgumentError "domain" if it is longer than a DNS name can be.
    """
    name = f"{_LABEL}.{domain.removeprefix('*.').removesuffix('.').lower()}"
    check_length(name, domain)
    return name


def validation_value(key_authorization: str) -> str:
    """Returns the TXT value: the SHA-256 digest of the key authorization, base64url."""
    digest = hashlib.sha256(key_authorization.encode()).digest()
    return b64url(digest)


def check_length(name: str, domain: str) -> None:
    """Raises ArgumentError "domain" if a record's name is longer than a DNS name can be."""
    if len(name) > MAX_NAME_CHARS:
        cause = f"its record's name has more than {MAX_NAME_CHARS} characters"
        raise ArgumentError("domain", f"{quoted(domain)} cannot be proven through the DNS: {cause}")


class Dns01:
    """Publishes TXT values through a provider, and waits until `check` (if any) sees them.

    A domain and its wildcard share one name with two values: each is published and removed separately. `providers`
    may be one for all names. `published` remembers each value until it is removed.
    """

    challenge_type = "dns-01"

    def __init__(
        self,
        providers: Provider | Providers,
        check: PropagationCheck | None = None,
        published: PublishedRecords | None = None,
    ) -> None:
        self._providers = providers if isinstance(providers, Providers) else Providers.of(providers)
        self._check = check
        self._published = published or PublishedRecords()
        self._presented: set[Challenge] = set()
        self._doubtful: set[Challenge] = set()

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        """The provider, and its endpoint, which has no credentials in it."""
        provider = self._provider_of(challenge)
        return {"provider": provider.name, "endpoint": provider.endpoint}

    def _provider_of(self, challenge: Challenge) -> Provider:
        return self._providers.for_name(self.name_for(challenge), challenge.identifier.value)

    def name_for(self, challenge: Challenge) -> str:
        """Returns the name of the challenge's TXT record."""
        return validation_name(challenge.identifier.value)

    def record(self, challenge: Challenge) -> tuple[str, str]:
        """Returns the name and the value of the challenge's TXT record."""
        return self.name_for(challenge), validation_value(challenge.key_authorization)

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the record's name."""
        return {"record": self.name_for(challenge)}

    def present(self, context: Context, challenge: Challenge) -> None:
        name, value = self.record(challenge)
        self._presented.add(challenge)
        self._doubtful.discard(challenge)
        try:
            self._published.publish(context, self._provider_of(challenge), name, value)
        except (DnsError, HttpError):
            self._doubtful.add(challenge)
            raise

    def wait(self, context: Context, challenge: Challenge) -> None:
        if self._check is not None:
            name, value = self.record(challenge)
            context.tell("dns_wait", record=name)
            self._check.wait(context, [(name, value)])

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes the value. Tries again after a temporary failure, until the context is over.

        Does not where publishing failed already: that record is probably not there, and nobody should wait for it.
        """
        name, value = self.record(challenge)
        provider = self._provider_of(challenge)
        if challenge in self._presented and value not in self._published.values(provider, name):
            return  # the provider refused to publish it, or it is removed already
        backoff = Backoff(*CLEAN_UP_PAUSES_SECONDS)
        while True:
            pause = backoff.next()
            try:
                self._published.remove(context, provider, name, value)
                return
            except (DnsError, HttpError, WaitTimeout) as error:
                if challenge in self._doubtful or not may_pass(error) or pause >= context.remaining():
                    raise
            context.tell("dns_retry", record=name, seconds=pause)
            context.sleep(pause, "provider")


def dns01_solver(options: SolverOptions) -> Dns01:
    """Returns the solver for a provider. Raises as open_provider(); ArgumentError "provider", "resolvers"."""
    return Dns01(*parts_of(options, Dns01.challenge_type))


def parts_of(options: SolverOptions, name: str) -> tuple[Providers, PropagationCheck | None, PublishedRecords]:
    """Returns the arguments of a DNS solver. `name` is its challenge type, for the error."""
    if options.provider is None:
        raise ArgumentError("provider", f"-provider is required: {name} needs a DNS provider")
    wait = options.propagation_timeout
    if wait < 0:
        raise ArgumentError("propagation_timeout", "propagation_timeout must be a number of seconds; 0 does not check")
    check = PropagationCheck(options.resolvers, wait) if wait > 0 else None
    return open_providers(options.provider), check, PUBLISHED


TYPE = ChallengeType(Dns01.challenge_type, dns01_solver, _LABEL)
