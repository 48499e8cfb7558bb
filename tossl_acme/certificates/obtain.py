"""A certificate in one call: account, order, proof, certificate, files."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..acme.account import NewAccount, ensure_account
from ..acme.client import Client
from ..acme.jws import AccountKey
from ..acme.order import OrderOptions
from ..context import Context
from ..errors import AcmeError, ArgumentError
from ..files import FilePath
from ..identifiers import Identifier
from ..pki.chain import Chain
from ..pki.csr import Csr
from ..pki.keys import PrivateKey
from ..store.folder import FolderStore
from .files import CertificateFolder, certificate_folder
from .issue import Wanted, issue
from .key import Request, left_over_key, new_leaf_key, request_by_csr, request_by_key
from .solve import Solvers


@dataclass(frozen=True)
class Certificate:
    """What obtain_certificate returns: PEM texts, epoch seconds, and the files' paths where it is stored."""

    identifiers: tuple[Identifier, ...]
    chain: Chain
    private_key: str = field(repr=False)
    directory_url: str
    files: dict[str, FilePath] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        return {
            **self.chain.as_dict(),
            "domains": [identifier.value for identifier in self.identifiers],
            "private_key": self.private_key,
            "directory": self.directory_url,
            "files": dict(self.files),
        }


@dataclass(frozen=True)
class Plan:
    """All that one issuance needs to know beside its account's key.

    The certificate's key is private_key, else that of csr, else a new one of key_type.
    """

    identifiers: tuple[Identifier, ...]
    account: NewAccount
    key_type: str = "ec"
    private_key: PrivateKey | None = None
    csr: Csr | None = None
    options: OrderOptions = field(default_factory=OrderOptions)
    preferred_chain: str = ""

    def request(self, account_key: AccountKey, left_over: str = "") -> Request:
        """What is sent to the CA in the end, checked as far as that can be done now.

        left_over is the key (PEM) of an attempt that did not end; it serves again where a new one is wanted.
        """
        if self.csr is not None:
            return request_by_csr(self.csr, self.identifiers, account_key)
        key = self.private_key or left_over_key(left_over, self.key_type) or new_leaf_key(self.key_type)
        return request_by_key(key, self.identifiers, account_key)


def obtain(client: Client, context: Context, plan: Plan, solvers: Solvers, store: FolderStore | None) -> Certificate:
    """Gets a certificate; with a store, its key is on disk before the CSR leaves and the files are there at the end."""
    if store is None:
        return _obtained(client, context, plan, solvers, plan.request(client.key))
    with certificate_folder(store, context, plan.identifiers[0].value) as folder:
        request = plan.request(client.key, folder.left_over_key())
        if request.private_key:
            folder.keep_key(request.private_key)
        certificate = _obtained(client, context, plan, solvers, request)
        files = _stored(folder, certificate, plan.key_type)
        context.tell("stored", folder=folder.path)
        return replace(certificate, files=files)


def _stored(folder: CertificateFolder, certificate: Certificate, key_type: str) -> dict[str, FilePath]:
    """Keeps the certificate; where the disk refuses, the error's details hold it, for the CA has issued it."""
    values = certificate.as_dict()
    texts = {name: str(values[name]) for name in ("certificate", "chain", "fullchain")}
    record = {name: value for name, value in values.items() if name not in (*texts, "private_key", "files")}
    try:
        return folder.keep(texts, record | {"key_type": key_type}, has_key=bool(certificate.private_key))
    except ArgumentError as error:
        error.details["fullchain"] = texts["fullchain"]
        raise


def _obtained(client: Client, context: Context, plan: Plan, solvers: Solvers, request: Request) -> Certificate:
    wanted = Wanted(plan.identifiers, request, plan.options, plan.preferred_chain)
    was_known = client.knows_account
    try:
        chain = _issued(client, context, plan, wanted, solvers)
    except AcmeError as error:
        # A CA may lose an account that this process has known for months; the key can have another.
        if error.kind != "accountDoesNotExist" or not was_known:
            raise
        chain = _issued(client, context, plan, wanted, solvers)
    return Certificate(plan.identifiers, chain, request.private_key, client.server.url)


def _issued(client: Client, context: Context, plan: Plan, wanted: Wanted, solvers: Solvers) -> Chain:
    ensure_account(client, context, plan.account)
    return issue(client, context, wanted, solvers)
