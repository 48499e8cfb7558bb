"""lego's folder, .lego: certificates/NAME.{crt,key,json,issuer.crt}, accounts/SERVER/EMAIL/{account.json,keys/}.

It keeps neither the CA's directory nor how a name is proven: these are options of each of its calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from urllib.parse import urlsplit

from ...acme.public_cas import PUBLIC_CAS
from ...errors import ArgumentError
from ...files import FilePath
from ...text import clean
from .tree import (
    Finding,
    FoundAccount,
    FoundCertificate,
    Tree,
    account_facts,
    below,
    exists,
    no_account,
    server_of,
    unproven,
    wrong_tree,
)

_META, _ISSUER = ".json", ".issuer.crt"


def lego_certificates(tree: Tree) -> Iterator[Finding]:
    """Yields lego's certificates. Raises ArgumentError "path" for another folder."""
    folder = tree.path / "certificates"
    if not exists(folder):
        raise wrong_tree(tree.path, "lego", "certificates/", "its --path, .lego in the folder that it was run in")
    for file in tree.names(folder):
        if file.endswith(_META):
            stem = file.removesuffix(_META)
            name, path = f"*.{stem[2:]}" if stem.startswith("_.") else stem, folder / file
            yield Finding(name, path, partial(_read, tree, name, path, stem))


def _read(tree: Tree, name: str, path: FilePath, stem: str) -> FoundCertificate:
    folder = tree.path / "certificates"
    certificate, key = folder / f"{stem}.crt", folder / f"{stem}.key"
    private_key = tree.read_key(key, "its request was made elsewhere (--csr)")
    account = _account(tree, _host(tree.read_json(path)))
    found = FoundCertificate(
        name,
        tree.read_chain(certificate, folder / f"{stem}{_ISSUER}"),
        private_key,
        account.directory,
        account,
        files={"fullchain": certificate, "private_key": key},
    )
    cause = "lego keeps no record of how its names are proven, nor of a provider's variables"
    return unproven(found, cause)


def _host(meta: dict[str, object]) -> str:
    """Returns the CA's host, of the certificate's URL."""
    lacks = "its record has no certUrl that says which CA issued it"
    return server_of(meta.get("certUrl", ""), lacks).netloc


def _account(tree: Tree, host: str) -> FoundAccount:
    """Returns the account at the CA with this host. Raises ArgumentError "email" where there are several."""
    server = below(tree.path, "accounts", host.replace(":", "_").replace("/", "_"))
    emails = tree.folders(server)
    wanted = [email for email in emails if not tree.email or email.lower() == tree.email.lower()]
    if not wanted:
        raise no_account(f"https://{host}", server / tree.email if tree.email else server)
    if len(wanted) > 1:
        shown = clean(" and ".join(wanted), 200)
        raise ArgumentError("email", f"lego has several accounts at {host}, {shown}: give -email to choose one")
    folder = server / wanted[0]
    directory = _directory(tree, host)
    key = tree.read(below(folder, "keys", f"{wanted[0]}.key"))
    kept = tree.read_json(folder / "account.json")
    return FoundAccount(directory, key, *account_facts(kept.get("registration")), folder)


def _directory(tree: Tree, host: str) -> str:
    """Returns the CA's directory URL: a public CA's, else the one that was given. lego keeps its host alone."""
    if tree.directory and urlsplit(tree.directory).netloc == host:
        return tree.directory
    at_host = [ca.url for ca in PUBLIC_CAS if urlsplit(ca.url).netloc == host]
    if len(at_host) == 1:
        return at_host[0]
    cause = f"lego does not keep the directory of the CA at {clean(host, 100)}"
    raise ArgumentError("directory", f"{cause}: give it by -directory, as --server had it")
