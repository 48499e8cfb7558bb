"""The removal of a validation record whose name a script gives."""

from __future__ import annotations

from ..context import Context
from ..dns.delegation import delegations
from ..dns.published import PUBLISHED, check_removed
from ..dns.registry import open_providers
from ..dns.zones import zones_through
from ..errors import ArgumentError
from ..text import quoted
from .registry import check_validation_name, is_validation_name
from .solver import SolverOptions


def remove_record(context: Context, options: SolverOptions, domain: str, name: str, value: str | None) -> None:
    """Removes this value of a record, else those that this process published, else every value at its name.

    Removes it from where this process published it, else from where CNAME records lead now. Raises ArgumentError
    "record_name" or "value", DnsError "record" if there is nothing, and as Provider.remove() does.
    """
    check_validation_name(name)
    assert options.provider is not None
    providers = open_providers(options.provider, options.resolvers)
    own = [
        (place, provider)
        for place in PUBLISHED.places(name)
        if PUBLISHED.values(provider := providers.for_name(place, domain), name, place)
    ]
    if not own:
        place = _place_now(context, options, name)
        if value is None and place != name and not is_validation_name(place):
            cause = f"{quoted(name)} leads to {quoted(place)}, which may have other records: name the value to remove"
            raise ArgumentError("value", cause)
        own = [(place, providers.for_name(place, domain))]
    removed = [one for place, provider in own for one in PUBLISHED.remove(context, provider, name, value, place)]
    check_removed(removed, own[0][1], own[0][0], value)
    context.tell("cleaned_up", domain=domain)


def _place_now(context: Context, options: SolverOptions, name: str) -> str:
    zones = zones_through(options.resolvers) if options.follow_cname else None
    return name if zones is None else delegations(context, zones, [name])[name].published_name
