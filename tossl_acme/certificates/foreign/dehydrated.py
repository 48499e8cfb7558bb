"""dehydrated's folder: config, accounts/HASH/{account_key.pem,account_id.json}, certs/NAME/*.pem."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ...files import FilePath, absolute
from ...text import clean
from .tree import (
    Finding,
    FoundAccount,
    FoundCertificate,
    Tree,
    account_url,
    assignments,
    exists,
    is_webroot,
    new_keys,
    no_account,
    not_taken_over,
    proven_by_file,
    shown_command,
    sound_contacts,
    texts_of,
    unproven,
    wrong_tree,
)

#: The names that its configuration may have for a CA.
_CAS = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-test": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "buypass": "https://api.buypass.com/acme/directory",
    "buypass-test": "https://api.test4.buypass.no/acme/directory",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
    "google-test": "https://dv.acme-v02.test-api.pki.goog/directory",
}
_ANSWERS = "/.well-known/acme-challenge"
_FOLDERS = (("CERTDIR", "certs"), ("ACCOUNTDIR", "accounts"))
_FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}


@dataclass(frozen=True, eq=False)
class _Setting:
    """Its configuration, and where its folders are."""

    conf: Mapping[str, str]
    certs: FilePath
    accounts: FilePath

    @property
    def directory(self) -> str:
        ca = self.conf.get("CA", "letsencrypt")
        return _CAS.get(ca, ca)


def dehydrated_certificates(tree: Tree) -> Iterator[Finding]:
    """Yields dehydrated's certificates. Raises ArgumentError "path" for another folder."""
    setting = _setting(tree)
    if not exists(setting.certs) and not exists(tree.path / "config"):
        raise wrong_tree(tree.path, "dehydrated", "certs/ or config", "its BASEDIR, or the folder with its config")
    for name in tree.folders(setting.certs):
        folder = setting.certs / name
        yield Finding(name, folder, partial(_read, tree, setting, name, folder))


def _setting(tree: Tree) -> _Setting:
    conf = {"BASEDIR": str(tree.path)}
    if exists(path := tree.path / "config"):
        conf = assignments(tree.read(path), conf)
    if more := conf.get("CONFIG_D"):
        for name in tree.names(absolute(more)):
            if name.endswith(".sh"):
                conf = assignments(tree.read(absolute(more) / name), conf)
    named = conf["BASEDIR"].rstrip("/") if conf["BASEDIR"].startswith("/") else str(tree.path)
    # A copy of a tree names the folders that it was copied from.
    base = tree.path if exists(tree.path / "certs") else absolute(named or "/")
    certs, accounts = (_folder(conf.get(name, ""), named, base, usual) for name, usual in _FOLDERS)
    return _Setting(conf, certs, accounts)


def _folder(word: str, named: str, base: FilePath, usual: str) -> FilePath:
    if word.startswith(f"{named}/"):
        return base / word.removeprefix(f"{named}/")
    return absolute(word) if word.startswith("/") else base / usual


def _read(tree: Tree, setting: _Setting, name: str, folder: FilePath) -> FoundCertificate:
    each = setting.conf.get("DOMAINS_D", "")
    path = absolute(each) / name if each.startswith("/") else folder / "config"
    conf = assignments(tree.read(path), setting.conf) if exists(path) else setting.conf
    setting = _Setting(conf, setting.certs, setting.accounts)
    files = {kind: folder / file for kind, file in _FILES.items()}
    found = FoundCertificate(
        name,
        tree.read_chain(files["certificate"], files["chain"]),
        tree.read(files["private_key"]),
        setting.directory,
        _account(tree, setting),
        profile=setting.conf.get("ACME_PROFILE", ""),
        preferred_chain=setting.conf.get("PREFERRED_CHAIN", ""),
        files=files,
        notes=_notes(setting.conf),
    )
    return _proven(found, setting.conf)


def _notes(conf: Mapping[str, str]) -> tuple[str, ...]:
    notes = [not_taken_over("dehydrated's HOOK", hook)] if (hook := conf.get("HOOK")) else []
    if conf.get("PRIVATE_KEY_RENEW") == "no":
        notes.append(new_keys("dehydrated's PRIVATE_KEY_RENEW"))
    return tuple(notes)


def _proven(found: FoundCertificate, conf: Mapping[str, str]) -> FoundCertificate:
    way, folder = conf.get("CHALLENGETYPE", "http"), conf.get("WELLKNOWN", "/var/www/dehydrated").rstrip("/")
    if not way.startswith("http"):
        hook = shown_command(conf.get("HOOK", "")) or "a hook"
        return unproven(found, f"its names were proven by {clean(way, 40)} through {hook}")
    if not folder.endswith(_ANSWERS) or not is_webroot(folder):
        return unproven(found, f"its answers stood in {clean(folder, 200)}, which the web server shows by an alias")
    return proven_by_file(found, folder.removesuffix(_ANSWERS) or "/")


def _account(tree: Tree, setting: _Setting) -> FoundAccount:
    """Returns the account at the CA; its folder is called by the directory's URL in base64."""
    hashed = base64.urlsafe_b64encode(f"{setting.directory}\n".encode()).decode().rstrip("=")
    folder = setting.accounts / hashed
    if not exists(path := folder / "account_key.pem"):
        raise no_account(setting.directory, path)
    contact: tuple[str, ...] = ()
    if exists(registration := folder / "registration_info.json"):
        contact = sound_contacts(texts_of(tree.read_json(registration).get("contact")))
    url = tree.read_json(folder / "account_id.json").get("url") if exists(folder / "account_id.json") else ""
    return FoundAccount(setting.directory, tree.read(path), account_url(url), contact, folder)
