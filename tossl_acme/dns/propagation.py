"""The wait until every DNS server that a CA may ask shows a published TXT value."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import dns.exception

from ..context import Backoff, Context
from ..errors import ArgumentError, WaitTimeout, error_context
from .resolver import (
    LookupFailed,
    Nameserver,
    TxtAnswer,
    ask_txt,
    default_resolvers,
    error_words,
    parse_resolver,
    system_resolver,
)
from .zones import MOST_SERVERS, authoritative_servers

#: Seconds that one server may take for one answer.
_QUERY_SECONDS = 2.0
#: Seconds between two rounds, at most.
_MAX_PAUSE_SECONDS = 2.0
#: Servers that an error names.
_MOST_NAMED = 8
_WHAT = "propagation"


@dataclass(frozen=True)
class PropagationCheck:
    """Waits until every server asked shows a TXT value.

    Asks the zone's authoritative servers at all their addresses, or instead of these all of `resolvers` ("host",
    "host:port", "[v6]:port"; default: TOSSL_RESOLVERS). Name resolvers if the zone's servers cannot be reached from
    here, or are not the servers that the world sees.

    timeout: seconds, within the context. Raises ArgumentError "resolvers".
    """

    resolvers: Sequence[str] = ()
    timeout: float = 300.0

    def __post_init__(self) -> None:
        given = tuple(self.resolvers)
        object.__setattr__(self, "resolvers", tuple(dict.fromkeys(given or default_resolvers())))
        with nullcontext() if given else error_context("TOSSL_RESOLVERS in the environment", ArgumentError):
            _check_resolvers(self.resolvers)

    def wait(self, context: Context, name: str, value: str) -> None:
        """Returns once every server shows the value.

        Raises WaitTimeout("propagation") naming the servers that do not.
        """
        part = context.narrowed(self.timeout)
        asked = name
        servers: dict[Nameserver, TxtAnswer] = {}
        trouble = ""
        try:
            backoff = Backoff(most=_MAX_PAUSE_SECONDS)
            while True:
                try:
                    if not servers:
                        asked, found = part.run(lambda: self._servers(part, name), _WHAT)
                        servers = dict.fromkeys(found, TxtAnswer(trouble="did not answer"))
                    if _ask_lagging(part, servers, asked, value):
                        return
                except (dns.exception.DNSException, OSError, LookupFailed) as error:
                    trouble = f"cannot find the DNS servers of {name}: {error_words(error)}"
                part.sleep(backoff.next(), _WHAT)
        except WaitTimeout:
            raise WaitTimeout(_WHAT, _timeout_message(part, asked, value, servers, trouble)) from None

    def _servers(self, context: Context, name: str) -> tuple[str, list[Nameserver]]:
        """Returns the name to ask for, and the servers to ask."""
        if self.resolvers:
            return name, [parse_resolver(text).located() for text in self.resolvers]
        return authoritative_servers(system_resolver(), name, lambda: context.check(_WHAT))


def _check_resolvers(resolvers: Sequence[str]) -> None:
    for text in resolvers:
        parse_resolver(text)
    if len(resolvers) > MOST_SERVERS:
        raise ArgumentError("resolvers", f"no more than {MOST_SERVERS} DNS servers can be asked")


def _ask_lagging(context: Context, servers: dict[Nameserver, TxtAnswer], name: str, value: str) -> bool:
    """Asks the servers that did not show the value yet, all at once. Returns whether all have shown it by now."""
    lagging = [server for server, answer in servers.items() if value not in answer.values]
    seconds = min(_QUERY_SECONDS, max(0.05, context.remaining()))
    for server, answer in context.run_each(lambda server: ask_txt(server, name, seconds), lagging, _WHAT):
        servers[server] = answer
    reachable = [answer for answer in servers.values() if not answer.no_route]
    return bool(reachable) and all(value in answer.values for answer in reachable)


def _timeout_message(
    context: Context, name: str, value: str, servers: dict[Nameserver, TxtAnswer], trouble: str
) -> str:
    late = [f"{s} {a}" for s, a in servers.items() if value not in a.values and not a.no_route]
    late = late or [f"{s} {a}" for s, a in servers.items() if value not in a.values]
    more = [f"{len(late) - _MOST_NAMED} more"] if len(late) > _MOST_NAMED else []
    cause = "; ".join(late[:_MOST_NAMED] + more) or trouble or "no server answered"
    return f"DNS propagation timeout: {name} does not show {value!r} everywhere after {context.limit:g} s: {cause}"
