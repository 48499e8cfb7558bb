"""Waiting until a published TXT value is seen by the DNS servers that a CA would ask."""

from __future__ import annotations

import errno
import ipaddress
import os
import queue
import re
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.nameserver
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from ..context import CANCEL_POLL_SECONDS, Context
from ..errors import ArgumentError, DnsError, WaitTimeout
from ..text import quoted
from .names import normal_name

_T = TypeVar("_T")

#: Seconds that one server may take for one answer, and each step of the search for the zone's servers.
_QUERY_SECONDS = 2.0
_SEARCH_SECONDS = 10.0
#: Seconds between two rounds, at most.
_LONGEST_PAUSE = 2.0
_MOST_ALIASES = 10
_MOST_SERVERS = 32
_WHAT = "propagation"
#: The machine has no way to that address at all, for example none to IPv6.
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


@dataclass(frozen=True)
class Nameserver:
    """A DNS server to ask; `host` is a name or an address."""

    host: str
    port: int
    address: str = ""
    recursive: bool = True

    def __str__(self) -> str:
        return self.host if self.host == self.address else f"{self.host} ({self.address})"


@dataclass(frozen=True)
class _Answer:
    values: tuple[str, ...] = ()
    trouble: str = ""
    no_route: bool = False

    def __str__(self) -> str:
        return self.trouble or f"shows {', '.join(map(repr, self.values))}"


class _NotFound(Exception):
    """The servers to ask cannot be told, as things are now."""


def default_resolvers() -> tuple[str, ...]:
    """The servers named in TOSSL_RESOLVERS (separated by space), as the environment is now."""
    return tuple(os.environ.get("TOSSL_RESOLVERS", "").split())


@dataclass(frozen=True)
class PropagationCheck:
    """Waits until every server asked shows a TXT value.

    Asked are the zone's authoritative servers at all their addresses. `resolvers` ("host", "host:port",
    "[v6]:port"; without any: TOSSL_RESOLVERS) are asked instead of those, and all of them must show the value; name
    them where the zone's servers cannot be reached from here or are not those that the world sees.

    timeout: seconds, within the context. port: of the authoritative servers. lookup: servers that find the zone,
    instead of the system's resolvers.
    """

    resolvers: Sequence[str] = ()
    timeout: float = 300.0
    port: int = 53
    lookup: Sequence[str] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "resolvers", tuple(self.resolvers) or default_resolvers())
        for text in (*self.resolvers, *self.lookup):
            parse_resolver(text)

    def wait(self, context: Context, fqdn: str, value: str) -> None:
        """Returns once the value is seen. Raises WaitTimeout("propagation") naming the servers that do not show it."""
        name = normal_name(fqdn)
        part = context.narrowed(self.timeout)
        servers: dict[Nameserver, _Answer] = {}
        trouble = ""
        try:
            for pause in part.pauses(_WHAT, most=_LONGEST_PAUSE):
                try:
                    if not servers:
                        name, found = _in_background(part, lambda: self._servers(fqdn))
                        servers = dict.fromkeys(found, _Answer(trouble="did not answer"))
                    if _ask_lagging(part, servers, name, value):
                        return
                except (dns.exception.DNSException, OSError, _NotFound) as error:
                    trouble = f"cannot find the DNS servers of {normal_name(fqdn)}: {_words(error)}"
                part.sleep(pause, _WHAT)
        except WaitTimeout:
            raise WaitTimeout(_WHAT, _timeout_message(part, name, value, servers, trouble)) from None

    def _servers(self, fqdn: str) -> tuple[str, list[Nameserver]]:
        """The name to ask for and the servers to ask for it."""
        if self.resolvers:
            return normal_name(fqdn), [_located(parse_resolver(text)) for text in self.resolvers]
        resolver = _resolver(self.lookup)
        target = _final_name(resolver, dns.name.from_text(normal_name(fqdn)))
        zone = dns.resolver.zone_for_name(target, resolver=resolver, lifetime=_SEARCH_SECONDS)
        servers = [
            Nameserver(host, self.port, address, recursive=False)
            for host in sorted(str(ns.target) for ns in resolver.resolve(zone, "NS"))
            for address in _addresses(resolver, host)
        ]
        if not servers:
            raise _NotFound(f"no address is known for the servers of {zone}")
        return normal_name(str(target)), servers[:_MOST_SERVERS]


def parse_resolver(text: str) -> Nameserver:
    """ "host", "host:port", "v6" or "[v6]:port"; anything else is an ArgumentError."""
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?|([^\s:\[\]/@]+)(?::(\d{1,5}))?", text)
    if match is None:
        host, port = text, 53
    else:
        host, port = match[1] or match[3], int(match[2] or match[4] or 53)
    valid = _is_address(host) if ":" in host else bool(re.fullmatch(r"[A-Za-z0-9_.-]{1,253}", host))
    if not valid or not 0 < port < 65536:
        expected = "host, host:port or [v6]:port is expected"
        raise ArgumentError("resolvers", f"{quoted(text)} is not a DNS server: {expected}")
    return Nameserver(host, port)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _located(server: Nameserver) -> Nameserver:
    """The server with its address, found through the system."""
    found = socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)
    return Nameserver(server.host, server.port, str(found[0][4][0]))


def _resolver(lookup: Sequence[str]) -> dns.resolver.Resolver:
    try:
        resolver = dns.resolver.Resolver(configure=not lookup)
    except dns.resolver.NoResolverConfiguration:
        cause = "this machine names no DNS resolver (/etc/resolv.conf), and none was given"
        raise DnsError(_WHAT, "zone", f"Cannot check DNS propagation: {cause}") from None
    if lookup:
        servers = [_located(parse_resolver(text)) for text in lookup]
        resolver.nameservers = [dns.nameserver.Do53Nameserver(s.address, s.port) for s in servers]
    resolver.lifetime = _SEARCH_SECONDS
    return resolver


def _final_name(resolver: dns.resolver.Resolver, name: dns.name.Name) -> dns.name.Name:
    """Where the name's aliases lead: the validation of one domain is often delegated to another by CNAME."""
    for _ in range(_MOST_ALIASES):
        try:
            answer = resolver.resolve(name, "CNAME")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return name
        name = answer[0].target
    raise _NotFound(f"more than {_MOST_ALIASES} aliases, at last {name}")


def _addresses(resolver: dns.resolver.Resolver, host: str) -> list[str]:
    found: list[str] = []
    for kind in ("A", "AAAA"):
        try:
            found += [str(record.address) for record in resolver.resolve(host, kind)]
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer, dns.resolver.NoNameservers):
            continue
    return found


def _ask_lagging(context: Context, servers: dict[Nameserver, _Answer], name: str, value: str) -> bool:
    """Asks those that did not show the value yet, all at once; whether everyone has shown it by now."""
    lagging = [server for server, answer in servers.items() if value not in answer.values]
    seconds = min(_QUERY_SECONDS, max(0.05, context.remaining()))
    asked = _each_in_background(context, lagging, lambda server: _ask(server, name, seconds))
    for server, answer in asked:
        servers[server] = answer
    reachable = [answer for answer in servers.values() if not answer.no_route]
    return bool(reachable) and all(value in answer.values for answer in reachable)


def _ask(server: Nameserver, name: str, seconds: float) -> _Answer:
    query = dns.message.make_query(name, dns.rdatatype.TXT, use_edns=0, payload=1232)
    if not server.recursive:
        query.flags &= ~dns.flags.RD
    try:
        response, _by_tcp = dns.query.udp_with_fallback(
            query, server.address, timeout=seconds, port=server.port, ignore_unexpected=True
        )
    except OSError as error:
        return _Answer(trouble=f"cannot be asked: {_words(error)}", no_route=error.errno in _NO_ROUTE)
    except dns.exception.Timeout:
        return _Answer(trouble="did not answer")
    except dns.exception.DNSException as error:
        return _Answer(trouble=f"answered nonsense: {_words(error)}")
    if response.rcode() != dns.rcode.NOERROR:
        return _Answer(trouble=f"answered {dns.rcode.to_text(response.rcode())}")
    records = [record for found in response.answer if found.rdtype == dns.rdatatype.TXT for record in found]
    values = tuple(b"".join(record.strings).decode("utf-8", "replace") for record in records)
    return _Answer(values) if values else _Answer(trouble="shows no TXT record")


def _each_in_background(
    context: Context, items: Iterable[Nameserver], work: Callable[[Nameserver], _Answer]
) -> Iterable[tuple[Nameserver, _Answer]]:
    """The items with what `work` made of each, as they come; leaves early when the context is over."""
    done: queue.SimpleQueue[tuple[Nameserver, _Answer]] = queue.SimpleQueue()
    waiting = list(items)
    for item in waiting:
        threading.Thread(target=lambda at=item: done.put((at, work(at))), name="tossl-dns", daemon=True).start()
    for _ in waiting:
        yield _next(context, done)


def _in_background(context: Context, work: Callable[[], _T]) -> _T:
    """What `work` returns or raises; it is left to end by itself when the context is over first."""
    done: queue.SimpleQueue[tuple[_T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            done.put((work(), None))
        except Exception as error:  # noqa: BLE001 - raised again by the thread that waits
            done.put((None, error))

    threading.Thread(target=run, name="tossl-dns", daemon=True).start()
    result, error = _next(context, done)
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def _next(context: Context, done: queue.SimpleQueue[_T]) -> _T:
    while True:
        context.check(_WHAT)
        try:
            return done.get(timeout=max(0.001, min(CANCEL_POLL_SECONDS, context.remaining())))
        except queue.Empty:
            continue


def _timeout_message(context: Context, name: str, value: str, servers: dict[Nameserver, _Answer], trouble: str) -> str:
    late = [f"{s} {a}" for s, a in servers.items() if value not in a.values and not a.no_route]
    late = late or [f"{s} {a}" for s, a in servers.items() if value not in a.values]
    cause = "; ".join(late) or trouble or "no server answered"
    return f"DNS propagation timeout: {name} does not show {value!r} everywhere after {context.limit:g} s: {cause}"


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split())[:300] or type(error).__name__
