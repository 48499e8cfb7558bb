"""The wait until every DNS server that a CA may ask shows the published TXT values."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import dns.name

from ..context import Backoff, Context
from ..errors import ArgumentError, WaitTimeout, error_context
from ..text import quoted
from .resolver import Resolver, default_resolvers, dns_name, name_text, parse_resolver, resolver_for
from .texts import Answers, Question, TxtAnswer, look_at_resolvers, look_at_servers
from .zones import MOST_SERVERS, Zones

AUTHORITATIVE, RECURSIVE, WAIT, NONE = "authoritative", "recursive", "wait", "none"
MODES = (AUTHORITATIVE, RECURSIVE, WAIT, NONE)
#: Seconds between two rounds, at most.
_MAX_PAUSE_SECONDS = 2.0
#: Seconds for which a server without an answer is waited for while the others show all values: at most, and as a part
#: of the timeout.
_GRACE_SECONDS, _GRACE_PART = 10.0, 0.25
#: The part of the timeout after which a resolver is asked again although it keeps a negative answer for longer: behind
#: one address are often several, each with its own cache.
_NEGATIVE_PART = 0.1
#: Servers that an error names.
_MOST_NAMED = 8
_WHAT = "propagation"


class NotShownError(WaitTimeout):
    """Servers do not show a record in time."""


@dataclass(frozen=True)
class PropagationCheck:
    """Waits until every server asked shows all values.

    mode: "authoritative" asks the zone's servers at all their addresses; "recursive" asks `resolvers` ("host",
    "host:port", "[v6]:port"; default: TOSSL_RESOLVERS, else the machine's); "wait" asks nobody and waits for `timeout`.
    By default recursive if resolvers are named, in the call or in the environment, else authoritative. With named
    resolvers, "authoritative" finds the zone's servers through them.

    timeout: seconds, within the context. Raises ArgumentError "resolvers".
    """

    resolvers: Sequence[str] = ()
    timeout: float = 300.0
    mode: str = ""

    def __post_init__(self) -> None:
        given = tuple(self.resolvers)
        object.__setattr__(self, "resolvers", tuple(dict.fromkeys(given or default_resolvers())))
        object.__setattr__(self, "mode", self.mode or (RECURSIVE if self.resolvers else AUTHORITATIVE))
        with nullcontext() if given else error_context("TOSSL_RESOLVERS in the environment", ArgumentError):
            _check_resolvers(self.resolvers)

    def wait(self, context: Context, records: Iterable[tuple[str, str]], zones: Zones | None = None) -> None:
        """Returns once every server shows each value at its name. `zones` may know the zones already.

        Warns of servers that gave no answer while the others show all. Raises NotShownError "propagation" naming the
        servers that do not.
        """
        part = context.narrowed(self.timeout)
        if self.mode == WAIT:
            context.sleep(self.timeout, _WHAT)
            return
        watch = _Watch(records, self.timeout * _NEGATIVE_PART)
        resolver = resolver_for(self.resolvers)
        finder = zones or Zones(resolver)
        patience = float("inf") if self.mode == RECURSIVE else min(_GRACE_SECONDS, self.timeout * _GRACE_PART)
        patient_until = time.monotonic() + patience
        backoff = Backoff(most=_MAX_PAUSE_SECONDS)
        try:
            while True:
                part.run(lambda: self._look(part, watch, finder, resolver), _WHAT)
                if watch.is_proven(is_patient=time.monotonic() < patient_until):
                    break
                part.sleep(backoff.next(), _WHAT)
        except WaitTimeout:
            raise NotShownError(_WHAT, watch.timeout_message(part.limit)) from None
        for server, answer in watch.mute():
            message = f"{server} gave no answer while the other DNS servers show the record: {answer}"
            context.warn("warning", warning="dns_server", message=message)

    def _look(self, context: Context, watch: _Watch, zones: Zones, resolver: Resolver) -> None:
        if self.mode == RECURSIVE:
            watch.take(*look_at_resolvers(context, resolver, watch.open_names, watch.is_answered))
        else:
            watch.take(*look_at_servers(context, zones, watch.open_names, watch.is_answered))


def propagation_check(mode: str, resolvers: Sequence[str], timeout: float) -> PropagationCheck | None:
    """Returns the check of a mode, "" for the usual one; None if nothing is to be checked.

    Raises ArgumentError "propagation", "propagation_timeout" or "resolvers".
    """
    if mode not in ("", *MODES):
        raise ArgumentError("propagation", f"-propagation must be one of {', '.join(MODES)}, not {quoted(mode)}")
    if timeout < 0:
        raise ArgumentError("propagation_timeout", "propagation_timeout must be a number of seconds; 0 does not check")
    return PropagationCheck(resolvers, timeout, mode) if timeout > 0 and mode != NONE else None


def _check_resolvers(resolvers: Sequence[str]) -> None:
    for text in resolvers:
        parse_resolver(text)
    if len(resolvers) > MOST_SERVERS:
        raise ArgumentError("resolvers", f"no more than {MOST_SERVERS} DNS servers can be asked")


class _Watch:
    """The values wanted by record name, and the last answer to each question of the way there."""

    def __init__(self, records: Iterable[tuple[str, str]], negative_seconds: float) -> None:
        self._negative_seconds = negative_seconds
        self._wanted: dict[dns.name.Name, set[str]] = {}
        self._shown_names: dict[dns.name.Name, str] = {}
        for text, value in records:
            name = dns_name(text)
            self._wanted.setdefault(name, set()).add(value)
            self._shown_names.setdefault(name, text)
        self._answers: Answers = {}
        self._troubles: dict[dns.name.Name, str] = {}
        #: Monotonic times until which resolvers keep negative answers.
        self._not_before: dict[Question, float] = {}
        self._proven: set[dns.name.Name] = set()

    @property
    def open_names(self) -> Collection[dns.name.Name]:
        return [name for name in self._wanted if name not in self._proven]

    def is_answered(self, question: Question) -> bool:
        """Returns whether a question need not be asked again now."""
        answer = self._answers.get(question)
        if answer is None:
            return False
        if self._shows(question, answer):
            return True
        if time.monotonic() < self._not_before.get(question, 0.0):
            return True
        return _is_mute(answer) and any(
            each.server.host == question.server.host and each.name == question.name and self._shows(each, other)
            for each, other in self._answers.items()
        )

    def take(self, answers: Answers, troubles: dict[dns.name.Name, str]) -> None:
        """Takes the outcome of one round. What was not asked again stays; a way that changed is forgotten."""
        self._troubles = troubles
        kept = {each: answer for each, answer in self._answers.items() if self.is_answered(each)}
        self._answers = kept | answers
        now = time.monotonic()
        for question, answer in answers.items():
            if question.server.recursive and answer.is_definite:
                self._not_before[question] = now + min(answer.negative_seconds, self._negative_seconds)

    def is_proven(self, *, is_patient: bool) -> bool:
        """Returns whether all servers show all values. With is_patient, servers without an answer are waited for."""
        self._proven |= {name for name in self.open_names if self._is_shown(name, is_patient=is_patient)}
        return not self.open_names

    def mute(self) -> list[tuple[object, TxtAnswer]]:
        """Returns the servers that gave no answer at any address, with the reason."""
        found: dict[str, tuple[object, TxtAnswer]] = {}
        for name in self._wanted:
            for hosts in self._by_host(name).values():
                if all(_is_mute(answer) and not answer.no_route for _question, answer in hosts):
                    question, answer = hosts[0]
                    found.setdefault(question.server.host, (question.server, answer))
        return list(found.values())

    def timeout_message(self, limit: float) -> str:
        """Returns which servers do not show the first of the missing values after `limit` seconds, and why."""
        name, *more = self.open_names or list(self._wanted)
        late = [(each, answer) for each, answer in self._of(name) if not self._passes(each, answer)]
        late = [pair for pair in late if not pair[1].no_route] or late
        causes = [self._troubles[name]] if name in self._troubles else []
        causes += [f"{each.server} {answer}" for each, answer in late[:_MOST_NAMED]]
        causes += [f"{len(late) - _MOST_NAMED} more"] if len(late) > _MOST_NAMED else []
        cause = "; ".join(causes) or "no server answered"
        shown = name_text(late[0][0].name) if late else self._shown_names[name]
        values = ", ".join(repr(value) for value in sorted(self._wanted[name]))
        others = f" (nor {len(more)} more names theirs)" if more else ""
        return (
            f"DNS propagation timeout: {shown} does not show {values} everywhere after {limit:.3g} s{others}: {cause}"
        )

    def _of(self, name: dns.name.Name) -> list[tuple[Question, TxtAnswer]]:
        return [(each, answer) for each, answer in self._answers.items() if each.record == name]

    def _by_host(self, name: dns.name.Name) -> dict[tuple[dns.name.Name, str], list[tuple[Question, TxtAnswer]]]:
        hosts: dict[tuple[dns.name.Name, str], list[tuple[Question, TxtAnswer]]] = {}
        for question, answer in self._of(name):
            hosts.setdefault((question.name, question.server.host), []).append((question, answer))
        return hosts

    def _shows(self, question: Question, answer: TxtAnswer) -> bool:
        return self._wanted[question.record] <= set(answer.values)

    def _passes(self, question: Question, answer: TxtAnswer) -> bool:
        return answer.leads_on or self._shows(question, answer)

    def _is_shown(self, name: dns.name.Name, *, is_patient: bool) -> bool:
        """Returns whether each server shows the values at each address that answers, or leads to one that does."""
        if name in self._troubles or not any(self._shows(each, answer) for each, answer in self._of(name)):
            return False
        for hosts in self._by_host(name).values():
            answered = [(each, answer) for each, answer in hosts if not _is_mute(answer)]
            if not all(self._passes(each, answer) for each, answer in answered):
                return False
            is_reachable = not all(answer.no_route for _question, answer in hosts)
            if not answered and is_reachable and is_patient:
                return False
        return True


def _is_mute(answer: TxtAnswer) -> bool:
    """Returns whether a server neither showed values, nor said that there are none, nor named others."""
    return not (answer.values or answer.is_definite or answer.leads_on)
