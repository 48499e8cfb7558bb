"""Whether the recursive servers themselves answer: where they do not, nothing is known of a zone or its servers."""

from __future__ import annotations

from collections.abc import Sequence

from ...context import Context
from ...dns.addresses import addresses_of
from ...dns.failure import LookupFailed
from ...dns.resolver import Resolver, resolver_for
from ...errors import Cancelled, TosslError

_ASK_SECONDS = 6.0


def silent_resolver(error: LookupFailed, resolver: Resolver) -> tuple[str, str]:
    """Returns which recursive server does not answer, and what to do; both empty where one answers."""
    if not error.silent_resolver:
        return "", ""
    if resolver.is_named:
        said = f"the resolver that -resolvers or TOSSL_RESOLVERS names ({error.silent_resolver}) does not answer"
        return said, "name another one, or look whether a firewall lets DNS through (port 53, UDP and TCP)"
    said = f"this machine's resolver ({error.silent_resolver}) does not answer"
    return said, "look at the network and at /etc/resolv.conf, or give another resolver by -resolvers"


def resolver_advice(context: Context, resolvers: Sequence[str], name: str) -> str:
    """Asks for the name. Returns what to do where no recursive server answers; else empty."""
    part = context.narrowed(_ASK_SECONDS)
    try:
        resolver = resolver_for(resolvers)
        part.run(lambda: addresses_of(part, resolver, name), "the resolver")
    except LookupFailed as error:
        return ": ".join(filter(None, silent_resolver(error, resolver)))
    except Cancelled:
        raise
    except TosslError:
        context.check("the resolver")
    return ""
