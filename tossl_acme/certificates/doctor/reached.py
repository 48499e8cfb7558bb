"""The addresses of the names, and what a CA would get there: the response to a throw-away token, over each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ...acme.authorization import Challenge
from ...challenges.registry import TYPES
from ...challenges.responses import unasked_hint
from ...challenges.seen import PORTS, AskedAt, Seen
from ...challenges.solver import ChallengeType, Solver
from ...context import Context
from ...dns.addresses import Addresses, addresses_of
from ...dns.failure import LookupFailed
from ...dns.resolver import Resolver, resolver_for
from ...errors import Cancelled, HttpError, TosslError
from ...identifiers import Identifier
from ..sharing import SharedAnswers
from .beside import each_finding, each_result
from .diagnosis import Diagnosis
from .near import belongs_to_nobody, has_address, has_route, is_of_the_internet, own_address
from .resolving import silent_resolver
from .shown import presented_for, throwaway
from .subjects import Examination, Subject, asked_of_each

_ADDRESS_SECONDS = 12.0
_BY_DNS = "where that cannot be, prove the name by dns-01 (-provider) or dns-persist-01 (tossl persist)"
_SET = "set an A record (and AAAA, if the server has IPv6) to the server's address"
_OUTSIDE = "have somebody outside ask for it, as https://letsdebug.net does"
#: Addresses of a name that are looked at, of each family: a CA asks few of them.
_MOST_ADDRESSES = 8
_LOOPBACK = ("127.0.0.1", "::1")


def reached_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Looks up the addresses of each name, and asks for a token over each where addresses prove the name."""
    names = asked_of_each(examined.subjects)
    return each_finding(
        context, "port", lambda part, one: _of_name(part, examined, *one), names, lambda one: one[1].value
    )


def _of_name(context: Context, examined: Examination, subject: Subject, domain: Identifier) -> list[Diagnosis]:
    solver = subject.solver(domain)
    kind = TYPES[solver.challenge_type] if solver is not None else None
    is_asked = kind is not None and kind.see is not None
    if not domain.is_provable_by_dns:
        found = Addresses((domain.value,))
        about = _of_values(subject, domain.value, found.values, is_asked=is_asked)
        findings = [] if about.status == "ok" or subject.is_of_a_public_ca else [about]
    else:
        try:
            resolver = resolver_for(subject.issuance.solvers.resolvers)
            found, findings = _looked_up(context, subject, resolver, domain, is_asked=is_asked)
        except TosslError as error:
            context.check("the addresses")
            return [Diagnosis.of_error("addresses", domain.value, error, "look at this machine's DNS")]
    if solver is None or kind is None or kind.see is None or not found.values:
        return findings
    usable = [value for value in found.values if not belongs_to_nobody(value)]
    chosen = [one for is_v6 in (True, False) for one in [v for v in usable if (":" in v) is is_v6][:_MOST_ADDRESSES]]
    findings += _left_out(domain.value, len(usable), len(chosen))
    if not chosen:
        return findings
    return [*findings, *_asked(context, examined, _Asked(subject, domain, solver, kind, chosen))]


def _left_out(name: str, count: int, looked: int) -> list[Diagnosis]:
    if count == looked:
        return []
    said = f"{looked} of its {count} addresses are asked, {count - looked} are left out"
    advice = f"a CA asks any of them: each must answer; remove the records that no server needs; {_BY_DNS}"
    return [Diagnosis.warned("addresses", name, said, advice, left_out=count - looked)]


def _looked_up(
    context: Context, subject: Subject, resolver: Resolver, domain: Identifier, *, is_asked: bool
) -> tuple[Addresses, list[Diagnosis]]:
    name = domain.value
    part = context.narrowed(_ADDRESS_SECONDS)
    try:
        found = part.run(lambda: addresses_of(part, resolver, name), "the addresses")
    except LookupFailed as error:
        silent, advice = silent_resolver(context, error, resolver)
        said = f"{silent}, so its addresses are not known" if silent else "the DNS does not tell its addresses"
        advice = advice or "look at the servers of its zone and at DNSSEC, for example at https://dnsviz.net"
        failed = Diagnosis.failed if is_asked else Diagnosis.warned
        return Addresses(()), [failed("addresses", name, f"{said}: {error}", advice)]
    if not found.values:
        cause = "it has neither an A nor an AAAA record" if found.exists else "the DNS knows no such name"
        if is_asked:
            return found, [Diagnosis.failed("addresses", name, cause, f"{_SET}; {_BY_DNS}")]
        if subject.trouble is not None:
            return found, [Diagnosis.warned("addresses", name, cause, _SET)]
        return found, [Diagnosis.ok("addresses", name, f"{cause}; its challenge needs none")]
    return found, [_of_values(subject, name, found.values, is_asked=is_asked)]


def _of_values(subject: Subject, name: str, values: Sequence[str], *, is_asked: bool) -> Diagnosis:
    """Judges whether a CA can reach the addresses. A private CA may reach private ones, but nobody link-local ones."""
    facts = {"addresses": list(values)}
    nobodys = [value for value in values if belongs_to_nobody(value)]
    if nobodys and is_asked:
        cause = f"no CA can reach {_listed(nobodys)}: link-local, unspecified or multicast"
        return Diagnosis.failed("addresses", name, cause, f"{_SET}, and remove such records; {_BY_DNS}", **facts)
    private = [value for value in values if not is_of_the_internet(value)]
    if private and is_asked and (subject.is_of_a_public_ca or not subject.issuance.directory):
        cause = f"no public CA can reach {_listed(private)}: no address of the Internet"
        if subject.is_of_a_public_ca:
            return Diagnosis.failed("addresses", name, cause, f"{_SET} in the Internet; {_BY_DNS}", **facts)
        advice = f"{_SET} in the Internet; {_BY_DNS}; nothing is wrong if the CA is your own: name it by -directory"
        return Diagnosis.warned("addresses", name, cause, advice, **facts)
    return Diagnosis.ok("addresses", name, _listed(values), **facts)


def _listed(values: Sequence[str]) -> str:
    more = len(values) - 2 * _MOST_ADDRESSES
    shown = ", ".join(values[: 2 * _MOST_ADDRESSES])
    return f"{shown} and {more} more" if more > 0 else shown


@dataclass(frozen=True, eq=False)
class _Asked:
    """A name whose addresses a CA asks, and how."""

    subject: Subject
    domain: Identifier
    solver: Solver
    kind: ChallengeType
    addresses: Sequence[str]

    @property
    def port(self) -> int:
        return PORTS[self.kind.scheme]

    def locate(self, context: Context) -> AskedAt:
        """Returns where to look, with no address yet."""

        def locate(host: str) -> str:
            resolver = resolver_for(self.subject.issuance.solvers.resolvers)
            try:
                values = context.run(lambda: addresses_of(context, resolver, host), "the addresses").values
            except LookupFailed as error:
                raise HttpError(
                    "dns", f"it redirects to {host}, whose addresses the DNS does not tell: {error}"
                ) from None
            if not values:
                raise HttpError("dns", f"it redirects to {host}, which has no address")
            return values[0]

        return AskedAt("", locate)


def _asked(context: Context, examined: Examination, asked: _Asked) -> list[Diagnosis]:
    """Presents a throw-away challenge, for the other nodes of a shared store too, and asks for it over each address."""
    challenge = throwaway(asked.solver, asked.domain)
    answers = SharedAnswers(examined.store)
    try:
        with answers.shown(context, [challenge]), presented_for(context, asked.solver, challenge):
            answers.wait(context)
            at = asked.locate(context)
            look = _Look(asked, challenge, at, _own_port(asked.solver, challenge))
            seen = each_result(context, look.see, asked.addresses)
            hint = unasked_hint(challenge.token)
            is_right = any(one.is_right for one in seen)
            find = lambda part, one: look.finding(part, *one, hint=hint, others_are_right=is_right)  # noqa: E731
            return each_result(context, find, list(zip(asked.addresses, seen, strict=True)))
    except Cancelled:
        raise
    except TosslError as error:
        context.check("the response")
        advice = f"free the port, or give another -port or -webroot; {_BY_DNS}"
        return [Diagnosis.of_error("port", asked.domain.value, error, advice)]


def _own_port(solver: Solver, challenge: Challenge) -> int:
    """Returns the port at which this process answers; 0 where another program does."""
    port = solver.describe(challenge).get("port", 0)
    return port if isinstance(port, int) else 0


@dataclass(frozen=True, eq=False)
class _Look:
    asked: _Asked
    challenge: Challenge
    at: AskedAt
    own_port: int

    def see(self, context: Context, address: str, port: int = 0) -> Seen:
        assert self.asked.kind.see is not None
        return self.asked.kind.see(context, self.challenge, replace(self.at, address=address, port=port))

    def finding(self, context: Context, address: str, seen: Seen, *, hint: str, others_are_right: bool) -> Diagnosis:
        """Returns what one address shows. hint: why nobody may have asked for the token; empty if that is not known.

        others_are_right: whether the response is right at another address of the name.
        """
        name, port = self.asked.domain.value, self.asked.port
        record = "AAAA" if ":" in address else "A"
        where = f"port {port} at {address} ({record})"
        facts: dict[str, object] = {"address": address, "port": port, "redirects": list(seen.urls)}
        if seen.is_right:
            by = f", over {' and '.join(seen.urls)}" if seen.urls else ""
            return Diagnosis.ok("port", name, f"{where} answers the token{by}", **facts)
        if self.own_port not in (0, port) and self.see(context, address, self.own_port).is_right:
            return self._at_own_port(where, facts)
        if seen.is_reached:
            said = f"{where}: {seen.trouble}" + (f" (of {seen.server})" if seen.server else "")
            facts["server"] = seen.server
            advice = (
                hint
                or _of_answer(seen)
                or self._of_silence(seen)
                or _to_mend(record, self.own_port, port, others_are_right=others_are_right)
            )
            if hint and self.asked.subject.kept is not None:
                own = (
                    "the web server of the program that obtained it answers challenges, and this may be another program"
                )
                return Diagnosis.warned("port", name, f"{said}; {own}", hint, **facts)
            check = "redirect" if seen.urls or seen.is_misled else "port"
            return Diagnosis.failed(check, name, said, advice, **facts)
        return self._unreached(context, address, seen, others_are_right=others_are_right)

    def _of_silence(self, seen: Seen) -> str:
        """Returns what to do where no web server listens, or not one of TLS; empty where one does."""
        if seen.speaks:
            return ""
        kind = "web server" if self.asked.kind.scheme == "http" else "TLS server"
        at = "where the redirect leads" if seen.urls else f"at port {self.asked.port}"
        return (
            f"what listens {at} is no {kind}, or answers too late: find out which program that is (on its machine: "
            f"ss -ltnp), and whether a firewall or router leads the port elsewhere; {_BY_DNS}"
        )

    def _at_own_port(self, where: str, facts: dict[str, object]) -> Diagnosis:
        """Tells of a response at the port of this process, where a CA does not look."""
        name = self.asked.domain.value
        said = f"the token is answered at port {self.own_port}, not at {where}, where CAs ask"
        advice = f"forward port {facts['port']} to port {self.own_port} of this machine; {_BY_DNS}"
        if self.asked.subject.is_of_a_public_ca:
            return Diagnosis.failed("port", name, said, advice, **facts)
        own = f"{advice}; nothing is wrong if this CA asks at port {self.own_port}"
        return Diagnosis.warned("port", name, said, own, **facts)

    def _unreached(self, context: Context, address: str, seen: Seen, *, others_are_right: bool) -> Diagnosis:
        """Tells a closed port from an address that this machine itself cannot reach."""
        name, port = self.asked.domain.value, self.asked.port
        record = "AAAA" if ":" in address else "A"
        where = f"port {port} at {address} ({record})"
        facts: dict[str, object] = {"address": address, "port": port}
        if not has_route(address):
            said = f"{where} was not looked at: this machine has no route to it"
            advice = f"a CA uses an AAAA record first: if the server has no IPv6, remove it, else {_OUTSIDE}"
            return Diagnosis.warned("port", name, said, advice, **facts)
        if has_address(address):
            said = f"{where} is closed, and the address is this machine's: {seen.trouble}"
            return Diagnosis.failed(
                "port", name, said, f"start what listens there, or open the firewall; {_BY_DNS}", **facts
            )
        if record == "A" and (local := self._local_answer(context, address)):
            said = f"{where} cannot be reached from here, while {local} answers the token: {seen.trouble}"
            advice = (
                f"behind NAT that means nothing, for many routers do not let a machine reach itself: {_OUTSIDE}; "
                f"the router must forward port {port} to this machine; {_BY_DNS}"
            )
            return Diagnosis.warned("nat", name, said, advice, **facts)
        advice = f"open port {port} in the firewall, and forward it to this machine; {_BY_DNS}"
        if record == "AAAA" and others_are_right:
            advice = f"correct the AAAA record, or remove it: a CA uses it first; {_BY_DNS}"
        return Diagnosis.failed("port", name, f"{where} cannot be reached: {seen.trouble}", advice, **facts)

    def _local_answer(self, context: Context, address: str) -> str:
        """Returns where on this machine the token is answered; empty if nowhere."""
        for port in dict.fromkeys(filter(None, (self.own_port, self.asked.port))):
            for near in dict.fromkeys((*_LOOPBACK, own_address(address))):
                if near and self.see(context, near, port).is_right:
                    return f"port {port} of this machine"
        return ""


def _of_answer(seen: Seen) -> str:
    """Returns what to do about an answer that tells its cause; empty about all others."""
    if seen.urls and (urlsplit(seen.urls[-1]).hostname or "").endswith(".well-known"):
        return "the redirect lacks a slash between the name and the path: mend it in the web server"
    if seen.urls and "wrong version number" in seen.trouble.replace("_", " ").lower():
        return "port 443 speaks HTTP without TLS: let it speak TLS, or do not redirect to it"
    if "cloudflare" in seen.server.lower():
        proxied = "the name leads to Cloudflare's proxy, which asks the server behind it in its own way"
        return (
            f"{proxied}: let it pass /.well-known/acme-challenge/ on by http, or prove the name by dns-01 (-provider)"
        )
    return ""


def _to_mend(record: str, own_port: int, port: int, *, others_are_right: bool) -> str:
    """Returns what to do where a server answers, but not with the response."""
    if others_are_right:
        return f"the {record} record leads to another server: correct it, or remove it; {_BY_DNS}"
    if own_port:
        return f"forward port {port} to port {own_port} of this machine, or give the web server's folder by -webroot"
    return (
        "let the web server serve /.well-known/acme-challenge/ from the folder that -webroot names, without a rewrite"
    )
