"""The TXT values at names as a CA's resolver finds them: at every server of the zone, along aliases and referrals."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from ..context import Context
from ..errors import WaitTimeout
from ..text import clean
from .failure import LookupFailed
from .resolver import (
    LOOKUP_SECONDS,
    QUERY_SECONDS,
    Nameserver,
    Resolver,
    ask,
    dns_name,
    name_text,
    resolver_for,
)
from .zones import Referral, Zones, referral_in

_MOST_ALIASES = 10
#: Aliases and referrals that one look follows.
_MOST_STEPS = 16
#: Names that one thread asks a server for.
_NAMES_PER_THREAD = 8
#: Values that a message shows.
_MOST_SHOWN_VALUES = 4
_SEEN_SECONDS = 15.0
_WHAT = "propagation"


@dataclass(frozen=True)
class TxtAnswer:
    """The TXT values that a server shows, or the reason why it shows none.

    is_definite: the server says that there is none; otherwise it may have some. alias: the target of the name, which
    another zone's servers know. negative_seconds: how long a resolver keeps the answer that there is none.
    """

    values: tuple[str, ...] = ()
    trouble: str = ""
    is_definite: bool = False
    no_route: bool = False
    alias: dns.name.Name | None = None
    referral: Referral | None = None
    negative_seconds: float = 0.0

    @property
    def leads_on(self) -> bool:
        """Returns whether others have to be asked."""
        return self.alias is not None or self.referral is not None

    def __str__(self) -> str:
        if self.trouble:
            return self.trouble
        shown = [repr(clean(value)) for value in self.values[:_MOST_SHOWN_VALUES]]
        more = len(self.values) - len(shown)
        return f"shows {', '.join(shown)}" + (f" and {more} more" if more else "")


@dataclass(frozen=True)
class Question:
    """A question to one server: for `name`, on the way from `record`, which is a record's name."""

    record: dns.name.Name
    name: dns.name.Name
    zone: dns.name.Name
    server: Nameserver


#: Returns whether a question need not be asked again.
Skip = Callable[[Question], bool]
Answers = dict[Question, TxtAnswer]


def look_at_servers(
    context: Context, zones: Zones, records: Collection[dns.name.Name], skip: Skip = lambda _question: False
) -> tuple[Answers, dict[dns.name.Name, str]]:
    """Asks the authoritative servers of all records side by side, along aliases and referrals. Blocks.

    Returns the answers, without those of the skipped questions, which are not asked; and by record the reason why some
    servers could not be found. Raises as Context.check() does.
    """
    answers: Answers = {}
    troubles: dict[dns.name.Name, str] = {}
    steps = [_Step(record, record) for record in dict.fromkeys(records)]
    taken: set[_Step] = set()
    for _ in range(_MOST_STEPS):
        taken.update(steps)
        questions = [*_questions(context, zones, steps, troubles)]
        found = ask_all(context, [each for each in questions if not skip(each)], QUERY_SECONDS)
        answers |= found
        steps = list(dict.fromkeys(step for question, answer in found.items() for step in _steps(question, answer)))
        if not steps:
            break
        for step in steps:
            if step in taken:
                troubles[step.record] = f"the aliases lead in a circle, to {name_text(step.name)}"
        steps = [step for step in steps if step not in taken]
    for step in steps:
        troubles[step.record] = f"more than {_MOST_STEPS} aliases, at last {name_text(step.name)}"
    return answers, troubles


def look_at_resolvers(
    context: Context, resolver: Resolver, records: Collection[dns.name.Name], skip: Skip = lambda _question: False
) -> tuple[Answers, dict[dns.name.Name, str]]:
    """Asks each of the resolvers, at each address, for all records side by side. Otherwise as look_at_servers()."""
    servers: list[Nameserver] = []
    troubles: dict[dns.name.Name, str] = {}
    for server in resolver.servers:
        try:
            servers += server.located()
        except LookupFailed as error:
            troubles |= dict.fromkeys(records, f"{error}")
    questions = [Question(record, record, dns.name.root, server) for record in records for server in servers]
    return ask_all(context, [each for each in questions if not skip(each)], LOOKUP_SECONDS), troubles


def seen_texts(context: Context, name: str, resolvers: Sequence[str] = ()) -> tuple[str, ...]:
    """Returns the TXT values that every server shows at a name which gives an answer; an empty tuple if there are none.

    Asks the zone's authoritative servers, along aliases; with `resolvers`, or TOSSL_RESOLVERS, these instead.
    Raises LookupFailed if no server tells; WaitTimeout or Cancelled if the context is over; ArgumentError "resolvers";
    DnsError "zone" if this machine has no usable resolver.
    """
    record, resolver = dns_name(name), resolver_for(resolvers)
    part = context.narrowed(_SEEN_SECONDS)

    def look() -> tuple[Answers, dict[dns.name.Name, str]]:
        if resolver.is_named:
            return look_at_resolvers(part, resolver, [record])
        return look_at_servers(part, Zones(resolver), [record])

    try:
        answers, troubles = part.run(look, _WHAT)
    except WaitTimeout:
        context.check(_WHAT)
        raise LookupFailed(f"the DNS servers of {name} did not answer in {part.limit:g} s") from None
    last = [answer for answer in answers.values() if answer.values or answer.is_definite]
    if not last or troubles:
        reasons = [f"{question.server} {answer}" for question, answer in answers.items() if answer.trouble]
        raise LookupFailed("; ".join([*troubles.values(), *reasons]) or "no server answered")
    return tuple(value for value in last[0].values if all(value in answer.values for answer in last))


def ask_all(context: Context, questions: Iterable[Question], seconds: float) -> Answers:
    """Asks all questions side by side, each for `seconds` at most. Raises as Context.check() does."""
    by_server: dict[Nameserver, list[Question]] = {}
    for question in questions:
        by_server.setdefault(question.server, []).append(question)
    batches = [
        tuple(asked[at : at + _NAMES_PER_THREAD])
        for asked in by_server.values()
        for at in range(0, len(asked), _NAMES_PER_THREAD)
    ]
    answers: Answers = {}
    for _batch, found in context.run_each(lambda batch: _ask_batch(context, batch, seconds), batches, _WHAT):
        answers |= found
    return answers


def _ask_batch(context: Context, batch: Sequence[Question], seconds: float) -> Answers:
    """Asks one server for several names. One that does not answer is not waited for again."""
    answers: Answers = {}
    for question in batch:
        try:
            limit = min(seconds, max(0.05, context.remaining()))
            response = ask(question.server, question.name, dns.rdatatype.TXT, limit, context.issuance)
        except LookupFailed as error:
            silent = TxtAnswer(trouble=f"{error}", no_route=error.no_route)
            return answers | {each: silent for each in batch if each not in answers}
        answers[question] = _txt_answer(question, response)
    return answers


@dataclass(frozen=True)
class _Step:
    """A name to ask for on the way from a record: at its zone's servers, or at those to which others refer."""

    record: dns.name.Name
    name: dns.name.Name
    referral: Referral | None = None


def _questions(
    context: Context, zones: Zones, steps: Sequence[_Step], troubles: dict[dns.name.Name, str]
) -> Iterable[Question]:
    """Finds the servers of each step, side by side, and yields the questions to them."""

    def find(batch: Sequence[_Step]) -> list[tuple[_Step, dns.name.Name, tuple[Nameserver, ...], str]]:
        return [(step, *_servers(context, zones, step)) for step in batch]

    batches = [tuple(steps[at : at + _NAMES_PER_THREAD]) for at in range(0, len(steps), _NAMES_PER_THREAD)]
    for _batch, found in context.run_each(find, batches, _WHAT):
        for step, zone, servers, trouble in found:
            if trouble:
                troubles[step.record] = trouble
            yield from (Question(step.record, step.name, zone, server) for server in servers)


def _servers(context: Context, zones: Zones, step: _Step) -> tuple[dns.name.Name, tuple[Nameserver, ...], str]:
    try:
        if step.referral is None:
            zone = zones.zone_above(context, step.name)
            return zone, zones.servers(context, zone), ""
        servers = zones.located(context, step.referral.hosts)
        none = f"no address is known for the servers of {name_text(step.referral.zone)}"
        return step.referral.zone, servers, "" if servers else none
    except LookupFailed as error:
        return dns.name.root, (), f"cannot find the DNS servers of {name_text(step.name)}: {error}"


def _steps(question: Question, answer: TxtAnswer) -> Iterable[_Step]:
    if answer.alias is not None:
        yield _Step(question.record, answer.alias)
    elif answer.referral is not None:
        yield _Step(question.record, question.name, answer.referral)


def _txt_answer(question: Question, response: dns.message.Message) -> TxtAnswer:
    rcode = response.rcode()
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return TxtAnswer(trouble=f"answered {dns.rcode.to_text(rcode)}")
    name = last_name(response, question.name)
    records = [
        r for found in response.answer if found.rdtype == dns.rdatatype.TXT and found.name == name for r in found
    ]
    values = tuple(dict.fromkeys(b"".join(record.strings).decode("utf-8", "replace") for record in records))
    if values:
        return TxtAnswer(values)
    if not question.server.recursive:
        if name != question.name:
            return TxtAnswer(trouble=f"has the alias {name_text(name)}", alias=name)
        referral = referral_in(response, question.zone, name)
        if referral is not None:
            return TxtAnswer(trouble=f"refers to the servers of {name_text(referral.zone)}", referral=referral)
        if not response.flags & dns.flags.AA:
            return TxtAnswer(trouble="is not authoritative for the zone")
    trouble = "shows no TXT record" if rcode == dns.rcode.NOERROR else "answered NXDOMAIN"
    return TxtAnswer(trouble=trouble, is_definite=True, negative_seconds=_negative_seconds(response))


def last_name(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name:
    """Returns the name at the end of the aliases (CNAME, DNAME) in an answer."""
    for _ in range(_MOST_ALIASES):
        for found in response.answer:
            if found.rdtype == dns.rdatatype.CNAME and found.name == name:
                name = found[0].target
                break
        else:
            return _beyond_dname(response, name)
    return name


def _beyond_dname(response: dns.message.Message, name: dns.name.Name) -> dns.name.Name:
    """Returns the name that a DNAME leads to, if the server left out the CNAME (RFC 6672 section 3.1)."""
    for found in response.answer:
        is_below = found.name != name and name.is_subdomain(found.name)
        if found.rdtype == dns.rdatatype.DNAME and is_below:
            try:
                return name.relativize(found.name).concatenate(found[0].target)
            except dns.name.NameTooLong:
                return name
    return name


def _negative_seconds(response: dns.message.Message) -> float:
    """Returns how long a resolver may keep the answer that there is none (RFC 2308 section 5)."""
    for found in response.authority:
        if found.rdtype == dns.rdatatype.SOA:
            return float(min(found.ttl, found[0].minimum))
    return 0.0
