"""What the doctor looks at: a store, CAs, and certificates, with the options that each is obtained with."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from ...acme.client import Client
from ...acme.clients import account_key_of, client_of
from ...acme.directory import Directory
from ...acme.public_cas import PUBLIC_CAS
from ...acme.servers import server_for
from ...challenges.solver import Solver
from ...context import Context
from ...errors import AcmeError, HttpError, TosslError, WaitTimeout
from ...http.options import ConnectionOptions
from ...identifiers import Identifier
from ...store.protocol import Store
from ..accounts import account_key
from ..issuance import Issuance
from ..known import take_account_of_store
from ..record import KeptCertificate
from .answered import AskedOnce, AuthorityAnswer, ask_directory


@dataclass(frozen=True, eq=False)
class Subject:
    """A certificate, kept or wanted. directory of its issuance is empty where no CA is named.

    trouble: why its options cannot be used; the solvers are missing then.
    """

    name: str
    issuance: Issuance
    kept: KeptCertificate | None = None
    solvers: Mapping[Identifier, Sequence[Solver]] = field(default_factory=dict)
    trouble: TosslError | None = None

    def solver(self, identifier: Identifier) -> Solver | None:
        """Returns the one that is tried first."""
        return next(iter(self.solvers.get(identifier, ())), None)

    @property
    def is_of_a_public_ca(self) -> bool:
        return any(self.issuance.directory == ca.url for ca in PUBLIC_CAS)

    @property
    def domains(self) -> list[Identifier]:
        """Returns the names to prove, each once: a wildcard and its domain share most."""
        return list(dict.fromkeys(identifier.base for identifier in self.issuance.identifiers))


@dataclass(frozen=True, eq=False)
class Examination:
    """All that is looked at.

    tcl: facts of the interpreter. counts: whether Let's Encrypt's limits are for each CA. is_unread: whether the store
    cannot be read.
    """

    store: Store | None
    connection: ConnectionOptions
    subjects: tuple[Subject, ...]
    issuances: tuple[Issuance, ...]
    tcl: Mapping[str, str] = field(default_factory=dict)
    counts: bool = False
    is_unread: bool = False
    answers: AskedOnce[AuthorityAnswer] = field(default_factory=AskedOnce)

    def answer_of(self, context: Context, one: Issuance) -> AuthorityAnswer:
        """Returns what the CA answers, which is asked once. Raises as ask_directory() does."""
        return self.answers.answer(context, (one.directory, one.connection), lambda: ask_directory(context, one))

    def directory_of(self, context: Context, one: Issuance) -> Directory | None:
        """Returns the CA's directory; None where it gives none, which its own check tells."""
        try:
            return self.answer_of(context, one).directory
        except (AcmeError, HttpError, WaitTimeout):
            context.check("the CA")
            return None


def known_client(store: Store | None, issuance: Issuance) -> Client | None:
    """Returns the account key at the CA, with its account where that is known; None without a key. Sends nothing."""
    try:
        pem = issuance.account_key.value if issuance.account_key else ""
        if not pem and store is not None:
            pem = account_key(store, issuance.directory)
        if not pem:
            return None
        found = client_of(server_for(issuance.directory, issuance.connection), account_key_of(pem))
        take_account_of_store(found, store)
    except TosslError:  # whoever looks at the store tells
        return None
    return found


def known_account(store: Store | None, issuance: Issuance) -> str:
    """Returns the URL of the account at the CA as the store or this process knows it; empty if nobody does."""
    found = known_client(store, issuance) if issuance.directory else None
    return found.known_account[0] if found is not None else ""


def asked_of_each(subjects: Collection[Subject]) -> list[tuple[Subject, Identifier]]:
    """Returns each name of each certificate, those to prove."""
    return [(subject, domain) for subject in subjects for domain in subject.domains]
