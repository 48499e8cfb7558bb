"""CNAME records that delegate the name of a validation record to another zone, perhaps at another provider."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from ..context import Context
from ..errors import WaitTimeout
from .failure import LookupFailed
from .resolver import QUERY_SECONDS, Nameserver, ask, dns_name, name_text
from .zones import Zones, is_lame, referral_in

#: Seconds for all names of an order.
DELEGATION_SECONDS = 5.0
_MOST_ALIASES = 10
_MOST_REFERRALS = 5
#: Names that one thread follows.
_NAMES_PER_THREAD = 4
_WHAT = "the CNAME records"
_SILENT = f"the DNS servers did not answer in {DELEGATION_SECONDS:g} s"


@dataclass(frozen=True)
class Delegation:
    """Where the record of a name has to be published.

    trouble: the reason why the DNS does not tell, or why the aliases lead nowhere (is_endless).
    """

    published_name: str
    trouble: str = ""
    is_endless: bool = False


def delegations(context: Context, zones: Zones, names: Collection[str]) -> dict[str, Delegation]:
    """Returns the end of the aliases at each name, looked up side by side in five seconds at most.

    An alias that a wildcard makes up is none: a record at the name takes its place. Where the DNS gives no answer, the
    end is the last name to which an alias is known to lead, else the name itself. Raises as Context.check() does.
    """
    part = context.narrowed(DELEGATION_SECONDS)
    wanted = list(dict.fromkeys(names))
    batches = [tuple(wanted[at : at + _NAMES_PER_THREAD]) for at in range(0, len(wanted), _NAMES_PER_THREAD)]
    found = {name: Delegation(name, _SILENT) for name in wanted}
    with suppress(WaitTimeout):
        for _done in part.run_each(lambda batch: _follow(part, zones, batch, found), batches, _WHAT):
            pass
    context.check(_WHAT)
    return dict(found)  # a thread that is late changes the other


def _follow(context: Context, zones: Zones, names: Collection[str], found: dict[str, Delegation]) -> None:
    """Follows the aliases of each name. `found` has at each time what is known."""
    for name in names:
        try:
            _follow_name(context, zones, name, found)
        except LookupFailed as error:
            found[name] = Delegation(found[name].published_name, f"{error}")
        except WaitTimeout:
            break


def _follow_name(context: Context, zones: Zones, name: str, found: dict[str, Delegation]) -> None:
    path = [dns_name(name)]
    while (target := _alias(context, zones, path[-1])) is not None:
        if target in path or len(path) > _MOST_ALIASES:
            way = " -> ".join(name_text(each) for each in [*path, target])
            found[name] = Delegation(name, f"its CNAME records lead to no end: {way}", is_endless=True)
            return
        path.append(target)
        found[name] = Delegation(name_text(target), _SILENT)
    found[name] = Delegation(found[name].published_name)


def _alias(context: Context, zones: Zones, name: dns.name.Name) -> dns.name.Name | None:
    """Returns the target of the alias at the name, None if there is none but by a wildcard."""
    # TXT is what CAs ask for: some servers know no CNAME, and say SERVFAIL. Others say that to an alias without end.
    trouble = LookupFailed(f"nobody answers for {name_text(name)}")
    for kind in (dns.rdatatype.TXT, dns.rdatatype.CNAME):
        try:
            server, response = _answer(context, zones, name, kind)
        except LookupFailed as error:
            trouble = error
            continue
        target = first_alias(response, name)
        if target is None:
            return None
        # A wildcard makes the same of its own name.
        wildcard = dns.name.Name((b"*", *name.parent().labels))
        synthesised = ask(server, wildcard, kind, min(QUERY_SECONDS, context.remaining()), context.issuance)
        return None if first_alias(synthesised, wildcard) == target else target
    raise trouble


def _answer(
    context: Context, zones: Zones, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> tuple[Nameserver, dns.message.Message]:
    """Returns a server that is authoritative for the name, and its answer. Raises LookupFailed."""
    zone = zones.zone_above(context, name)
    servers = zones.servers(context, zone)
    trouble = LookupFailed(f"the servers of {name_text(zone)} do not answer")
    for _ in range(_MOST_REFERRALS):
        referral = None
        for server in servers:
            context.check(_WHAT)
            try:
                response = ask(server, name, kind, min(QUERY_SECONDS, context.remaining()), context.issuance)
            except LookupFailed as error:
                trouble = error
                continue
            if response.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
                trouble = LookupFailed(f"{server} answered {dns.rcode.to_text(response.rcode())}")
                continue
            referral = referral_in(response, zone, name)
            if referral is None and is_lame(response):
                trouble = LookupFailed(f"{server} is not authoritative for the zone")
                continue
            if referral is None:
                return server, response
            zone, servers = referral.zone, zones.located(context, referral.hosts)
            break
        if referral is None:
            break
    raise trouble


def first_alias(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name | None:
    """Returns the target of the CNAME at the name in an answer, None if there is none."""
    for found in response.answer:
        if found.rdtype == dns.rdatatype.CNAME and found.name == name:
            target: dns.name.Name = found[0].target
            return target
    return None
