"""The A and AAAA records of a name."""

from __future__ import annotations

from dataclasses import dataclass

import dns.name
import dns.rcode
import dns.rdatatype

from ..context import Context
from .failure import LookupFailed
from .resolver import Resolver, dns_name
from .texts import last_name

#: Answers that are asked for along aliases: most resolvers give them all in one.
_MOST_ANSWERS = 5


@dataclass(frozen=True)
class Addresses:
    """The addresses of a name, IPv6 first, as CAs prefer these. exists: whether the DNS knows the name at all."""

    values: tuple[str, ...]
    exists: bool = True


def addresses_of(context: Context, resolver: Resolver, domain: str) -> Addresses:
    """Returns what the DNS says. Blocks. Raises LookupFailed if it does not answer, and as Context.check() does."""
    found: list[str] = []
    exists = False
    for kind in (dns.rdatatype.AAAA, dns.rdatatype.A):
        values, is_known = _of_kind(context, resolver, dns_name(domain), kind)
        found += values
        exists = exists or is_known
    return Addresses(tuple(dict.fromkeys(found)), exists)


def _of_kind(
    context: Context, resolver: Resolver, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> tuple[list[str], bool]:
    for _ in range(_MOST_ANSWERS):
        response = resolver.query(context, name, kind)
        end = last_name(response, name)
        values = [
            str(record.address)
            for found in response.answer
            if found.rdtype == kind and found.name == end
            for record in found
        ]
        if values or end == name:
            return values, response.rcode() != dns.rcode.NXDOMAIN
        name = end
    raise LookupFailed("its CNAME records lead to no end")
