"""A throw-away CA: a root, certificates of every kind, and with Pebble an ACME server, in a temporary folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import count
from types import TracebackType
from typing import Self, TypeAlias

from ...context import Context, seconds
from ...errors import ArgumentError
from ...files import absolute
from ...identifiers import Identifier, parse_identifiers
from ...pki.keys import PrivateKey
from ...pki.throwaway import DAY_SECONDS, Life, Throwaway, make_authority, make_certificate, make_crl, read_issuer
from ..key import CertificateKey
from .workspace import Workspace, temporary_folder

SERVER_NAMES = ("localhost", "127.0.0.1", "::1")
CLIENT_NAMES = ("client",)
_MONTH_SECONDS = 30 * DAY_SECONDS
NewKey: TypeAlias = Callable[[], PrivateKey]


class Ca:
    """One such CA, until close().

    certificates: the dicts of certificates by their kinds. directory: of the ACME server; empty without.
    ca_bundle: the file with the roots to trust. crl: the file with the root's list of revoked certificates.
    """

    def __init__(self, workspace: Workspace, names: Sequence[Identifier], new_key: NewKey) -> None:
        self._workspace = workspace
        self.folder = workspace.folder
        made = _made(names, new_key)
        self.root = made["root"]
        self.certificates = {kind: workspace.keep(kind, each.as_dict()) for kind, each in made.items()}
        crl = make_crl(self.root, (made["revoked"],), Life.of())
        self.crl = workspace.write("crl.pem", crl)
        self.ca_bundle = workspace.write("ca_bundle.pem", self.root.root)
        self.store = workspace.make("store")
        self.webroot = workspace.make("webroot")
        self.directory = ""

    def serve(self, context: Context, new_key: NewKey) -> None:
        """Starts the ACME server. Raises ResourceError, and what the context raises."""
        from .pebble import Pebble  # it loads slowly

        own = make_certificate(parse_identifiers(SERVER_NAMES), new_key(), Life.of(), self.root)
        files = self._workspace.keep("pebble", own.as_dict())["files"]
        assert isinstance(files, dict)
        pebble = Pebble(context, self._workspace, self.root.root, files)
        with open(self.ca_bundle, "a", encoding="utf-8") as bundle:  # noqa: PTH123 - pathlib loads slowly
            bundle.write(pebble.root)
        self.directory = pebble.directory
        context.tell("ca_serves", url=pebble.directory)

    def as_dict(self) -> dict[str, object]:
        """Returns what a script gets of it."""
        return {
            "directory": self.directory,
            "ca_bundle": self.ca_bundle,
            "store": self.store,
            "webroot": self.webroot,
            "folder": self.folder,
            "crl": self.crl,
            **self.certificates,
        }

    def close(self) -> None:
        """Ends the ACME server and removes the folder. The second time nothing happens."""
        self._workspace.close()

    def check_open(self) -> None:
        """Raises Cancelled once it is closed."""
        self._workspace.check_open()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def start_ca(
    names: Sequence[str] = SERVER_NAMES, *, acme: bool = False, key_type: str = "ec", folder: str = "",
    context: Context | None = None,
) -> Ca:  # fmt: skip
    """Returns a throw-away CA, in a new folder below `folder`: by default that for temporary files.

    names: of its servers' certificates. acme: whether Pebble is started. key_type: as CertificateKey has it. It ends
    with close(), with its `with`, or with this process, in whatever way that ends.
    Raises ArgumentError names or key_type, TosslError PACKAGE pebble, ResourceError, and what the context raises.
    """
    kind = CertificateKey(key_type)
    identifiers = read_names(names)
    if acme:
        from .pebble import check_pebble

        check_pebble()
    running = context or seconds(30).begin()
    workspace = Workspace(absolute(folder or temporary_folder()[1]))

    def new_key() -> PrivateKey:
        running.check("CA")  # a large key takes seconds
        return kind.new_key()

    try:
        ca = Ca(workspace, identifiers, new_key)
        running.tell("ca_made", folder=ca.folder)
        if acme:
            ca.serve(running, new_key)
    except BaseException:
        workspace.close()
        raise
    return ca


def issue_throwaway(
    names: Sequence[str] | None, issuer: Mapping[str, str] | None = None, *, life: Life, key_type: str = "ec",
    is_client: bool = False, is_authority: bool = False,
) -> Throwaway:  # fmt: skip
    """Returns a certificate of `issuer`, a dict of PEM texts; without one, of a root that is made for it.

    is_authority: it is a CA, without names and no client; without an issuer a root.
    Raises ArgumentError names, client, key_type or issuer.
    """
    kind = CertificateKey(key_type)
    above = read_issuer(dict(issuer), is_authority=is_authority) if issuer is not None else None
    if is_authority:
        if names:
            raise ArgumentError("names", "-names: a CA's certificate (-ca 1) has no names")
        if is_client:
            raise ArgumentError("client", "-client: a CA's certificate (-ca 1) is not for a client; issue one with it")
        return make_authority(kind.new_key(), life, above)
    usual = CLIENT_NAMES if is_client else SERVER_NAMES
    identifiers = read_names(usual if names is None else names)
    above = above or make_authority(kind.new_key(), life.of_root)
    return make_certificate(identifiers, kind.new_key(), life, above, is_client=is_client)


def read_names(names: Sequence[str]) -> tuple[Identifier, ...]:
    """Returns the names of a certificate, or the one name. Raises ArgumentError "names"."""
    try:
        return parse_identifiers([names] if isinstance(names, str) else names)
    except ArgumentError as error:
        raise ArgumentError("names", error.message.replace("parse domains", "parse names", 1)) from None


def _made(names: Sequence[Identifier], new_key: NewKey) -> dict[str, Throwaway]:
    """Returns the certificates of each kind."""
    usual = Life.of()
    now = usual.not_before + DAY_SECONDS
    root = make_authority(new_key(), usual.of_root)
    intermediate = make_authority(new_key(), usual, root)

    def server(life: Life = usual, of: Sequence[Identifier] = names, issuer: Throwaway = root) -> Throwaway:
        return make_certificate(of, new_key(), life, issuer)

    return {
        "root": root,
        "intermediate": intermediate,
        "server": server(),
        "client": make_certificate(read_names(CLIENT_NAMES), new_key(), usual, root, is_client=True),
        "expired": server(Life(now - DAY_SECONDS - _MONTH_SECONDS, now - DAY_SECONDS)),
        "not_yet_valid": server(Life(now + DAY_SECONDS, now + DAY_SECONDS + _MONTH_SECONDS)),
        "wrong_name": server(of=read_names([_wrong_name(names)])),
        "revoked": server(),
        "chain_of_three": server(issuer=intermediate),
    }


def _wrong_name(names: Sequence[Identifier]) -> str:
    taken = {name.value for name in names}
    return next(
        name for number in count() if not {name := f"wrong.name{number or ''}.invalid", f"*.{name[6:]}"} & taken
    )
