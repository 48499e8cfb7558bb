"""Turns the words of -challenge into solvers for each identifier."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

from ..errors import ArgumentError
from ..identifiers import Identifier, parse_identifier
from ..text import quoted
from .registry import TYPES
from .solver import Solver, SolverOptions, keeps_accounts

_DEFAULT = "default"


def choose(
    options: SolverOptions, identifiers: Sequence[Identifier], accounts: MutableMapping[str, str] | None = None
) -> dict[Identifier, tuple[Solver, ...]]:
    """Returns the solvers for each identifier, in order of preference.

    options.challenge is a list of types, or a dict of such lists by name, in which "default" stands for all other
    names. It is a list if its first word is a challenge type: no certificate's name looks like a type. Empty means
    dns-01 if a provider is given, else http-01. Makes the solver of each type once. accounts: for DNS providers that
    register accounts.

    Raises ArgumentError "challenge", "webroot" without any way, and the errors of each type's from_options().
    """
    ways = options.challenge, options.provider, options.webroot, options.port is not None, options.http01_response
    if not any(ways):
        cause = "nothing says how to prove the names: give -webroot or -port for http-01, or -provider for dns-01"
        raise ArgumentError("webroot", cause)
    words = _words(options.challenge, has_provider=options.provider is not None)
    chosen = dict.fromkeys(identifiers, tuple(words)) if words[0] in TYPES else _types_by_name(words, identifiers)
    opened: dict[str, Solver] = {}
    found = {identifier: _solvers(types, options, opened) for identifier, types in chosen.items()}
    for solver in opened.values():
        if accounts is not None and keeps_accounts(solver):
            solver.keep_accounts(accounts)
    return found


def may_be_http01(challenge: Sequence[str], *, has_provider: bool) -> bool:
    """Returns whether any name may be proven by http-01 with these words of -challenge."""
    return "http-01" in " ".join(_words(challenge, has_provider=has_provider)).split()


def _words(challenge: Sequence[str], *, has_provider: bool) -> Sequence[str]:
    return challenge or ("dns-01" if has_provider else "http-01",)


def _types_by_name(words: Sequence[str], identifiers: Sequence[Identifier]) -> dict[Identifier, tuple[str, ...]]:
    if len(words) % 2:
        raise _neither(words[0])
    found = {_named(key, identifiers): tuple(types.split()) for key, types in zip(words[::2], words[1::2], strict=True)}
    for types in found.values():
        _check_types(types)
    default = found.get(None)
    for identifier in identifiers:
        if identifier not in found and default is None:
            missing = f"-challenge has no entry for {quoted(identifier.value)}, and no {_DEFAULT}"
            raise ArgumentError("challenge", missing)
    return {identifier: found.get(identifier) or default or () for identifier in identifiers}


def _named(key: str, identifiers: Sequence[Identifier]) -> Identifier | None:
    """Returns the identifier that a key of the dict names, None for the default."""
    if key == _DEFAULT:
        return None
    if "." not in key and ":" not in key and key not in [identifier.value for identifier in identifiers]:
        raise _neither(key)
    named = parse_identifier(key, "challenge")
    if named not in identifiers:
        raise ArgumentError("challenge", f"-challenge has an entry for {quoted(key)}, which is not among the domains")
    return named


def _check_types(types: Sequence[str]) -> None:
    if not types:
        raise ArgumentError("challenge", "-challenge has an empty list of challenge types for a domain")
    for name in types:
        if name not in TYPES:
            raise _neither(name)


def _solvers(types: Sequence[str], options: SolverOptions, opened: dict[str, Solver]) -> tuple[Solver, ...]:
    _check_types(types)
    for name in types:
        if name not in opened:
            opened[name] = TYPES[name].from_options(options)
    return tuple(opened[name] for name in dict.fromkeys(types))


def _neither(word: str) -> ArgumentError:
    return ArgumentError("challenge", f"-challenge: {quoted(word)} is neither a domain nor one of {', '.join(TYPES)}")
