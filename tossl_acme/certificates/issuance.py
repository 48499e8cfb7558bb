"""The complete request for one certificate, as plain data: fit to be stored as JSON and to be repeated."""

from __future__ import annotations

import dataclasses
import os
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..acme.account import NewAccount
from ..acme.order import OrderOptions
from ..acme.public_cas import STAGED_CAS, staging_url
from ..challenges.choice import may_be_http01
from ..challenges.solver import SolverOptions
from ..errors import ArgumentError
from ..files import FilePath, absolute, read_secret
from ..http.options import ConnectionOptions
from ..http.urls import shown_url
from ..identifiers import Identifier
from ..text import Secret
from .deploy import DEPLOY_SECONDS, kept_hook
from .key import CertificateKey

#: The version of as_json()'s form.
_FORMAT = 1
#: Bytes of a secret's file: no key is larger.
_MOST_SECRET_BYTES = 1 << 20
_SECRET_SECONDS = 2.0


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Issuance:
    """The request for one certificate.

    directory: the CA's directory URL. account_key: PEM; None where the store's is used, or a new one.
    preferred_chain: an issuer's common name. fallbacks: the CAs that are asked where this one fails repeatedly, in this
    order; what one issued counts as asked for. deploy_command: for sh, once a certificate is there; deploy_timeout: how
    long it may take, in seconds.
    """

    identifiers: tuple[Identifier, ...]
    directory: str
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
        others = (
            replace(
                self,
                directory=authority.directory,
                account=authority.account,
                account_key=authority.account_key,
                order=replace(self.order, profile=authority.profile),
                preferred_chain=authority.preferred_chain,
                fallbacks=(),
            )
            for authority in self.fallbacks
        )
        return (replace(self, fallbacks=()), *others)

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

    @property
    def is_renewable(self) -> bool:
        """Returns whether its JSON is enough to repeat it: every secret has a reference."""
        return not _has_literal(self)

    def as_json(self) -> dict[str, Any]:
        """Returns plain data for json.dumps(), with a secret's reference, or a mark that it has none, for its value.

        Raises ArgumentError for an option with half of a character (a lone surrogate): no text with one can be kept.
        """
        return {"format": _FORMAT, **_plain(self)}

    @classmethod
    def from_json(cls, data: Any) -> Issuance:
        """Returns the issuance for data from as_json(); reads secrets again from their references.

        Raises ArgumentError "store" for other data, or if a secret cannot be read or was not stored.
        """
        if not isinstance(data, dict) or data.get("format") != _FORMAT:
            raise ArgumentError("store", "the stored request of the certificate has an unknown format")
        try:
            read = _read(cls, {name: value for name, value in data.items() if name != "format"})
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


def connection_of(data: Any) -> ConnectionOptions:
    """Returns how the CA is reached, of what Issuance.as_json() returned; the usual way where that does not say.

    No secret is read.
    """
    try:
        found = _read(ConnectionOptions, data["connection"])
    except (TypeError, ValueError, KeyError, OverflowError, ArgumentError):
        return ConnectionOptions()
    assert isinstance(found, ConnectionOptions)
    return found


def pem_file_of(data: Any) -> FilePath | None:
    """Returns where key and certificates are in one file besides, of what Issuance.as_json() returned."""
    try:
        found = _read(FilePath, data["pem_file"])
    except (TypeError, ValueError, KeyError):
        return None
    return found if isinstance(found, FilePath) else None


def needs_own_server(data: Any) -> bool:
    """Returns whether http-01 needs the web server of the program itself, of what Issuance.as_json() returned."""
    solvers = data.get("solvers") if isinstance(data, Mapping) else None
    if not isinstance(solvers, Mapping) or solvers.get("http01_response") is not True:
        return False
    return may_be_http01(list(map(str, solvers.get("challenge") or ())), has_provider=bool(solvers.get("provider")))


def deployment_of(data: Any) -> tuple[str, float]:
    """Returns the deploy command and how long it may take, of what Issuance.as_json() returned."""
    return kept_hook(data) if isinstance(data, Mapping) else ("", DEPLOY_SECONDS)


def _has_literal(value: object) -> bool:
    """Returns whether any secret in the options is a literal value."""
    if isinstance(value, Secret):
        return bool(value.value) and not value.file and not value.env
    if isinstance(value, str):
        # A proxy's user and password.
        return "@" in value.partition("://")[2].partition("/")[0]
    if dataclasses.is_dataclass(value):
        return any(_has_literal(getattr(value, member.name)) for member in dataclasses.fields(value))
    if isinstance(value, tuple):
        return any(map(_has_literal, value))
    return isinstance(value, Mapping) and any(map(_has_literal, value.values()))


def _plain(value: object, option: str = "") -> Any:
    if isinstance(value, Secret | str) and _has_literal(value):
        return {"literal": True}
    if isinstance(value, Secret):
        return {"file": str(value.file)} if value.file else {"env": value.env} if value.env else {"literal": False}
    if isinstance(value, FilePath):
        return {"path": str(value), "word": value.word}
    if dataclasses.is_dataclass(value):
        return {member.name: _plain(getattr(value, member.name), member.name) for member in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_text(name, option): _plain(member, option) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(member, option) for member in value]
    if isinstance(value, str):
        return _text(value, option)
    if value is None or isinstance(value, int | float | bool):
        return value
    raise TypeError(f"an option of type {type(value).__name__} cannot be stored")


def _text(text: str, option: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(option, f"-{option}: there is half of a character in it") from None
    return text


def _read(kind: Any, data: Any) -> Any:
    """Returns the value of this type for data from _plain(). Raises ValueError, TypeError, KeyError; ArgumentError."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        kinds = [one for one in inner if one is not types.NoneType]
        return None if data is None else _read(next((one for one in kinds if type(data) is one), kinds[0]), data)
    if isinstance(data, dict) and data.get("literal") and kind in (Secret, str):
        raise ArgumentError("store", "a secret of the certificate's request was given literally, and not stored")
    if kind is Secret:
        if not isinstance(data, dict):
            raise TypeError(str(kind))
        return _read_secret(data)
    if kind is FilePath or (kind is str and isinstance(data, dict) and set(data) == {"path", "word"}):
        return FilePath(str(data["path"]), str(data["word"]))
    if dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        if not isinstance(data, dict):
            raise TypeError(str(kind))
        hints = typing.get_type_hints(kind)
        # A newer option gets its default; an option that this version does not know may matter.
        if unknown := set(data) - set(hints):
            raise ValueError(str(unknown))
        return kind(**{name: _read(hints[name], value) for name, value in data.items()})
    if origin is tuple:
        if not isinstance(data, list):
            raise TypeError(str(kind))
        return tuple(_read(inner[0], member) for member in data)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(data, dict):
            raise TypeError(str(kind))
        return {str(name): _read(inner[1], member) for name, member in data.items()}
    if kind is float and isinstance(data, int):
        return float(data)
    if not isinstance(data, kind):
        raise TypeError(str(kind))
    if isinstance(data, str):
        data.encode()  # raises ValueError for half of a character
    return data


def _read_secret(data: Mapping[str, str]) -> Secret:
    if "literal" in data:  # an empty one
        return Secret("")
    if name := data.get("env"):
        if not os.environ.get(name):
            raise ArgumentError("store", f"{name} is no longer set in the environment")
        return Secret(os.environ[name], env=name)
    path = absolute(data["file"])
    try:
        found = read_secret(path, _MOST_SECRET_BYTES, _SECRET_SECONDS).decode("utf-8", "surrogateescape")
    except (OSError, ValueError) as error:
        raise ArgumentError("store", f"cannot read {path.shown}: {getattr(error, 'strerror', '') or error}") from None
    return Secret(found.removesuffix("\n").removesuffix("\r"), file=path)
