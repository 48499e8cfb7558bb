"""dns-01 (RFC 8555 section 8.4)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, MutableMapping, Sequence

from ..acme.authorization import Challenge
from ..acme.encoding import b64url
from ..context import Backoff, Context
from ..dns.api import CREATING, may_pass
from ..dns.provider import Provider, habits_of
from ..dns.published import PUBLISHED, PublishedRecords
from ..errors import ArgumentError, DnsError, HttpError, WaitTimeout
from ..identifiers import check_record_length
from .solver import ChallengeType, SolverOptions

# A DNS library comes with these: they are imported where a record is wanted.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..dns.propagation import PropagationCheck
    from ..dns.registry import Providers
    from ..dns.zones import Zones

_LABEL = "_acme-challenge"
#: Records that are published at the same time, at a provider that allows it.
_WIDTH = 10
#: Pauses between two attempts to remove a record: the first and the longest.
CLEAN_UP_PAUSES_SECONDS = (0.5, 8.0)


def validation_name(domain: str) -> str:
    """Returns the name of a domain's TXT record (RFC 8555 section 8.4); a wildcard's is that of its domain.

    Raises ArgumentError "domain" if it is longer than a DNS name can be.
    """
    name = f"{_LABEL}.{domain.removeprefix('*.').removesuffix('.').lower()}"
    check_record_length(name, domain)
    return name


def validation_value(key_authorization: str) -> str:
    """Returns the TXT value: the SHA-256 digest of the key authorization, base64url."""
    digest = hashlib.sha256(key_authorization.encode()).digest()
    return b64url(digest)


class Dns01:
    """Publishes TXT values through a provider, and waits until `check` (if any) sees them.

    A domain and its wildcard share one name with two values: each is published and removed separately. `providers`
    may be one for all names. `published` remembers each value until it is removed. `zones` finds CNAME records at the
    names, which are followed; None follows none.
    """

    challenge_type = "dns-01"

    def __init__(
        self,
        providers: Provider | Providers,
        check: PropagationCheck | None = None,
        published: PublishedRecords | None = None,
        zones: Zones | None = None,
    ) -> None:
        from ..dns.registry import Providers

        self._providers = providers if isinstance(providers, Providers) else Providers.of(providers)
        self._check = check
        self._published = published or PublishedRecords()
        self._zones = zones
        #: Where the records of names are published.
        self._places: dict[str, str] = {}
        #: Where an earlier process published: "" for a record's own name. None looks that up.
        self._only_at: str | None = None
        self._presented: set[Challenge] = set()
        self._doubtful: set[Challenge] = set()

    def keep_accounts(self, accounts: MutableMapping[str, str]) -> None:
        """Gives providers that register accounts a place for them."""
        self._providers.keep_accounts(accounts)

    def prepare(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Finds out where CNAME records lead from the names. Raises DnsError "record" if they lead nowhere."""
        domains = {self.name_for(challenge): challenge.identifier.value for challenge in challenges}
        wanted = [name for name in domains if name not in self._places]
        if self._zones is None or not wanted:
            return
        from ..dns.delegation import delegations

        for name, found in delegations(context, self._zones, wanted).items():
            if found.is_endless:
                provider = self._providers.for_name(name, domains[name]).name
                raise DnsError(provider, "record", f"{CREATING}: {name} is an alias: {found.trouble}")
            if found.trouble:
                context.tell("dns_cname_unknown", record=name, message=found.trouble)
            if found.published_name != name:
                context.tell("dns_delegated", record=name, published_name=found.published_name)
            self._places[name] = found.published_name

    def width(self, challenge: Challenge) -> int:
        """Returns how many records its provider takes at the same time."""
        return _WIDTH if habits_of(self._provider_of(challenge)).side_by_side else 1

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        """Returns the provider, its endpoint, which has no credentials in it, and the name if it is another."""
        provider, at = self._provider_of(challenge), self.published_name(challenge)
        place = {"provider": provider.name, "endpoint": provider.endpoint}
        return place if at == self.name_for(challenge) else {**place, "published_name": at}

    def at(self, place: Mapping[str, str]) -> Dns01 | None:
        """Returns a solver that cleans up where an earlier process published; None without access to its provider."""
        providers = self._providers.at(place.get("provider", ""), place.get("endpoint", ""))
        if providers is None:
            return None
        found = type(self)(providers, published=self._published)
        found._only_at = place.get("published_name", "")
        return found

    def name_for(self, challenge: Challenge) -> str:
        """Returns the name of the challenge's TXT record."""
        return validation_name(challenge.identifier.value)

    def published_name(self, challenge: Challenge) -> str:
        """Returns the name at which the record is published: the record's own, or where CNAME records lead."""
        name = self.name_for(challenge)
        return self._places.get(name, name) if self._only_at is None else self._only_at or name

    def record(self, challenge: Challenge) -> tuple[str, str]:
        """Returns the name and the value of the challenge's TXT record."""
        return self.name_for(challenge), validation_value(challenge.key_authorization)

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the record's name, and the name at which it is published if that is another."""
        name, at = self.name_for(challenge), self.published_name(challenge)
        return {"record": name} if at == name else {"record": name, "published_name": at}

    def present(self, context: Context, challenge: Challenge) -> None:
        self._presented.add(challenge)
        self.prepare(context, [challenge])
        name, value = self.record(challenge)
        self._doubtful.discard(challenge)
        try:
            at = self.published_name(challenge)
            self._published.publish(context, self._provider_of(challenge), name, value, at)
        except (DnsError, HttpError) as error:
            if not error.has_changed:
                self._doubtful.add(challenge)
            raise

    def wait(self, context: Context, challenge: Challenge) -> None:
        self.wait_all(context, [challenge])

    def wait_all(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Waits until the DNS servers show all values."""
        if self._check is None:
            return
        for challenge in challenges:
            context.tell("dns_wait", **self.describe(challenge))
        settling = max(habits_of(self._provider_of(challenge)).settle_seconds for challenge in challenges)
        context.sleep(min(settling, self._check.timeout), "propagation")
        self._check.wait(context, [self.record(challenge) for challenge in challenges], self._zones)
        for challenge in challenges:
            context.tell("dns_shown", **self.describe(challenge))

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes the value. Tries again after a temporary failure, until the context is over.

        Does not where publishing failed already: that record is probably not there, and nobody should wait for it.
        """
        name, value = self.record(challenge)
        provider, at = self._provider_of(challenge), self.published_name(challenge)
        if challenge in self._presented and value not in self._published.values(provider, name, at):
            return  # the provider refused to publish it, or it is removed already
        backoff = Backoff(*CLEAN_UP_PAUSES_SECONDS)
        while True:
            pause = backoff.next()
            try:
                self._published.remove(context, provider, name, value, at)
                return
            except (DnsError, HttpError, WaitTimeout) as error:
                if challenge in self._doubtful or not may_pass(error) or pause >= context.remaining():
                    raise
            context.tell("dns_retry", record=name, seconds=pause)
            context.sleep(pause, "provider")

    def _provider_of(self, challenge: Challenge) -> Provider:
        return self._providers.for_name(self.published_name(challenge), challenge.identifier.value)


def dns01_solver(options: SolverOptions) -> Dns01:
    """Returns the solver for a provider.

    Raises as open_providers(); ArgumentError "provider", "resolvers", "propagation" or "propagation_timeout".
    """
    return Dns01(*parts_of(options, Dns01.challenge_type))


def parts_of(
    options: SolverOptions, name: str
) -> tuple[Providers, PropagationCheck | None, PublishedRecords, Zones | None]:
    """Returns the arguments of a DNS solver. `name` is its challenge type, for the error."""
    if options.provider is None:
        raise ArgumentError("provider", f"-provider is required: {name} needs a DNS provider")
    from ..dns.propagation import propagation_check
    from ..dns.registry import open_providers
    from ..dns.zones import zones_through

    check = propagation_check(options.propagation, options.resolvers, options.propagation_timeout)
    zones = zones_through(options.resolvers) if options.follow_cname else None
    return open_providers(options.provider, options.resolvers), check, PUBLISHED, zones


TYPE = ChallengeType(Dns01.challenge_type, dns01_solver, _LABEL)
