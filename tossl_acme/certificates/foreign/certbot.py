"""certbot's folder, /etc/letsencrypt: renewal/NAME.conf, live/NAME/*.pem, accounts/SERVER/ID/*.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from ...errors import ArgumentError, KeyFormatError
from ...files import FilePath
from ...pki.jwk import private_key_of_jwk
from ...pki.keys import private_pem
from ...text import clean
from .tree import (
    Finding,
    FoundAccount,
    FoundCertificate,
    Tree,
    account_facts,
    below,
    exists,
    is_webroot,
    new_keys,
    no_account,
    not_taken_over,
    proven_by_file,
    proven_by_port,
    shown_command,
    unproven,
    wrong_tree,
)

_CONF = ".conf"
_LINE = re.compile(r"([\w.:*-]+)\s*=\s*(.*)")
_SECTION = re.compile(r"(\[+)\s*([^\]]+?)\s*\]+")
_FILES = {"certificate": "cert.pem", "chain": "chain.pem", "fullchain": "fullchain.pem", "private_key": "privkey.pem"}
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_PORT, _PATH = "http01_port", "webroot_path"


def certbot_certificates(tree: Tree) -> Iterator[Finding]:
    """Yields certbot's certificates. Raises ArgumentError "path" for another folder."""
    renewal = tree.path / "renewal"
    if not exists(renewal):
        raise wrong_tree(tree.path, "certbot", "renewal/", "its --config-dir, usually /etc/letsencrypt")
    for name in tree.names(renewal):
        if name.endswith(_CONF):
            lineage, path = name.removesuffix(_CONF), renewal / name
            yield Finding(lineage, path, partial(_read, tree, lineage, path))


def _read(tree: Tree, name: str, path: FilePath) -> FoundCertificate:
    conf = _conf(tree.read(path))
    asked = conf.get("renewalparams", {})
    server = asked.get("server", "")
    if not server:
        raise ArgumentError("path", f"{path.shown} names no server: certbot cannot renew it either")
    account = _account(tree, server, asked.get("account", ""))
    live = below(tree.path, "live", _lineage(conf.get("", {}), name))
    files = {kind: live / file for kind, file in _FILES.items()}
    found = FoundCertificate(
        name,
        tree.read(files["fullchain"]),
        tree.read(files["private_key"]),
        server,
        account,
        profile=asked.get("required_profile") or asked.get("preferred_profile", ""),
        preferred_chain=_text(asked.get("preferred_chain", "")),
        files=files,
        notes=_notes(asked),
    )
    return _proven(found, conf)


def _proven(found: FoundCertificate, conf: dict[str, dict[str, str]]) -> FoundCertificate:
    asked = conf["renewalparams"]
    way = asked.get("authenticator", "")
    if way == "standalone":
        return proven_by_port(found, asked.get(_PORT, "80"))
    if way == "webroot":
        folders = set(conf.get("webroot_map", {}).values()) or set(_list(asked.get(_PATH, "")))
        if len(folders) == 1 and is_webroot(folder := folders.pop()):
            return proven_by_file(found, folder)
        shown = clean(", ".join(sorted(folders))) or "none"
        return unproven(found, f"its names are not served from one folder ({shown})")
    if way == "manual":
        return unproven(found, f"its names were proven by hand, or by {_hook(asked)}")
    if way.startswith("dns-"):
        option = f"{way.replace('-', '_')}_credentials"
        where = f", whose secrets are in {clean(asked[option], 200)}" if asked.get(option) else ""
        return unproven(found, f"its names were proven by certbot's {clean(way, 60)}{where}")
    return unproven(found, f"its names were proven by certbot's {clean(way, 60) or 'default'}, inside its web server")


def _hook(asked: dict[str, str]) -> str:
    hook = asked.get("manual_auth_hook", "")
    return f"the hook {shown_command(hook)}" if hook and hook != "None" else "a hook"


def _notes(asked: dict[str, str]) -> tuple[str, ...]:
    notes = []
    for hook in ("pre_hook", "post_hook", "renew_hook"):
        if _text(asked.get(hook, "")):
            notes.append(not_taken_over(f"certbot's {hook}", asked[hook]))
    if _text(asked.get("installer", "")):
        notes.append(f"certbot's installer {clean(asked['installer'], 60)} reloaded the server: -deploy_command can")
    if asked.get("reuse_key") == "True":
        notes.append(new_keys("certbot's reuse_key"))
    return tuple(notes)


def _account(tree: Tree, server: str, account: str) -> FoundAccount:
    """Returns the account of a certificate: accounts/HOST/PATH/ID, where the server is https://HOST/PATH."""
    parts = [part for part in server.partition("://")[2].split("/") if part]
    if not _ACCOUNT_ID.fullmatch(account) or any(part.startswith(".") for part in parts):
        raise ArgumentError("path", f"its configuration names no account at {clean(server, 200)}")
    folder = below(tree.path, "accounts", *parts, account)
    path = folder / "private_key.json"
    if not exists(path):
        raise no_account(server, path)
    try:
        key = private_pem(private_key_of_jwk(tree.read(path)))
    except KeyFormatError as error:
        raise error.within(path.shown) from None
    kept = tree.read_json(path) if exists(path := folder / "regr.json") else {}
    url, contact = account_facts(kept)
    return FoundAccount(server, key, url, contact, folder)


def _lineage(paths: dict[str, str], name: str) -> str:
    """Returns the folder in live/: that of the configuration's own path, for the tree may be a copy elsewhere."""
    folder = paths.get("fullchain", "").rpartition("/")[0].rpartition("/")[2]
    return folder if folder and not folder.startswith(".") else name


def _conf(text: str) -> dict[str, dict[str, str]]:
    """Returns the sections of a renewal configuration by their names, the first lines' as ""."""
    sections: dict[str, dict[str, str]] = {"": {}}
    name = ""
    for line in map(str.strip, text.splitlines()):
        if section := _SECTION.fullmatch(line):
            name = section[2]
            sections.setdefault(name, {})
        elif not line.startswith("#") and (match := _LINE.fullmatch(line)):
            sections[name][match[1]] = match[2].strip("\"'")
    sections.setdefault("renewalparams", {})
    return sections


def _list(text: str) -> list[str]:
    return [item for item in map(str.strip, text.split(",")) if item]


def _text(value: str) -> str:
    return "" if value == "None" else value
