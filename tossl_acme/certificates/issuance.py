"""The complete request for one certificate, as plain data: fit to be stored as JSON and to be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from ..acme.account import NewAccount
from ..acme.order import OrderOptions
from ..acme.public_cas import STAGED_CAS, staging_url
from ..challenges.solver import SolverOptions
from ..errors import ArgumentError
from ..files import FilePath
from ..http.options import ConnectionOptions
from ..http.urls import shown_url
from ..identifiers import Identifier
from ..text import Secret
from .deploy import DEPLOY_SECONDS
from .key import CertificateKey
from .plain import has_literal, plain, read_plain

#: The version of as_json()'s form.
_FORMAT = 1


@dataclass(frozen=True, repr=False)
class Authority:
    """A CA with the options that are for it alone.

    directory: its directory URL. account_key: PEM; None where the store's is used, or a new one. preferred_chain: an
    issuer's common name.
    """

    directory: str
    account: NewAccount = field(default_factory=NewAccount)
    account_key: Secret | None = None
    profile: str = ""
    preferred_chain: str = ""


def beside(
    authorities: Sequence[Authority],
    contact: tuple[str, ...],
    account: NewAccount,
    account_key: Secret | None,
    profile: str,
    preferred_chain: str,
) -> list[Authority]:
    """Returns the CAs with what was given beside them: all is the first one's, but for the contacts, which are all's.

    What a CA has of its own comes first.
    """
    own = [replace(one, account=replace(one.account, contact=one.account.contact or contact)) for one in authorities]
    first = own[0]
    own[0] = Authority(
        first.directory,
        NewAccount(
            first.account.contact,
            first.account.agree_tos and account.agree_tos,
            first.account.binding or account.binding,
            first.account.shared_key or account.shared_key,
        ),
        first.account_key or account_key,
        first.profile or profile,
        first.preferred_chain or preferred_chain,
    )
    return own


@dataclass(frozen=True, repr=False)
class Issuance:
    """The request for one certificate.

    directory: the CA's directory URL; empty where at() is to say it. account_key: PEM; None where the store's is used,
    or a new one. preferred_chain: an issuer's common name. fallbacks: the CAs that are asked where this one fails
    repeatedly, in this order; what one issued counts as asked for. deploy_command: for sh, once a certificate is there;
    deploy_timeout: how long it may take, in seconds.
    """

    identifiers: tuple[Identifier, ...]
    directory: str = ""
    account: NewAccount = field(default_factory=NewAccount)
    account_key: Secret | None = None
    key: CertificateKey = field(default_factory=CertificateKey)
    order: OrderOptions = field(default_factory=OrderOptions)
    solvers: SolverOptions = field(default_factory=SolverOptions)
    preferred_chain: str = ""
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)
    fallbacks: tuple[Authority, ...] = ()
    pem_file: FilePath | None = None
    deploy_command: str = ""
    deploy_timeout: float = DEPLOY_SECONDS

    @property
    def at_each(self) -> tuple[Issuance, ...]:
        """Returns the request to each CA, in order; without fallbacks."""
        return (replace(self, fallbacks=()), *(self.at([authority]) for authority in self.fallbacks))

    def at(self, authorities: Sequence[Authority]) -> Issuance:
        """Returns the same request to the first of these CAs; the others are asked where that one fails."""
        first, *others = authorities
        return replace(
            self,
            directory=first.directory,
            account=first.account,
            account_key=first.account_key,
            order=replace(self.order, profile=first.profile),
            preferred_chain=first.preferred_chain,
            fallbacks=tuple(others),
        )

    @property
    def at_staging(self) -> Issuance:
        """Returns the same request to each CA's staging end. Raises ArgumentError dry_run for a CA without one."""
        fallbacks = tuple(replace(one, directory=_staging_of(one.directory)) for one in self.fallbacks)
        return replace(
            self, directory=_staging_of(self.directory), fallbacks=fallbacks, pem_file=None, deploy_command=""
        )

    @property
    def for_renewal(self) -> Issuance:
        """Returns the request for the next certificate: without the dates, which were for this one."""
        return replace(self, order=replace(self.order, not_before="", not_after=""))

    @cached_property
    def is_renewable(self) -> bool:
        """Returns whether its JSON is enough to repeat it: every secret has a reference."""
        return not has_literal(self)

    def as_json(self) -> dict[str, Any]:
        """Returns plain data for json.dumps(), with a secret's reference, or a mark that it has none, for its value.

        Raises ArgumentError for an option with half of a character (a lone surrogate): no text with one can be kept.
        """
        return {"format": _FORMAT, **plain(self)}

    @classmethod
    def from_json(cls, data: Any) -> Issuance:
        """Returns the issuance for data from as_json(); reads secrets again from their references.

        Raises ArgumentError "store" for other data, or if a secret cannot be read or was not stored.
        """
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise ArgumentError("store", "the stored request of the certificate has an unknown format")
        try:
            read = read_plain(cls, {name: value for name, value in data.items() if name != "format"})
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            cause = f"the stored request of the certificate cannot be read: {type(error).__name__}"
            raise ArgumentError("store", cause) from None
        except ArgumentError as error:
            raise ArgumentError("store", error.message) from None
        assert isinstance(read, cls)
        return read


def _staging_of(directory: str) -> str:
    if url := staging_url(directory):
        return url
    cause = "no staging end is known for it to try the set-up at"
    raise ArgumentError("dry_run", f"{shown_url(directory)}: {cause}; those of {', '.join(STAGED_CAS)} are known")
