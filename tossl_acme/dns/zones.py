"""The zone of a name by its SOA record, and the servers that are authoritative for it."""

from __future__ import annotations

from collections.abc import Callable

import dns.name
import dns.resolver

from .resolver import LOOKUP_SECONDS, LookupFailed, Nameserver, final_name, host_addresses

#: Asked at once. More than any zone needs, though it may list thousands.
MOST_SERVERS = 32


def authoritative_servers(
    resolver: dns.resolver.Resolver, name: str, check: Callable[[], None] = lambda: None
) -> tuple[str, list[Nameserver]]:
    """Returns where the aliases of the name lead, and the servers of the zone there at all their addresses.

    `check` is called between two questions and ends the search by raising.

    Raises LookupFailed, OSError or dnspython's DNSException where that cannot be found out now.
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
