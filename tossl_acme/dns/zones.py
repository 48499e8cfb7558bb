"""The zone of a name by its SOA record, and the servers that are authoritative for it (RFC 1034)."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from ..context import Context
from ..errors import DnsError, WaitTimeout
from .failure import LookupFailed
from .resolver import (
    QUERY_SECONDS,
    Nameserver,
    Resolver,
    ask,
    authoritative_server,
    dns_name,
    name_text,
    resolver_for,
)

#: Servers that are asked at once: more than any zone needs, though it may list thousands.
MOST_SERVERS = 32
#: Seconds for finding the zone of one name, and the addresses of one zone's servers.
ZONE_SECONDS = 5.0
_HOSTS_SECONDS = 5.0
#: Seconds until a zone's servers are looked up again, and the same where some could not be found.
_KEEP_SECONDS, _RETRY_SECONDS = 60.0, 2.0
#: Labels of a name that is looked for from its parent: `com` is not asked for example.com.
_LEAST_LABELS = 3
_WHAT = "the DNS zone"


@dataclass(frozen=True)
class _Known:
    """A zone's servers, and the monotonic time until which they are taken for right."""

    servers: tuple[Nameserver, ...]
    until: float


class Zones:
    """Finds zones and their servers through a resolver. Remembers both. Its methods block, and may run in any thread.

    A name of a record that is still to come is never asked for: the resolver, and perhaps the CA's, would keep the
    negative answer.
    """

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._zones: dict[dns.name.Name, dns.name.Name] = {}
        self._known: dict[dns.name.Name, _Known] = {}

    def zone_above(self, context: Context, name: dns.name.Name) -> dns.name.Name:
        """Returns the closest zone above the name, or the name if it has one or two labels and is a zone.

        Raises LookupFailed, and as Context.check() does.
        """
        trouble = LookupFailed(f"no zone is known for {name_text(name)}")
        at = name.parent() if len(name) > _LEAST_LABELS else name
        while at != dns.name.root:
            try:
                zone = self._zones.get(at) or zone_in(self._resolver.query(context, at, dns.rdatatype.SOA), at)
            except LookupFailed as error:  # some servers know no SOA below their zone
                trouble, zone = error, None
            if zone is not None:
                self._zones[at] = zone
                return zone
            at = at.parent()
        raise trouble

    def servers(self, context: Context, zone: dns.name.Name) -> tuple[Nameserver, ...]:
        """Returns the zone's servers at all their addresses; those whose address is not found are left out.

        Raises LookupFailed if no address is known, and as Context.check() does.
        """
        known = self._known.get(zone)
        if known is None or known.until < time.monotonic():
            hosts = sorted(
                str(record.target)
                for found in self._resolver.query(context, zone, dns.rdatatype.NS).answer
                if found.rdtype == dns.rdatatype.NS and found.name == zone
                for record in found
            )[:MOST_SERVERS]
            located = self.located(context, hosts)
            if not located:
                raise LookupFailed(f"no address is known for the servers of {name_text(zone)}")
            is_whole = {server.host for server in located} == set(hosts)
            known = _Known(located, time.monotonic() + (_KEEP_SECONDS if is_whole else _RETRY_SECONDS))
            self._known[zone] = known
        return known.servers

    def located(self, context: Context, hosts: Iterable[str]) -> tuple[Nameserver, ...]:
        """Returns these servers at all their addresses, looked up side by side. Leaves out what is not found."""
        part = context.narrowed(_HOSTS_SECONDS)
        wanted = list(dict.fromkeys(hosts))[:MOST_SERVERS]
        asked = [(host, kind) for host in wanted for kind in (dns.rdatatype.A, dns.rdatatype.AAAA)]
        found: dict[tuple[str, dns.rdatatype.RdataType], list[str]] = {}
        with suppress(WaitTimeout):
            found.update(part.run_each(lambda each: self._addresses(part, *each), asked, _WHAT))
        context.check(_WHAT)
        servers = [authoritative_server(each[0], address) for each in asked for address in found.get(each, ())]
        return tuple(servers[:MOST_SERVERS])

    def zone_of(self, context: Context, name: dns.name.Name) -> dns.name.Name:
        """Returns the zone of the name, which may be its apex. Raises LookupFailed, and as Context.check() does."""
        zone = self.zone_above(context, name)
        while zone != name:
            below = self._cut(context, zone, name)
            if below is None:
                return zone
            zone = below
        return zone

    def _cut(self, context: Context, zone: dns.name.Name, name: dns.name.Name) -> dns.name.Name | None:
        """Returns the zone below this one in which its servers say that the name is, None if it is in this one."""
        trouble = LookupFailed(f"the servers of {name_text(zone)} do not answer")
        # Some servers know no SOA below their zone.
        for kind in (dns.rdatatype.SOA, dns.rdatatype.TXT):
            for server in self.servers(context, zone):
                context.check(_WHAT)
                try:
                    response = ask(server, name, kind, min(QUERY_SECONDS, context.remaining()), context.issuance)
                except LookupFailed as error:
                    trouble = error
                    continue
                if response.rcode() in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                    referred = referral_in(response, zone, name)
                    found = referred.zone if referred is not None else zone_in(response, name)
                    if found is None and is_lame(response):
                        continue
                    return found if found is not None and found.is_subdomain(zone) and found != zone else None
        raise trouble

    def _addresses(self, context: Context, host: str, kind: dns.rdatatype.RdataType) -> list[str]:
        try:
            answer = self._resolver.query(context, dns_name(host), kind).answer
        except LookupFailed:
            return []
        return [str(record.address) for found in answer if found.rdtype == kind for record in found]


def zones_through(resolvers: Sequence[str] = ()) -> Zones | None:
    """Returns a finder that asks `resolvers`, else those of TOSSL_RESOLVERS, else the machine's.

    Returns None if this machine has no usable resolver. Raises ArgumentError "resolvers".
    """
    try:
        return Zones(resolver_for(resolvers))
    except DnsError:
        return None


@dataclass(frozen=True)
class Referral:
    """A server's answer that names the servers of a zone below."""

    zone: dns.name.Name
    hosts: tuple[str, ...]


def referral_in(response: dns.message.Message, zone: dns.name.Name, name: dns.name.Name) -> Referral | None:
    """Returns the referral in an answer of one of the zone's servers, None if it is not a referral."""
    if response.flags & dns.flags.AA or response.answer:
        return None
    for found in response.authority:
        is_between = name.is_subdomain(found.name) and found.name.is_subdomain(zone) and found.name != zone
        if found.rdtype == dns.rdatatype.NS and is_between:
            return Referral(found.name, tuple(sorted(str(record.target) for record in found)))
    return None


def is_lame(response: dns.message.Message) -> bool:
    """Returns whether one of a zone's servers that refers to no others does not know the zone."""
    return not (response.answer or response.flags & dns.flags.AA)


def zone_in(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Returns the owner of the SOA record in the answer to a SOA query, which is the zone of the name.

    None where there is none, or the name is an alias: the record is then that of the alias's target.
    """
    if any(found.rdtype == dns.rdatatype.CNAME and found.name == name for found in response.answer):
        return None
    for found in (*response.answer, *response.authority):
        is_above = name.is_subdomain(found.name) and found.name != dns.name.root
        if found.rdtype == dns.rdatatype.SOA and is_above:
            return found.name
    return None


def zone_name(context: Context, fqdn: str, resolvers: Sequence[str] = ()) -> str | None:
    """Returns the zone of a record's name as the DNS has it, in lower case without a final dot.

    Asks `resolvers`, else those of TOSSL_RESOLVERS, else the machine's, and the servers of the zone above; takes five
    seconds at most. Returns None where the DNS gives no definite answer, and for a top-level domain, in which nobody's
    record is. Raises WaitTimeout or Cancelled if the context is over, ArgumentError "resolvers".
    """
    part = context.narrowed(ZONE_SECONDS)
    try:
        zones = Zones(resolver_for(resolvers))
        zone = context.run(lambda: zones.zone_of(part, dns_name(fqdn)), _WHAT, ZONE_SECONDS)
    except (LookupFailed, DnsError, TimeoutError, WaitTimeout):
        context.check(_WHAT)
        return None
    return name_text(zone) if len(zone) >= _LEAST_LABELS else None
