"""A certificate in one call: account, order, proof, certificate, files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..acme.account import ensure_account
from ..acme.client import Client
from ..acme.identifiers import Identifier
from ..acme.order import OrderTerms
from ..challenges.solver import Solver
from ..errors import ArgumentError
from ..pki.chain import Chain
from ..pki.csr import build_csr
from ..pki.keys import PrivateKey, generate_private_key, load_private_key, private_pem, public_der
from ..scope import Scope
from .issue import Wanted, issue
from .store import Store

#: The kinds of leaf key, as arguments of generate_private_key.
_KEY_TYPES: dict[str, tuple[str, int | None, str | None]] = {
    "ec": ("ec", None, None),
    "ec256": ("ec", 256, None),
    "ec384": ("ec", 384, None),
    "ec521": ("ec", 521, None),
    "rsa": ("rsa", 2048, None),
    "rsa2048": ("rsa", 2048, None),
    "rsa3072": ("rsa", 3072, None),
    "rsa4096": ("rsa", 4096, None),
    "rsa8192": ("rsa", 8192, None),
    "ed25519": ("ed25519", None, None),
}


@dataclass(frozen=True)
class Certificate:
    """What obtain_certificate returns: PEM texts, epoch seconds, and the files' paths where it is stored."""

    identifiers: tuple[Identifier, ...]
    chain: Chain
    private_key: str = field(repr=False)
    directory_url: str
    files: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return {
            **self.chain.as_dict(),
            "domains": [identifier.value for identifier in self.identifiers],
            "private_key": self.private_key,
            "directory": self.directory_url,
            "files": dict(self.files),
        }


def new_leaf_key(kind: str) -> PrivateKey:
    """A key for a certificate: ec (P-256), ec384, ec521, rsa (2048), rsa3072, rsa4096, rsa8192, ed25519."""
    if kind.lower() not in _KEY_TYPES:
        raise ArgumentError("key_type", f"key_type {kind[:40]!r} is none of {', '.join(_KEY_TYPES)}")
    return load_private_key(private_pem(generate_private_key(*_KEY_TYPES[kind.lower()])))


def account_key_for(store: Store | None, directory_url: str, given: str) -> str:
    """The PEM of the account key: the one given, else the store's for this CA, else a new one, which is stored."""
    if given:
        return given
    known = store.account_key(directory_url) if store else ""
    if known:
        return known
    pem = private_pem(generate_private_key("ec"))
    return store.keep_account_key(directory_url, pem) if store else pem


@dataclass(frozen=True)
class Plan:
    """All that one issuance needs to know beside its account."""

    identifiers: tuple[Identifier, ...]
    contact: tuple[str, ...]
    key_type: str = "ec"
    terms: OrderTerms = field(default_factory=OrderTerms)
    preferred_chain: str = ""


def obtain(client: Client, scope: Scope, plan: Plan, solvers: Sequence[Solver], store: Store | None) -> Certificate:
    """Gets a certificate; with a store, its key is on disk before the CSR leaves and the files are there at the end."""
    key = new_leaf_key(plan.key_type)
    if store is None:
        return _obtained(client, scope, plan, solvers, key)
    with store.certificate(plan.identifiers[0].value, scope) as folder:
        folder.keep_key(private_pem(key))
        certificate = _obtained(client, scope, plan, solvers, key)
        values = certificate.as_dict()
        texts = {name: str(values[name]) for name in ("certificate", "chain", "fullchain")}
        record = {name: value for name, value in values.items() if name not in (*texts, "private_key", "files")}
        files = folder.keep(texts, record | {"key_type": plan.key_type})
        scope.tell("stored", folder=str(folder.path))
        return Certificate(plan.identifiers, certificate.chain, certificate.private_key, client.server.url, files)


def _obtained(
    client: Client, scope: Scope, plan: Plan, solvers: Sequence[Solver], key: PrivateKey
) -> Certificate:
    ensure_account(client, scope, plan.contact)
    names = [(identifier.type, identifier.value) for identifier in plan.identifiers]
    wanted = Wanted(
        plan.identifiers, build_csr(key, names), public_der(key), plan.terms, plan.preferred_chain
    )
    chain = issue(client, scope, wanted, solvers)
    return Certificate(plan.identifiers, chain, private_pem(key), client.server.url)
