"""What certbot, acme.sh, lego, dehydrated and NaviServer's module left, taken into a store: all is checked first.

The first renewal is then one of the same account, and names the certificate that it replaces (RFC 9773 section 5).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..acme.account import NewAccount
from ..acme.clients import account_key_of
from ..acme.order import OrderOptions
from ..acme.public_cas import directory_url
from ..acme.renewal import cert_id
from ..challenges.choice import choose
from ..challenges.registry import TYPES
from ..challenges.solver import SolverOptions
from ..context import Context
from ..errors import ArgumentError, KeyFormatError, TosslError
from ..files import FilePath
from ..http.options import ConnectionOptions
from ..http.urls import shown_url
from ..identifiers import Identifier, parse_identifiers
from ..pki.chain import CertificateChain, check_begun, read_certificate
from ..pki.keys import PrivateKey, load_private_key, private_pem, public_der
from ..pki.pem import certificate_blocks
from ..store.protocol import Store
from ..text import clean, quoted
from . import due
from .accounts import check_account_taken_over, take_over_account
from .files import certificate_folder
from .foreign.acmesh import acmesh_certificates
from .foreign.certbot import certbot_certificates
from .foreign.dehydrated import dehydrated_certificates
from .foreign.lego import lego_certificates
from .foreign.links import check_linkable, put_links
from .foreign.naviserver import naviserver_certificates
from .foreign.tree import Finding, FoundAccount, FoundCertificate, Tree
from .issuance import Issuance
from .key import CertificateKey, check_not_account_key, kind_of
from .node_files import NodeFiles
from .pem_file import check_pem_file, keep_pem_file
from .record import FILES, FORMAT, digests_of, folder_name, paths_of, read_kept

#: The programs whose trees are read.
PROGRAMS: Mapping[str, Callable[[Tree], Iterator[Finding]]] = {
    "certbot": certbot_certificates,
    "acme.sh": acmesh_certificates,
    "lego": lego_certificates,
    "dehydrated": dehydrated_certificates,
    "naviserver": naviserver_certificates,
}
_PROVEN_BY = "give -webroot, -port or -provider, by which renewals are to prove them"
_HOW = ("challenge", "webroot", "port", "provider")


@dataclass(frozen=True, eq=False)
class Wishes:
    """What is to be done with a tree.

    names: those of the certificates to take; all without any. solvers: how names are proven from now on; without any of
    its ways, as the tree has it. replace: also in the place of what is kept. links: the names that servers read become
    links. files: this machine's own folder for the files. is_trial: nothing is written.
    """

    names: tuple[str, ...] = ()
    solvers: SolverOptions = field(default_factory=SolverOptions)
    connection: ConnectionOptions = field(default_factory=ConnectionOptions)
    pem_file: FilePath | None = None
    replace: bool = False
    links: bool = False
    is_trial: bool = False
    files: NodeFiles | None = None

    @property
    def proves(self) -> bool:
        """Returns whether it says how names are proven."""
        return self.solvers.http01_response or any(getattr(self.solvers, name) for name in _HOW)


@dataclass(frozen=True, eq=False)
class _Ready:
    """A certificate that was checked, as it will be kept."""

    found: FoundCertificate
    chain: CertificateChain
    private_key: str = field(repr=False)
    issuance: Issuance
    source: FilePath

    @property
    def name(self) -> str:
        return self.found.name


def import_tree(context: Context, program: str, tree: Tree, store: Store, wishes: Wishes) -> dict[str, object]:
    """Takes the certificates of a program's tree, with their accounts. Returns import_certificate's result.

    Raises ArgumentError "program", "path" for another tree, "names" for what is not in it, and "pem_file".
    """
    if program not in PROGRAMS:
        raise ArgumentError("program", f"{quoted(program)} is not one of {', '.join(PROGRAMS)}")
    entries = _chosen(list(PROGRAMS[program](tree)), tree, wishes)
    imported: list[dict[str, object]] = []
    skipped: list[dict[str, object]] = []
    accounts: dict[str, FoundAccount] = {}
    for entry in entries:
        context.check("the next certificate")
        try:
            ready = _checked(entry, store, wishes)
            _check_account(store, ready.found.account, accounts, wishes)
            notes = () if wishes.is_trial else _keep(context, store, ready, program, wishes)
        except TosslError as error:
            if error.errorcode[1] not in ("VALUE", "KEY", "ACME", "DNS"):
                raise
            skipped.append({"name": entry.name, "source": entry.source, "message": error.message})
            context.tell("skipped", name=entry.name, message=error.message)
        else:
            accounts.setdefault(ready.found.account.directory, ready.found.account)
            imported.append(_told(ready, store, wishes, notes))
            context.tell("imported", name=entry.name)
    return {
        "imported": imported,
        "skipped": skipped,
        "accounts": [{"directory": one.directory, "url": one.url, "source": one.source} for one in accounts.values()],
    }


def _chosen(entries: list[Finding], tree: Tree, wishes: Wishes) -> list[Finding]:
    have = [entry.name for entry in entries]
    if missing := [name for name in wishes.names if name not in have]:
        shown = clean(", ".join(have), 500) or "none"
        raise ArgumentError("names", f"{tree.path.shown} has no certificate {quoted(missing[0])}; it has {shown}")
    chosen = [entry for entry in entries if not wishes.names or entry.name in wishes.names]
    if wishes.pem_file is not None:
        if len(chosen) > 1:
            raise ArgumentError("pem_file", "-pem_file is for one certificate: say by -names which of them")
        check_pem_file(wishes.pem_file, has_key=True)
    return chosen


def _checked(entry: Finding, store: Store, wishes: Wishes) -> _Ready:
    """Returns a certificate that can be kept and renewed. Raises ArgumentError or KeyFormatError with the cause."""
    found = entry.read()
    key = _private_key(found.private_key, "its key")
    chain = read_certificate("".join(certificate_blocks(found.chain)))
    if public_der(key) != chain.public_key:
        raise ArgumentError("private_key", "its key is not that of the certificate")
    _check_dates(chain)
    if chain.is_self_signed:
        raise ArgumentError("certificate", "it is self-signed: no CA issued it")
    identifiers = parse_identifiers([one.value for one in chain.identifiers if one.type in ("dns", "ip")])
    directory = directory_url(found.directory)
    check_not_account_key(chain.public_key, _account_spki(found.account), "private_key")
    _check_free(store, found.name, chain, wishes)
    issuance = Issuance(
        identifiers,
        directory,
        NewAccount(found.account.contact),
        key=CertificateKey(kind_of(chain.public_key) or "ec"),
        order=OrderOptions(profile=found.profile),
        solvers=_solvers(found, identifiers, wishes),
        preferred_chain=found.preferred_chain,
        connection=wishes.connection,
        pem_file=wishes.pem_file or found.pem_file,
    )
    account = replace(found.account, directory=directory)
    if wishes.links:
        if not found.files:
            raise ArgumentError("links", "no file is known that a server reads: -links 1 is not for it")
        check_linkable(found.files, _server_files(store, found.name, wishes))
    if wishes.files is not None:
        wishes.files.check(store, found.name)
    return _Ready(replace(found, account=account), chain, private_pem(key), issuance, entry.source)


def _private_key(pem: str, what: str) -> PrivateKey:
    try:
        return load_private_key(pem)
    except KeyFormatError as error:
        raise error.within(what) from None


def _account_spki(account: FoundAccount) -> bytes:
    try:
        return account_key_of(account.key).spki
    except KeyFormatError as error:
        raise error.within(f"the account's key in {account.source.shown}") from None


def _check_dates(chain: CertificateChain) -> None:
    if chain.not_after <= due.now():
        cause = "it has expired, or this machine's clock is wrong"
        raise ArgumentError("certificate", f"{cause}; tossl::acme::obtain_certificate gets a new one")
    check_begun(chain, due.now())


def _check_free(store: Store, name: str, chain: CertificateChain, wishes: Wishes) -> None:
    """Raises ArgumentError "store" where another certificate is kept under the name, or this one is."""
    kept = read_kept(store, name, record_alone=True)
    if kept is None or (wishes.replace and kept.serial != f"{chain.serial:x}"):
        return
    if kept.serial == f"{chain.serial:x}" and not wishes.replace:
        raise ArgumentError("store", "it is kept already")
    if not wishes.replace:
        cause = "another certificate is kept under this name: -replace 1 puts this one in its place"
        raise ArgumentError("store", f"{cause}; another -store keeps both")


def _solvers(found: FoundCertificate, identifiers: tuple[Identifier, ...], wishes: Wishes) -> SolverOptions:
    """Returns how renewals prove the names: as the caller says, else as the tree has it."""
    if not wishes.proves and found.solvers is None:
        raise ArgumentError("webroot", f"{found.unproven}: {_PROVEN_BY}")
    solvers = wishes.solvers if wishes.proves else found.solvers
    assert solvers is not None
    chosen = choose(solvers, identifiers)
    for identifier in identifiers:
        types = [TYPES[solver.challenge_type] for solver in chosen[identifier]]
        if identifier.value.startswith("*.") and not any(one.dns_label for one in types):
            cause = "can be proven by a DNS record alone: give -provider"
            raise ArgumentError("challenge", f"{clean(identifier.value, 100)} {cause}")
    return solvers


def _check_account(store: Store, account: FoundAccount, taken: Mapping[str, FoundAccount], wishes: Wishes) -> None:
    """Raises ArgumentError "store" where the store's account at this CA is another, or will be."""
    other = taken.get(account.directory)
    if other is not None and _account_spki(other) != _account_spki(account):
        at = shown_url(account.directory)
        cause = f"its account at {at} is not that of the certificates before it, and a store keeps one"
        raise ArgumentError("store", f"{cause}: import it by -names into another -store")
    if other is None and not wishes.replace:
        check_account_taken_over(store, account.directory, account.key)


def _keep(context: Context, store: Store, ready: _Ready, program: str, wishes: Wishes) -> tuple[str, ...]:
    """Writes account and certificate: each is there whole or not at all. Returns what could not be done beside them."""
    account, chain = ready.found.account, ready.chain
    with certificate_folder(store, context, ready.name) as folder:
        _check_free(store, ready.name, chain, wishes)  # whoever had it until now may have kept one
        take_over_account(
            store, context, account.directory, (account.key, account.url, account.contact), replace=wishes.replace
        )
        texts = {
            FILES["certificate"]: chain.certificate,
            FILES["chain"]: chain.issuers,
            FILES["fullchain"]: chain.fullchain,
            FILES["private_key"]: ready.private_key,
        }
        folder.write_record(texts, _record(ready, program) | {"digests": digests_of(texts)})
    try:
        _put_in_place(context, store, ready, wishes)
    except ArgumentError as error:
        return (f"it is kept, but not in place for servers: {error.message}",)
    return ()


def _put_in_place(context: Context, store: Store, ready: _Ready, wishes: Wishes) -> None:
    """Writes the files that servers read, outside the store."""
    chain = ready.chain
    if wishes.files is not None:
        wishes.files.keep(context, {**chain.as_dict(), "name": ready.name, "private_key": ready.private_key})
    if wishes.links:
        put_links(ready.found.files, _server_files(store, ready.name, wishes))
    if wishes.pem_file is not None:
        keep_pem_file(wishes.pem_file, ready.private_key, chain.fullchain)


def _record(ready: _Ready, program: str) -> dict[str, object]:
    chain, issuance = ready.chain, ready.issuance
    facts = chain.as_dict()
    try:
        name = cert_id(chain)
    except ArgumentError:  # it has none
        name = ""
    return {
        "format": FORMAT,
        **{member: facts[member] for member in ("not_before", "not_after", "issuer", "serial")},
        "domains": [identifier.value for identifier in issuance.identifiers],
        "directory": issuance.directory,
        "key_type": kind_of(chain.public_key),
        "has_key": True,
        "issued_at": chain.not_before,
        "renewable": issuance.is_renewable,
        "public_key": hashlib.sha256(chain.public_key).hexdigest(),
        "cert_id": name,
        "profile": issuance.order.profile,
        "preferred_chain": issuance.preferred_chain,
        "issuance": issuance.as_json(),
        "imported_from": program,
    }


def _told(ready: _Ready, store: Store, wishes: Wishes, problems: tuple[str, ...]) -> dict[str, object]:
    found, chain = ready.found, ready.chain
    notes = [*problems, *found.notes]
    if not chain.issuers:
        notes.append("its chain has no certificate of its issuer")
    if not found.account.url:
        notes.append("its account's URL was not kept: the first renewal asks the CA for it")
    return {
        "name": ready.name,
        "domains": [identifier.value for identifier in ready.issuance.identifiers],
        "not_after": chain.not_after,
        "directory": found.account.directory,
        "account": found.account.url,
        "source": ready.source,
        "renewable": ready.issuance.is_renewable,
        "notes": notes,
        "files": {} if wishes.is_trial else _server_files(store, ready.name, wishes),
    }


def _server_files(store: Store, name: str, wishes: Wishes) -> dict[str, FilePath]:
    """Returns the paths of the files that servers read."""
    if wishes.files is not None:
        return wishes.files.paths(folder_name(name), has_key=True)
    return paths_of(store, name, has_key=True)


def names_of_programs() -> Collection[str]:
    """Returns the programs' names, for help."""
    return tuple(PROGRAMS)
