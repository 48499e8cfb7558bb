"""DNS servers, the system's resolver, and queries to them."""

from __future__ import annotations

import errno
import ipaddress
import os
import re
import socket
from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.resolver

from ..errors import ArgumentError, DnsError
from ..files import socket_beyond_standard
from ..identifiers import MAX_NAME_CHARS
from ..text import clean, quoted

DNS_PORT = 53
#: Seconds that the system's resolver may take for one query.
LOOKUP_SECONDS = 10.0
_MOST_ALIASES = 10
#: Values that a message shows, and characters of a foreign error's message.
_MOST_SHOWN_VALUES = 4
_MOST_WORDS_CHARS = 300
#: Errors of a machine without any route to the address, for example without IPv6.
_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}


def _new_socket(family: int, kind: int, protocol: int = 0) -> socket.socket:
    return socket_beyond_standard(socket.socket(family, kind, protocol))


dns.query.socket_factory = _new_socket


@dataclass(frozen=True)
class Nameserver:
    """A DNS server to ask; `host` is a name or an address, `address` is the name's address."""

    host: str
    port: int
    address: str = ""
    recursive: bool = True

    def __str__(self) -> str:
        return self.host if self.host == self.address else f"{self.host} ({self.address})"

    def located(self) -> Nameserver:
        """Returns the server with its address, found through the system. Raises OSError."""
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
        return Nameserver(self.host, self.port, str(found[0][4][0]), self.recursive)


@dataclass(frozen=True)
class TxtAnswer:
    """The TXT values that a server shows, or the reason why it shows none."""

    values: tuple[str, ...] = ()
    trouble: str = ""
    no_route: bool = False

    def __str__(self) -> str:
        if self.trouble:
            return self.trouble
        shown = [repr(clean(value)) for value in self.values[:_MOST_SHOWN_VALUES]]
        more = len(self.values) - len(shown)
        return f"shows {', '.join(shown)}" + (f" and {more} more" if more else "")


class LookupFailed(Exception):
    """The DNS gives no usable answer now; it may later."""


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
    valid = _is_address(host) if ":" in host else _is_host_name(host)
    if not valid or not 0 < port < 65536:
        expected = "host, host:port or [v6]:port is expected"
        raise ArgumentError("resolvers", f"{quoted(text)} is not a DNS server: {expected}")
    return Nameserver(host, port)


def system_resolver() -> dns.resolver.Resolver:
    """Returns the machine's configured resolver. Raises DnsError "zone" if no usable resolver is configured."""
    try:
        resolver = dns.resolver.Resolver()
    except (dns.resolver.NoResolverConfiguration, ValueError):
        cause = "this machine has no usable DNS resolver (/etc/resolv.conf); give -resolvers"
        raise DnsError("propagation", "zone", f"Cannot check DNS propagation: {cause}") from None
    resolver.port = DNS_PORT
    resolver.lifetime = LOOKUP_SECONDS
    return resolver


def final_name(resolver: dns.resolver.Resolver, name: dns.name.Name) -> dns.name.Name:
    """Returns the name at the end of the CNAMEs, which often delegate validation to another domain."""
    for _ in range(_MOST_ALIASES):
        try:
            answer = resolver.resolve(name, "CNAME")
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return name
        name = answer[0].target
    raise LookupFailed(f"more than {_MOST_ALIASES} aliases, at last {name}")


def host_addresses(resolver: dns.resolver.Resolver, host: str) -> list[str]:
    """Returns the addresses of a host, an empty list if the DNS has none or does not answer."""
    found: list[str] = []
    for kind in ("A", "AAAA"):
        try:
            found += [str(record.address) for record in resolver.resolve(host, kind)]
        except dns.exception.DNSException:
            continue
    return found


def ask_txt(server: Nameserver, name: str, seconds: float) -> TxtAnswer:
    """Asks one server for the TXT values of a name, for `seconds` at most. Raises nothing."""
    try:
        query = dns.message.make_query(name, dns.rdatatype.TXT, use_edns=0, payload=1232)
        if not server.recursive:
            query.flags &= ~dns.flags.RD
        response, _by_tcp = dns.query.udp_with_fallback(
            query, server.address, timeout=seconds, port=server.port, ignore_unexpected=True
        )
        return _txt_answer(response)
    except OSError as error:
        return TxtAnswer(trouble=f"cannot be asked: {error_words(error)}", no_route=error.errno in _NO_ROUTE)
    except dns.exception.Timeout:
        return TxtAnswer(trouble="did not answer")
    except Exception as error:  # noqa: BLE001 - a server's bytes may break a parser in any way
        return TxtAnswer(trouble=f"answered nonsense: {error_words(error)}")


def error_words(error: Exception) -> str:
    """Returns the message of an error of the system or of dnspython, short and clean: it may quote a server."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return clean(error, _MOST_WORDS_CHARS) or type(error).__name__


def _txt_answer(response: dns.message.Message) -> TxtAnswer:
    if response.rcode() != dns.rcode.NOERROR:
        return TxtAnswer(trouble=f"answered {dns.rcode.to_text(response.rcode())}")
    records = [record for found in response.answer if found.rdtype == dns.rdatatype.TXT for record in found]
    values = tuple(b"".join(record.strings).decode("utf-8", "replace") for record in records)
    return TxtAnswer(values) if values else TxtAnswer(trouble="shows no TXT record")


def _is_host_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    return len(host) <= MAX_NAME_CHARS and all(re.fullmatch(r"[A-Za-z0-9_-]{1,63}", label) for label in labels)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
