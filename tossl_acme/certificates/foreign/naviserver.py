"""What NaviServer's module letsencrypt leaves in its sslpath, modules/nsssl: letsencrypt-API-account.key, NAME.pem.

NAME.pem has the key, the certificate with its chain, and Diffie-Hellman parameters; those of staging begin with
"staging-". The account's URL is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from ...acme.public_cas import directory_url
from ...files import FilePath
from .tree import Finding, FoundAccount, FoundCertificate, Tree, exists, no_account, unproven, wrong_tree

_PEM, _STAGING = ".pem", "staging"
_CAS = {"production": "letsencrypt", _STAGING: "letsencrypt-staging"}


def naviserver_certificates(tree: Tree) -> Iterator[Finding]:
    """Yields the module's certificates. Raises ArgumentError "path" for another folder."""
    if not any(exists(_key(tree, api)) for api in _CAS):
        lacks = "letsencrypt-production-account.key and no letsencrypt-staging-account.key"
        raise wrong_tree(tree.path, "NaviServer's module letsencrypt", lacks, "its sslpath, usually modules/nsssl")
    for file in tree.names(tree.path):
        if file.endswith(_PEM):
            name, path = file.removesuffix(_PEM), tree.path / file
            yield Finding(name, path, partial(_read, tree, name, path))


def _read(tree: Tree, name: str, path: FilePath) -> FoundCertificate:
    api = _STAGING if name.startswith(f"{_STAGING}-") else "production"
    directory = tree.directory if tree.directory and api != _STAGING else directory_url(_CAS[api])
    text = tree.read(path)
    if not exists(key := _key(tree, api)):
        raise no_account(directory, key)
    account = FoundAccount(directory, tree.read(key), "", (), key)
    found = FoundCertificate(name, text, text, directory, account, pem_file=path)
    return unproven(found, "its names were proven by files in NaviServer's pagedir, which is not recorded")


def _key(tree: Tree, api: str) -> FilePath:
    return tree.path / f"letsencrypt-{api}-account.key"
