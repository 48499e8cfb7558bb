"""acme.sh's folder, ~/.acme.sh: NAME/ and NAME_ecc/ with NAME.conf, ca/HOST/PATH/{account.key,ca.conf}."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
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
    below,
    exists,
    is_webroot,
    no_account,
    not_taken_over,
    proven_by_file,
    proven_by_port,
    proven_by_tls_port,
    server_of,
    sound_contacts,
    unproven,
    wrong_tree,
)

_ECC = "_ecc"
_BEGIN, _END = "__ACME_BASE64__START_", "__ACME_BASE64__END_"
_USUAL_CA = "https://acme-v02.api.letsencrypt.org/directory"
#: Its DNS plugins with a provider here: the provider, and how the variables begin that it keeps as SAVED_...
_PROVIDERS = {
    "dns_acmedns": ("acmedns", "ACMEDNS_"),
    "dns_aws": ("route53", "AWS_"),
    "dns_cf": ("cloudflare", "CF_"),
    "dns_desec": ("desec", "DEDYN_"),
    "dns_dgon": ("digitalocean", "DO_"),
    "dns_duckdns": ("duckdns", "DuckDNS_"),
    "dns_gandi_livedns": ("gandi", "GANDI_"),
    "dns_hetzner": ("hetzner", "HETZNER_"),
    "dns_nsupdate": ("rfc2136", "NSUPDATE_"),
    "dns_ovh": ("ovh", "OVH_"),
}
_REAL = {"certificate": "Le_RealCertPath", "chain": "Le_RealCACertPath", "fullchain": "Le_RealFullChainPath"}
_REAL["private_key"] = "Le_RealKeyPath"
_HOOKS = ("Le_PreHook", "Le_PostHook", "Le_RenewHook", "Le_ReloadCmd", "Le_DeployHook")


def acmesh_certificates(tree: Tree) -> Iterator[Finding]:
    """Yields acme.sh's certificates. Raises ArgumentError "path" for another folder."""
    if not exists(tree.path / "account.conf") and not exists(tree.path / "ca"):
        raise wrong_tree(tree.path, "acme.sh", "account.conf and no ca/", "its --config-home, usually ~/.acme.sh")
    settings = assignments(tree.read(path)) if exists(path := tree.path / "account.conf") else {}
    home = absolute(word) if (word := settings.get("CERT_HOME", "")).startswith("/") else tree.path
    folders = [name for name in tree.folders(home) if exists(below(home, name, f"{name.removesuffix(_ECC)}.conf"))]
    for folder in folders:
        domain = folder.removesuffix(_ECC)
        # Of two keys for one domain, the second is kept under the folder's name.
        name, path = folder if domain in folders else domain, home / folder
        yield Finding(name, path, partial(_read, tree, name, path, domain, settings))


def _read(tree: Tree, name: str, folder: FilePath, domain: str, settings: Mapping[str, str]) -> FoundCertificate:
    conf = {option: _value(word) for option, word in assignments(tree.read(folder / f"{domain}.conf")).items()}
    directory = conf.get("Le_API") or _USUAL_CA
    found = FoundCertificate(
        name,
        tree.read_chain(folder / f"{domain}.cer", folder / "ca.cer"),
        tree.read_key(folder / f"{domain}.key", "its request was made elsewhere"),
        directory,
        _account(tree, directory, settings),
        profile=conf.get("Le_Certificate_Profile", ""),
        preferred_chain=conf.get("Le_Preferred_Chain", ""),
        files={kind: absolute(conf[real]) for kind, real in _REAL.items() if conf.get(real, "").startswith("/")},
        notes=_notes(conf),
    )
    return _proven(found, conf, {**settings, **conf}, tree.path / "account.conf")


def _proven(
    found: FoundCertificate, conf: Mapping[str, str], secrets: Mapping[str, str], where: FilePath
) -> FoundCertificate:
    ways = set(filter(None, conf.get("Le_Webroot", "").split(",")))
    if len(ways) != 1:
        return unproven(
            found, f"its names are proven in several ways ({clean(', '.join(sorted(ways)), 200) or 'none'})"
        )
    way = ways.pop()
    if way == "no":
        return proven_by_port(found, conf.get("Le_HTTPPort") or "80")
    if way == "alpn":
        return proven_by_tls_port(found, conf.get("Le_TLSPort") or "443")
    if is_webroot(way):
        return proven_by_file(found, way)
    provider, prefix = _PROVIDERS.get(way, ("", "SAVED_"))
    if not provider:
        return unproven(found, f"its names were proven by acme.sh's {clean(way, 60)}")
    names = ", ".join(sorted(name for name in secrets if name.startswith(f"SAVED_{prefix}"))) or f"{prefix}..."
    cause = f"its names were proven by acme.sh's {way}, whose secrets are {clean(names, 200)} in {where.shown}"
    return unproven(found, f"{cause} (-provider {provider} is the same here)")


def _notes(conf: Mapping[str, str]) -> tuple[str, ...]:
    notes = [not_taken_over(f"acme.sh's {hook}", conf[hook]) for hook in _HOOKS if conf.get(hook)]
    if alias := conf.get("Le_ChallengeAlias"):
        notes.append(f"acme.sh's alias {clean(alias, 200)} is not taken over: CNAME records are followed here")
    return tuple(notes)


def _account(tree: Tree, directory: str, settings: Mapping[str, str]) -> FoundAccount:
    """Returns the account at the CA: ca/HOST/PATH, or ca/HOST as earlier versions had it; the port is not in it."""
    server = server_of(directory, "its configuration names no CA")
    parts = [part for part in server.path.split("/") if part]
    above = below(tree.path, "ca", str(server.hostname))
    folder = below(above, *parts)
    if not exists(folder / "account.key") and exists(above / "account.key"):
        folder = above
    path = folder / "account.key"
    if not exists(path) and (word := settings.get("ACCOUNT_KEY_PATH", "")).startswith("/"):
        path = absolute(word)
    if not exists(path):
        raise no_account(directory, path)
    conf = assignments(tree.read(folder / "ca.conf")) if exists(folder / "ca.conf") else {}
    contact = sound_contacts([email] if (email := conf.get("CA_EMAIL", "")) else [])
    return FoundAccount(directory, tree.read(path), account_url(conf.get("ACCOUNT_URL")), contact, folder)


def _value(word: str) -> str:
    """Returns a value that acme.sh keeps in base64, as it keeps hooks; others as they are."""
    if not (word.startswith(_BEGIN) and word.endswith(_END)):
        return word
    try:
        return base64.b64decode(word[len(_BEGIN) : -len(_END)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
