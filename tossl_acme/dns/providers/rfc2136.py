"""Dynamic updates (RFC 2136), signed with TSIG (RFC 8945): BIND, Knot, PowerDNS and other DNS servers.

https://bind9.readthedocs.io/en/stable/chapter6.html#dynamic-update (2026-11-26)
"""

from __future__ import annotations

import binascii
import re
import socket
from collections.abc import Callable, Iterable

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.query
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rdtypes.txtbase
import dns.rrset
import dns.tsig
import dns.update
from dns.rdtypes.ANY.TXT import TXT

from ...context import Backoff, Context
from ...errors import ArgumentError, DnsError, before_change
from ...files import absolute, read_secret
from ..api import CREATING, DELETING, context_of
from ..failure import LookupFailed
from ..provider import Credential, Habits, ProviderAccess
from ..resolver import error_words, parse_resolver

#: Seconds; for a record beside others theirs.
TTL_SECONDS = 60

_PORT = 53
#: Seconds that one address may take to answer by UDP, then by TCP.
_UDP_SECONDS, _TCP_SECONDS = 3.0, 10.0
#: Attempts after a server's temporary failure, and the seconds before the first and the last of them.
_ATTEMPTS, _PAUSES = 5, (0.25, 2.0)
_MOST_STRING_BYTES = 255
_MOST_KEY_FILE_BYTES = 65536
_KEY_FILE_SECONDS = 5.0
_ALGORITHMS = ("hmac-md5", "hmac-sha1", "hmac-sha224", "hmac-sha256", "hmac-sha384", "hmac-sha512")
#: A key as tsig-keygen writes it.
_KEY = re.compile(
    r'key\s+"?([^"\s{]+)"?\s*\{\s*algorithm\s+"?([A-Za-z0-9.-]+)"?\s*;\s*secret\s+"?([A-Za-z0-9+/=]+)"?\s*;\s*\}'
)
_WORDS = {
    dns.rcode.REFUSED: "the server refuses the update: this key may not change the record",
    dns.rcode.NOTAUTH: "the server is not authoritative for the zone, or takes the key for another's",
    dns.rcode.NOTZONE: "the record is not in the zone",
    dns.rcode.SERVFAIL: "the server failed",
    dns.rcode.FORMERR: "the server could not read the update",
    dns.rcode.NOTIMP: "the server takes no dynamic updates",
}


_Change = Callable[[dns.update.UpdateMessage], None]


class Rfc2136:
    """Sends signed updates to the zone's primary server, and asks it for the zone and for the values that exist."""

    name = "rfc2136"
    credentials = (
        Credential("server", "the zone's primary server: host or host:port", ("RFC2136_NAMESERVER",), secret=False),
        Credential("key_name", "the TSIG key's name", ("RFC2136_TSIG_KEY",), secret=False, required=False),
        Credential("key_secret", "the TSIG key, base64", ("RFC2136_TSIG_SECRET",), required=False),
        Credential(
            "key_algorithm", "the TSIG key's algorithm; default: hmac-sha256", ("RFC2136_TSIG_ALGORITHM",),
            secret=False, required=False,
        ),
        Credential(
            "key_file", "a file with the key, as tsig-keygen writes it, in place of the three above",
            ("RFC2136_TSIG_FILE",), secret=False, required=False, is_path=True, pattern=r"[^\0\n]*",
        ),
    )  # fmt: skip
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        self._server = _server(access.values["server"])
        self._key = _key(access)
        self.endpoint = f"dns://{self._server[0]}:{self._server[1]}"
        self._zones: dict[str, dns.name.Name] = {}

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""
        with context_of(CREATING):
            name = dns.name.from_text(fqdn)
            with before_change():
                there = self._texts(context, name)
                self._zone(context, name)
            ttl = there.ttl if there else TTL_SECONDS
            self._update(context, name, lambda update: update.add(name, ttl, _text_of(value)))

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Deletes this TXT value, or with None every TXT value at the name. Returns the deleted values."""
        with context_of(DELETING):
            name = dns.name.from_text(fqdn)
            records = [text for text in self._texts(context, name) or () if value in (None, _value_of(text))]
            if records:
                self._update(context, name, lambda update: _delete_each(update, name, records))
            return [_value_of(record) for record in records]

    def _texts(self, context: Context, name: dns.name.Name) -> dns.rrset.RRset | None:
        """Returns the TXT records at the name; an alias there would make the server ignore an update without a word."""
        answer = self._sent(context, dns.message.make_query(name, "TXT", flags=0))
        for found in answer.answer:
            if found.name == name and found.rdtype == dns.rdatatype.CNAME:
                raise DnsError(self.name, "record", f"{_shown(name)} is an alias of {_shown(found[0].target)}")
        return answer.get_rrset(answer.answer, name, dns.rdataclass.IN, dns.rdatatype.TXT)

    def _update(self, context: Context, name: dns.name.Name, change: _Change) -> None:
        update = dns.update.UpdateMessage(self._zone(context, name))
        change(update)
        answer = self._sent(context, update)
        if answer.rcode() != dns.rcode.NOERROR:
            raise self._refusal(answer)

    def _zone(self, context: Context, name: dns.name.Name) -> dns.name.Name:
        """Returns the zone of the record by its SOA, as the server itself sees it."""
        shown = _shown(name)
        if shown not in self._zones:
            self._zones[shown] = self._found_zone(context, name)
        return self._zones[shown]

    def _found_zone(self, context: Context, name: dns.name.Name) -> dns.name.Name:
        for at in range(len(name) - 1):
            asked = dns.name.Name(name.labels[at:])
            answer = self._sent(context, dns.message.make_query(asked, "SOA", flags=0))
            for found in (*answer.answer, *answer.authority):
                if found.rdtype == dns.rdatatype.SOA and name.is_subdomain(found.name):
                    return found.name
            for found in answer.authority:
                if found.rdtype == dns.rdatatype.NS and name.is_subdomain(found.name):
                    servers = ", ".join(sorted(_shown(record.target) for record in found))
                    cause = f"the zone {_shown(found.name)} is on other servers ({servers}), not on {self.endpoint}"
                    raise DnsError(self.name, "zone", cause)
        raise DnsError(self.name, "zone", f"{self.endpoint} has no zone for {_shown(name)}")

    def _sent(self, context: Context, message: dns.message.Message) -> dns.message.Message:
        """Returns the server's answer. Asks again where it did not answer, or failed. Raises DnsError."""
        if self._key is not None:
            message.use_tsig(self._key)
        backoff = Backoff(*_PAUSES)
        for attempts_left in range(_ATTEMPTS - 1, -1, -1):
            try:
                return self._answer(context, message)
            except DnsError as error:
                if error.errorcode[-1] != "answer" or not attempts_left:
                    raise
                context.tell("dns_retry", message=error.message)
            context.sleep(backoff.next(), "provider")
        raise AssertionError

    def _answer(self, context: Context, message: dns.message.Message) -> dns.message.Message:
        try:
            answer = context.run(lambda: self._exchanged(message), "provider")
        except dns.exception.FormError as error:
            if message.opcode() == dns.opcode.QUERY and message.keyring:
                # Knot does not sign that it has no such zone.
                asked = message.question[0]
                return self._answer(context, dns.message.make_query(asked.name, asked.rdtype, flags=0))
            if message.keyring and "TSIG" in str(error):
                cause = "answers without a signature: it does not know the TSIG key, or not with this algorithm"
                raise DnsError(self.name, "credentials", f"{self.endpoint} {cause}") from None
            raise self._unanswered(error) from None
        except _KEY_ERRORS as error:
            raise DnsError(self.name, "credentials", _key_words(error, self.endpoint)) from None
        except (dns.exception.DNSException, OSError, LookupFailed) as error:
            raise self._unanswered(error) from None
        if answer.rcode() == dns.rcode.SERVFAIL:
            raise self._refusal(answer)
        return answer

    def _unanswered(self, error: Exception) -> DnsError:
        return DnsError(self.name, "answer", f"{self.endpoint} cannot be asked: {error_words(error)}")

    def _exchanged(self, message: dns.message.Message) -> dns.message.Message:
        """Asks each address of the server, by UDP and then by TCP, until one answers."""
        host, port = self._server
        failed: Exception = LookupFailed("it has no address")
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        for address in dict.fromkeys(str(found[4][0]) for found in addresses):
            try:
                return _by_udp(message, address, port)
            except (dns.exception.Timeout, dns.query.BadResponse, dns.message.Truncated, OSError) as error:
                failed = error
            try:
                return dns.query.tcp(message, address, timeout=_TCP_SECONDS, port=port)
            except (dns.exception.Timeout, EOFError, OSError) as error:
                failed = error if not isinstance(error, EOFError) else LookupFailed("it closed the connection")
        raise failed

    def _refusal(self, answer: dns.message.Message) -> DnsError:
        code = answer.rcode()
        words = _WORDS.get(code, "the server refuses the update")
        kind = {dns.rcode.REFUSED: "credentials", dns.rcode.NOTAUTH: "zone", dns.rcode.NOTZONE: "zone",
                dns.rcode.SERVFAIL: "answer"}.get(code, "refused")  # fmt: skip
        return DnsError(self.name, kind, f"{self.endpoint} answered {dns.rcode.to_text(code)}: {words}")


_KEY_ERRORS = (dns.tsig.PeerError, dns.tsig.BadSignature, dns.tsig.BadKey, dns.tsig.BadTime, dns.message.UnknownTSIGKey)


def _by_udp(message: dns.message.Message, address: str, port: int) -> dns.message.Message:
    return dns.query.udp(
        message, address, timeout=_UDP_SECONDS, port=port, ignore_unexpected=True, raise_on_truncation=True
    )


def _key_words(error: Exception, endpoint: str) -> str:
    if isinstance(error, dns.tsig.PeerBadKey):
        return f"{endpoint} knows no TSIG key of this name and algorithm"
    if isinstance(error, dns.tsig.PeerBadSignature):
        return f"{endpoint} has another secret for this TSIG key"
    if isinstance(error, dns.tsig.PeerBadTime | dns.tsig.BadTime):
        return f"the clock of {endpoint} differs too much from this machine's for TSIG"
    return f"{endpoint} refuses the TSIG signature, or signs its answers with another key: {error_words(error)}"


def _server(text: str) -> tuple[str, int]:
    try:
        found = parse_resolver(text)
    except ArgumentError as error:
        raise ArgumentError("server", f"the server of rfc2136: {error.message}") from None
    return found.host, found.port or _PORT


def _key(access: ProviderAccess) -> dns.tsig.Key | None:
    """Returns the TSIG key, None without any. Raises ArgumentError with its wrong part."""
    given = access.values
    name, algorithm, secret = given["key_name"], given["key_algorithm"], given["key_secret"]
    if given["key_file"]:
        if name or secret:
            raise ArgumentError("key_file", "rfc2136 takes key_name and key_secret, or key_file, not both")
        name, algorithm, secret = _key_of_file(given["key_file"])
    if not name and not secret:
        return None
    for field, value in (("key_name", name), ("key_secret", secret)):
        if not value:
            raise ArgumentError(field, f"rfc2136 needs {field} beside the other part of the TSIG key")
    algorithm = (algorithm or "hmac-sha256").lower().removesuffix(".").removesuffix(".sig-alg.reg.int")
    if algorithm not in _ALGORITHMS:
        raise ArgumentError("key_algorithm", f"the TSIG key's algorithm must be one of {', '.join(_ALGORITHMS)}")
    full = "hmac-md5.sig-alg.reg.int" if algorithm == "hmac-md5" else algorithm
    try:
        binascii.a2b_base64(secret, strict_mode=True)
        return dns.tsig.Key(name, secret, full)
    except (ValueError, dns.exception.DNSException):
        raise ArgumentError("key_secret", "the TSIG key is not a domain name with a secret in base64") from None


def _key_of_file(path: str) -> tuple[str, str, str]:
    named = absolute(path)
    try:
        text = read_secret(named, _MOST_KEY_FILE_BYTES, _KEY_FILE_SECONDS).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", "") or str(error)
        raise ArgumentError("key_file", f"cannot read {named.shown}: {cause}") from None
    found = _KEY.search(text)
    if found is None:
        raise ArgumentError("key_file", f"{named.shown} has no key as tsig-keygen writes it")
    return found[1], found[2], found[3]


def _delete_each(update: dns.update.UpdateMessage, name: dns.name.Name, records: Iterable[dns.rdata.Rdata]) -> None:
    for record in records:
        update.delete(name, record)


def _value_of(record: dns.rdata.Rdata) -> str:
    """Returns the value of a TXT record, which may be split into several strings."""
    assert isinstance(record, dns.rdtypes.txtbase.TXTBase)
    return b"".join(record.strings).decode("utf-8", "replace")


def _text_of(value: str) -> dns.rdata.Rdata:
    """Returns the value as a TXT record: in strings of 255 bytes at most."""
    data = value.encode()
    strings = [data[at : at + _MOST_STRING_BYTES] for at in range(0, len(data), _MOST_STRING_BYTES)]
    return TXT(dns.rdataclass.IN, dns.rdatatype.TXT, strings or [b""])


def _shown(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)


PROVIDER = Rfc2136
