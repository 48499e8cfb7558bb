"""The zone of a name by its SOA record, and the servers that are authoritative for it."""

from __future__ import annotations

from collections.abc import Callable

import dns.name
import dns.resolver

from .resolver import LOOKUP_SECONDS, LookupFailed, Nameserver, final_name, host_addresses

#: Servers that are asked at once: more than any zone needs, though it may list thousands.
MOST_SERVERS = 32


def authoritative_servers(
    resolver: dns.resolver.Resolver, name: str, check: Callable[[], None] = lambda: None
) -> tuple[str, list[Nameserver]]:
    """Returns the name at the end of the CNAMEs, and its zone's servers at all their addresses.

    Calls `check` between two queries; it ends the search by raising.
    Raises LookupFailed, OSError or dnspython's DNSException if the DNS does not answer now.
    """
    target = final_name(resolver, dns.name.from_text(name))
    zone = dns.resolver.zone_for_name(target, resolver=resolver, lifetime=LOOKUP_SECONDS)
    servers: list[Nameserver] = []
    for host in sorted(str(record.target) for record in resolver.resolve(zone, "NS"))[:MOST_SERVERS]:
        check()
        addresses = host_addresses(resolver, host)
        servers += [Nameserver(host, resolver.port, address, recursive=False) for address in addresses]
    if not servers:
        raise LookupFailed(f"no address is known for the servers of {zone}")
    return target.to_text(omit_final_dot=True).lower(), servers[:MOST_SERVERS]
