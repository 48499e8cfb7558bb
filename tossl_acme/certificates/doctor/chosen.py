"""What the doctor looks at for the names of a call: kept certificates with their options, others with the call's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from ...challenges.choice import choose
from ...challenges.solver import SolverOptions
from ...context import Context
from ...errors import ArgumentError, TosslError
from ...http.options import ConnectionOptions
from ...identifiers import Identifier, parse_identifier, parse_identifiers
from ...store.protocol import Store
from ..asked import connection_of
from ..dns_accounts import DnsAccounts
from ..issuance import Authority, Issuance
from ..record import ABOVE, RECORD, KeptCertificate, certificate_name, kept_of
from .subjects import Examination, Subject

#: The options of a call that say how names are proven.
_OF_SOLVERS = {"challenge", "webroot", "port", "http01_response", "provider"}


@dataclass(frozen=True)
class Given:
    """The options of the call. words: as they were given. as_kept: whether kept certificates have their own instead."""

    authorities: Callable[[], tuple[list[Authority], object]]
    solvers: Callable[[], SolverOptions]
    connection: ConnectionOptions
    words: Mapping[str, str]
    as_kept: bool = True

    @property
    def names_a_ca(self) -> bool:
        return bool(self.words.get("directory"))


def examination(
    context: Context, names: Sequence[str], store: Store | None, given: Given, tcl: Mapping[str, str], *, counts: bool
) -> Examination:
    """Returns what is to be looked at for these names: of certificates that are kept, or that are to be obtained.

    Without names, for all that are kept. Raises ArgumentError for a wrong name.
    """
    try:
        kept, damaged = _kept(store, names) if given.as_kept else ([], set())
    except ArgumentError as error:
        return _unread(context, names, store, given, error, tcl)
    covered = {domain for one in kept for domain in (one.name, *one.domains)} | damaged
    wanted = [name for name in names if _normal(name) not in covered]
    subjects = [_subject(context, store, one) for one in kept]
    if wanted:
        subjects.append(_wanted(context, store, wanted, given))
    issuances = [each for one in subjects for each in one.issuance.at_each if each.directory]
    if not issuances and given.names_a_ca:
        issuances = [_issuance((), given)]
    return Examination(store, given.connection, tuple(subjects), tuple(issuances), tcl, counts)


def _unread(
    context: Context, names: Sequence[str], store: Store | None, given: Given, error: ArgumentError,
    tcl: Mapping[str, str],
) -> Examination:  # fmt: skip
    """Returns what is looked at where nobody knows what the store has of the names."""
    subjects: list[Subject] = []
    if names and _OF_SOLVERS & given.words.keys():
        subjects = [_wanted(context, None, names, given)]
    elif names:
        subjects = [Subject(names[0], Issuance(_identifiers(names), solvers=given.solvers()), trouble=error)]
    issuances = (_issuance((), given),) if given.names_a_ca else ()
    return Examination(store, given.connection, tuple(subjects), issuances, tcl=tcl, is_unread=True)


def _identifiers(names: Sequence[str]) -> tuple[Identifier, ...]:
    try:
        return parse_identifiers(names)
    except ArgumentError as error:
        raise ArgumentError("names", error.message) from None


def _kept(store: Store | None, names: Sequence[str]) -> tuple[list[KeptCertificate], set[str]]:
    """Returns the certificates that are kept under these names, or for them, and the names of those that
    cannot be read, which the store's own check tells.

    Without names, all. Raises ArgumentError "store" where nothing can be read.
    """
    every: dict[str, KeptCertificate] = {}
    damaged: set[str] = set()
    for name, one in _all_kept(store):
        if isinstance(one, KeptCertificate):
            every[name] = one
        else:
            damaged.add(name)
    if not names:
        return list(every.values()), damaged
    found: dict[str, KeptCertificate] = {}
    for name in map(_normal, names):
        covering = every.get(name) or next((each for each in every.values() if name in each.domains), None)
        if covering is not None:
            found[covering.name] = covering
    return list(found.values()), damaged & set(map(_normal, names))


def _all_kept(store: Store | None) -> Iterator[tuple[str, KeptCertificate | ArgumentError]]:
    """Yields the name of each certificate, and what is kept of it, or why that cannot be read."""
    if store is None:
        return
    for where, values in store.read_all(ABOVE, (RECORD,)):
        name = certificate_name(where.removeprefix(f"{ABOVE}/"))
        try:
            yield name, values if isinstance(values, ArgumentError) else kept_of(store, name, values)
        except ArgumentError as error:
            yield name, error


def _normal(name: str) -> str:
    """Returns a name in the form in which it is kept."""
    try:
        return parse_identifier(name).value
    except ArgumentError:  # it may be the name of a certificate, or is told as wrong
        return name


def _subject(context: Context, store: Store | None, kept: KeptCertificate) -> Subject:
    """Returns a kept certificate, with the options that it was obtained with."""
    try:
        issuance = Issuance.from_json(kept.issuance).for_renewal
    except ArgumentError as error:
        with suppress(ArgumentError):
            connection = connection_of(kept.issuance)
            bare = Issuance(parse_identifiers(kept.domains), kept.directory, connection=connection)
            return Subject(kept.name, bare, kept, trouble=error)
        return Subject(kept.name, Issuance((), kept.directory), kept, trouble=error)
    return _with_solvers(context, store, Subject(kept.name, issuance, kept))


def _wanted(context: Context, store: Store | None, names: Sequence[str], given: Given) -> Subject:
    return _with_solvers(context, store, Subject(names[0], _issuance(_identifiers(names), given)))


def _issuance(identifiers: tuple[Identifier, ...], given: Given) -> Issuance:
    base = Issuance(identifiers, solvers=given.solvers(), connection=given.connection)
    return base.at(given.authorities()[0]) if given.names_a_ca else base


def _with_solvers(context: Context, store: Store | None, subject: Subject) -> Subject:
    accounts = DnsAccounts(store, context) if store is not None else None
    try:
        solvers = choose(subject.issuance.solvers, subject.issuance.identifiers, accounts)
    except TosslError as error:
        return replace(subject, trouble=error)
    return replace(subject, solvers=solvers)
