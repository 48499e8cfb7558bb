"""DNS servers, and queries to them."""

from __future__ import annotations

import os
import re
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import dns.exception
import dns.flags
import dns.inet
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from ..context import Context
from ..errors import ArgumentError, DnsError, error_context
from ..files import socket_beyond_standard
from ..http.connect import NO_ROUTE
from ..identifiers import MAX_NAME_CHARS, is_address
from ..log import DEBUG, wants
from ..log import event as log_event
from ..text import clean, quoted
from .failure import LookupFailed

DNS_PORT = 53
#: Seconds that a server may take for one answer from its own data, and from others'.
QUERY_SECONDS = 2.0
LOOKUP_SECONDS = 4.0
#: Parts of that time: for a query with EDNS, without it, and by TCP.
_WITH_EDNS, _WITHOUT_EDNS = 0.3, 0.3
#: A UDP answer's bytes that pass every network unfragmented.
_PAYLOAD_BYTES = 1232
_MOST_WORDS_CHARS = 300
#: Answers of a server to which EDNS is a fault.
_NO_EDNS = {dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS}
_ANSWERED = {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}
_WHAT = "an answer of the DNS"
#: A server that gave no answer gets a part of that time for the next one, at least this; the seconds for which that is
#: remembered. Where outgoing DNS is blocked, each look-up of an order would take the whole time again.
_SILENT_PART, _LEAST_SILENT_SECONDS, _SILENT_FOR_SECONDS = 0.25, 0.25, 60.0
#: Seconds without an answer that count as a silence, where the server might have taken longer.
_SILENCE_SECONDS = 2.0


def _new_socket(family: int, kind: int, protocol: int = 0) -> socket.socket:
    return socket_beyond_standard(socket.socket(family, kind, protocol))


dns.query.socket_factory = _new_socket


class Silences:
    """The recursive servers of this process that gave no answer lately. Safe for several threads."""

    def __init__(self) -> None:
        #: The monotonic times of the first silence and of the last, and their number, by address and port.
        self._silent: dict[tuple[str, int], tuple[float, float, int]] = {}

    def seconds(self, server: Nameserver) -> float:
        """Returns the seconds that the server may take for its next answer."""
        first, _last, count = self._silent.get((server.address, server.port), (0.0, 0.0, 0))
        # From the first on: one that answers late would never have its time again if it is asked often.
        if not count or time.monotonic() - first > _SILENT_FOR_SECONDS:
            return LOOKUP_SECONDS
        return max(_LEAST_SILENT_SECONDS, LOOKUP_SECONDS * _SILENT_PART**count)

    def note_answer(self, server: Nameserver) -> None:
        """Remembers that it answers."""
        self._silent.pop((server.address, server.port), None)

    def note_failure(self, server: Nameserver, asked_at: float) -> None:
        """Remembers that it gave no answer to what it was asked at this monotonic time, if that was long enough."""
        place, now = (server.address, server.port), time.monotonic()
        if now - asked_at < 0.95 * min(_SILENCE_SECONDS, self.seconds(server)):
            return
        first, last, count = self._silent.get(place, (now, 0.0, 0))
        if now - first > _SILENT_FOR_SECONDS:
            first, count = now, 0
        # What was asked side by side counts once.
        self._silent[place] = first, now, count + 1 if asked_at >= last else max(1, count)

    def reset(self) -> None:
        """Forgets them."""
        self._silent.clear()


#: Those of this process.
SILENCES = Silences()


@dataclass(frozen=True)
class Nameserver:
    """A DNS server to ask; `host` is a name or an address, `address` is one of the name's addresses."""

    host: str
    port: int
    address: str = ""
    recursive: bool = True

    def __str__(self) -> str:
        return f"{self.host} ({self.address})" if self.address not in ("", self.host) else self.host

    def located(self) -> list[Nameserver]:
        """Returns the server at each of its addresses, found through the system. Raises LookupFailed."""
        if self.address:
            return [self]
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        except OSError as error:
            raise LookupFailed(f"the address of {self.host} cannot be found: {error_words(error)}") from None
        return [replace(self, address=address) for address in dict.fromkeys(str(each[4][0]) for each in found)]


class Resolver:
    """Recursive DNS servers, asked in turn. A server that gives no answer is asked last from then on."""

    def __init__(self, servers: Iterable[Nameserver], *, is_named: bool = False) -> None:
        self.servers = list(servers)
        #: Whether a user named them, for this call or in the environment.
        self.is_named = is_named

    def query(self, context: Context, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> dns.message.Message:
        """Returns an answer: NOERROR or NXDOMAIN. Blocks. Raises LookupFailed, and as Context.check() does."""
        trouble, is_served = "no DNS server is known", False
        for server in list(self.servers):
            try:
                for located in server.located():
                    context.check(_WHAT)
                    response = _asked(context, located, name, kind)
                    if response.rcode() in _ANSWERED:
                        return response
                    trouble = f"{located} answered {dns.rcode.to_text(response.rcode())}"
                    is_served = is_served or response.rcode() != dns.rcode.REFUSED
            except LookupFailed as error:
                trouble = f"{server.host} {error}"
                self.servers = [one for one in self.servers if one is not server] + [server]
        silent = "" if is_served else ", ".join(map(str, self.servers))
        asked = f"{name.to_text(omit_final_dot=True)} {dns.rdatatype.to_text(kind)}"
        raise LookupFailed(f"{asked}: {trouble}", silent_resolver=silent)


def _asked(
    context: Context, server: Nameserver, name: dns.name.Name, kind: dns.rdatatype.RdataType
) -> dns.message.Message:
    """Asks a recursive server, which gets less time after a silence. Raises LookupFailed."""
    asked_at = time.monotonic()
    try:
        response = ask(server, name, kind, min(SILENCES.seconds(server), context.remaining()), context.issuance)
    except LookupFailed:
        SILENCES.note_failure(server, asked_at)
        raise
    SILENCES.note_answer(server)
    return response


def resolver_for(resolvers: Sequence[str] = ()) -> Resolver:
    """Returns these servers, else those of TOSSL_RESOLVERS, else the machine's.

    Raises ArgumentError "resolvers"; DnsError "zone" if this machine has no usable resolver.
    """
    if resolvers:
        return Resolver([parse_resolver(text) for text in resolvers], is_named=True)
    with error_context("TOSSL_RESOLVERS in the environment", ArgumentError):
        named = [parse_resolver(text) for text in default_resolvers()]
    return Resolver(named, is_named=True) if named else Resolver(_system_servers())


def default_resolvers() -> tuple[str, ...]:
    """Returns the servers that TOSSL_RESOLVERS lists now (separated by space)."""
    return tuple(os.environ.get("TOSSL_RESOLVERS", "").split())


def parse_resolver(text: str) -> Nameserver:
    """Reads "host", "host:port", "v6" or "[v6]:port". Raises ArgumentError "resolvers" for anything else."""
    match = re.fullmatch(r"\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?|([^\s:\[\]/@]+)(?::([0-9]{1,5}))?", text)
    if match is None:
        host, port = text, DNS_PORT
    else:
        host, port = match[1] or match[3], int(match[2] or match[4] or DNS_PORT)
    valid = is_address(host) if ":" in host else _is_host_name(host)
    if not valid or not 0 < port < 65536:
        expected = "host, host:port or [v6]:port is expected"
        raise ArgumentError("resolvers", f"{quoted(text)} is not a DNS server: {expected}")
    return Nameserver(host, port)


def authoritative_server(host: str, address: str) -> Nameserver:
    """Returns one of a zone's servers."""
    return Nameserver(host, DNS_PORT, address, recursive=False)


def dns_name(text: str) -> dns.name.Name:
    """Returns a name with or without its final dot, in A-labels or U-labels (IDNA 2008). Raises LookupFailed."""
    try:
        return dns.name.from_text(text, idna_codec=dns.name.IDNA_2008_Practical)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise LookupFailed(f"{quoted(text)} is not a DNS name: {error_words(error)}") from None


def name_text(name: dns.name.Name) -> str:
    """Returns the name in lower case, without its final dot."""
    return name.to_text(omit_final_dot=True).lower()


def ask(
    server: Nameserver, name: dns.name.Name, kind: dns.rdatatype.RdataType, seconds: float, issuance: str = ""
) -> dns.message.Message:
    """Returns the answer of one server, whatever its code. Blocks, for `seconds` at most.

    Asks by UDP with EDNS, and again without if that is a fault to the server or brings no answer; by TCP if the answer
    is cut or neither brings one. Ignores answers to other questions. Raises LookupFailed alone.
    """
    begun, said, sets = time.monotonic(), "", 0
    try:
        response = _answer_of(server, name, kind, seconds)
        said, sets = dns.rcode.to_text(response.rcode()), len(response.answer)
    except LookupFailed as error:
        said = str(error)
        raise
    finally:
        if wants("tossl.dns", DEBUG):
            text = f"query {name_text(name)} {dns.rdatatype.to_text(kind)} at {server}: {said}"
            log_event("tossl.dns", DEBUG, text, issuance, sets=sets, ms=round((time.monotonic() - begun) * 1000))
    return response


def _answer_of(
    server: Nameserver, name: dns.name.Name, kind: dns.rdatatype.RdataType, seconds: float
) -> dns.message.Message:
    ends = time.monotonic() + seconds
    query = _query(server, name, kind, edns=False)
    try:
        for edns, share in ((True, _WITH_EDNS), (False, _WITHOUT_EDNS)):
            query = _query(server, name, kind, edns=edns)
            try:
                response = _by_udp(server, query, max(0.02, seconds * share))
            except dns.exception.Timeout:
                continue
            if not (edns and response.rcode() in _NO_EDNS):
                return _whole(server, query, response, ends) if response.flags & dns.flags.TC else response
    except Exception as error:  # noqa: BLE001 - a server's bytes may break a parser in any way
        raise _failure(error) from None
    try:
        return _by_tcp(server, query, ends)
    except LookupFailed:
        raise LookupFailed("did not answer") from None


def error_words(error: Exception) -> str:
    """Returns the message of an error of the system or of dnspython, short and clean: it may quote a server."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return clean(error, _MOST_WORDS_CHARS) or type(error).__name__


def _system_servers() -> list[Nameserver]:
    try:
        found = [str(address) for address in dns.resolver.Resolver().nameservers]
        for address in found:
            dns.inet.af_for_address(address)  # which dnspython does from 2.4 on
    except (dns.resolver.NoResolverConfiguration, ValueError):
        cause = "this machine has no usable DNS resolver (/etc/resolv.conf); give -resolvers"
        raise DnsError("propagation", "zone", f"Cannot check DNS propagation: {cause}") from None
    return [Nameserver(address, DNS_PORT, address) for address in found]


def _query(
    server: Nameserver, name: dns.name.Name, kind: dns.rdatatype.RdataType, *, edns: bool
) -> dns.message.QueryMessage:
    query = dns.message.make_query(name, kind, use_edns=0 if edns else -1, payload=_PAYLOAD_BYTES if edns else None)
    if not server.recursive:
        query.flags &= ~dns.flags.RD
    return query


def _by_udp(server: Nameserver, query: dns.message.QueryMessage, seconds: float) -> dns.message.Message:
    """Returns the answer to the query; waits on where anything else comes, which dnspython does from 2.6 on.

    Whoever guesses the port could end a look-up with a forged answer otherwise. Raises as dnspython does.
    """
    ends = time.time() + seconds
    family = dns.inet.af_for_address(server.address)
    destination = dns.inet.low_level_address_tuple((server.address, server.port), family)
    with _new_socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        dns.query.send_udp(sock, query.to_wire(), destination, ends)
        while True:
            try:
                response: dns.message.Message = dns.query.receive_udp(sock, destination, ends, True)[0]
            except (dns.exception.Timeout, OSError):
                raise
            except Exception:  # noqa: BLE001, S112 - a server's bytes may break a parser in any way
                continue
            if query.is_response(response):
                return response


def _whole(
    server: Nameserver, query: dns.message.QueryMessage, cut: dns.message.Message, ends: float
) -> dns.message.Message:
    """Returns the whole of an answer that was cut; the cut answer where TCP does not bring more."""
    try:
        return _by_tcp(server, query, ends)
    except LookupFailed:
        if cut.answer:
            return cut
        raise


def _by_tcp(server: Nameserver, query: dns.message.QueryMessage, ends: float) -> dns.message.Message:
    try:
        return dns.query.tcp(query, server.address, max(0.05, ends - time.monotonic()), server.port)
    except Exception as error:  # noqa: BLE001 - as above
        raise _failure(error) from None


def _failure(error: Exception) -> LookupFailed:
    if isinstance(error, LookupFailed):
        return error
    if isinstance(error, dns.exception.Timeout | TimeoutError):
        return LookupFailed("did not answer")
    if isinstance(error, EOFError):
        return LookupFailed("closed the connection without an answer")
    if isinstance(error, OSError):
        return LookupFailed(f"cannot be asked: {error_words(error)}", no_route=error.errno in NO_ROUTE)
    return LookupFailed(f"answered nonsense: {error_words(error)}")


def _is_host_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    return len(host) <= MAX_NAME_CHARS and all(re.fullmatch(r"[A-Za-z0-9_-]{1,63}", label) for label in labels)
