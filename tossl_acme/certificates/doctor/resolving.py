"""Whether the recursive servers themselves answer: where they do not, nothing is known of a zone or its servers."""

from __future__ import annotations

from collections.abc import Sequence

from ...context import Context
from ...dns.addresses import addresses_of
from ...dns.failure import LookupFailed
from ...dns.resolver import Resolver, resolver_for
from ...errors import Cancelled, TosslError, WaitTimeout

_ASK_SECONDS = 6.0


def silent_resolver(context: Context, error: LookupFailed, resolver: Resolver) -> tuple[str, str]:
    """Returns which recursive server is of no use, and what to do; both empty where the trouble is that name's.

    Asks for the root of the DNS: a server that is silent about one name alone waits for that zone's servers.
    """
    part = context.narrowed(_ASK_SECONDS)
    try:
        part.run(lambda: addresses_of(part, resolver, "."), "the resolver")
        return "", ""
    except LookupFailed as of_root:
        if bool(of_root.silent_resolver) != bool(error.silent_resolver):
            return "", ""
        does = "does not answer" if error.silent_resolver else "can look up nothing, not even the root of the DNS"
    except WaitTimeout:
        context.check("the resolver")
        does = "does not answer"
    servers = ", ".join(map(str, resolver.servers))
    if resolver.is_named:
        said = f"the resolver that -resolvers or TOSSL_RESOLVERS names ({servers}) {does}"
        return said, "name another one, or look whether a firewall lets DNS through (port 53, UDP and TCP)"
    return f"this machine's resolver ({servers}) {does}", (
        "look at the network and at /etc/resolv.conf, or give another resolver by -resolvers"
    )


def resolver_advice(context: Context, resolvers: Sequence[str], name: str) -> str:
    """Asks for the name. Returns what to do where the recursive servers are of no use; else empty."""
    part = context.narrowed(_ASK_SECONDS)
    try:
        resolver = resolver_for(resolvers)
        part.run(lambda: addresses_of(part, resolver, name), "the resolver")
    except LookupFailed as error:
        return ": ".join(filter(None, silent_resolver(context, error, resolver)))
    except Cancelled:
        raise
    except TosslError:
        context.check("the resolver")
    return ""
