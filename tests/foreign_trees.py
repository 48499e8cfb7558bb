"""Small trees as other ACME programs leave them, with keys made just now; and what a renewal sent to the CA."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from tests.servers.faults import FaultProxy

WELL_KNOWN = ".well-known/acme-challenge"


@dataclass(frozen=True)
class Left:
    """What a program left: a certificate, its key, and its account at the CA."""

    name: str
    fullchain: str = field(repr=False)
    private_key: str = field(repr=False)
    directory: str
    account_key: str = field(repr=False)
    account_url: str

    @property
    def leaf(self) -> str:
        return self.fullchain.partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"

    @property
    def issuers(self) -> str:
        return self.fullchain.removeprefix(self.leaf)


def write_certbot(folder: Path, left: Left, webroot: Path | str, lineage: str = "", **params: str) -> Path:
    """certbot's --config-dir. params: lines of renewalparams."""
    name = lineage or left.name
    archive, live = folder / "archive" / name, folder / "live" / name
    archive.mkdir(parents=True)
    live.mkdir(parents=True)
    parts = {"cert": left.leaf, "chain": left.issuers, "fullchain": left.fullchain, "privkey": left.private_key}
    for part, text in parts.items():
        (archive / f"{part}1.pem").write_text(text)
        (live / f"{part}.pem").symlink_to(f"../../archive/{name}/{part}1.pem")
    server = urlsplit(left.directory)
    account = folder / "accounts" / server.netloc / server.path.strip("/") / "0123456789abcdef0123456789abcdef"
    account.mkdir(parents=True, exist_ok=True)
    (account / "private_key.json").write_text(json.dumps(jwk_of(left.account_key)))
    (account / "regr.json").write_text(json.dumps({"body": {}, "uri": left.account_url}))
    asked = {"account": account.name, "server": left.directory, "authenticator": "webroot"}
    asked |= {"webroot_path": f"{webroot},", "key_type": "ecdsa", **params}
    paths = "".join(f"{part} = /etc/letsencrypt/live/{name}/{part}.pem\n" for part in parts)
    lines = "".join(f"{option} = {value}\n" for option, value in asked.items())
    conf = f"# renew_before_expiry = 30 days\nversion = 2.1.0\narchive_dir = /etc/letsencrypt/archive/{name}\n{paths}"
    (folder / "renewal").mkdir(exist_ok=True)
    (folder / "renewal" / f"{name}.conf").write_text(
        f"{conf}\n# Options used in the renewal process\n[renewalparams]\n{lines}"
        f"[[webroot_map]]\n{left.name} = {webroot}\n"
    )
    return folder


def write_lego(folder: Path, left: Left, email: str = "me@example.com", *, bundled: bool = True) -> Path:
    """lego's --path."""
    certificates = folder / "certificates"
    certificates.mkdir(parents=True, exist_ok=True)
    stem = left.name.replace("*", "_")
    (certificates / f"{stem}.crt").write_text(left.fullchain if bundled else left.leaf)
    (certificates / f"{stem}.issuer.crt").write_text(left.issuers)
    (certificates / f"{stem}.key").write_text(left.private_key)
    origin = urlsplit(left.directory)
    (certificates / f"{stem}.json").write_text(
        json.dumps({"domain": left.name, "certUrl": f"https://{origin.netloc}/certZ/1"})
    )
    write_lego_account(folder, left, email)
    return folder


def write_lego_account(folder: Path, left: Left, email: str) -> None:
    account = folder / "accounts" / urlsplit(left.directory).netloc.replace(":", "_") / email
    (account / "keys").mkdir(parents=True, exist_ok=True)
    (account / "keys" / f"{email}.key").write_text(left.account_key)
    body = {"status": "valid", "contact": [f"mailto:{email}"]}
    registration = {"body": body, "uri": left.account_url}
    (account / "account.json").write_text(json.dumps({"email": email, "registration": registration}))


def write_dehydrated(folder: Path, left: Left, webroot: Path | str, *more: str) -> Path:
    """dehydrated's BASEDIR with its config. more: lines of that."""
    certs = folder / "certs" / left.name
    certs.mkdir(parents=True)
    parts = {"cert": left.leaf, "chain": left.issuers, "fullchain": left.fullchain, "privkey": left.private_key}
    for part, text in parts.items():
        (certs / f"{part}-1795670683.pem").write_text(text)
        (certs / f"{part}.pem").symlink_to(f"{part}-1795670683.pem")
    hashed = base64.urlsafe_b64encode(f"{left.directory}\n".encode()).decode().rstrip("=")
    account = folder / "accounts" / hashed
    account.mkdir(parents=True)
    (account / "account_key.pem").write_text(left.account_key)
    (account / "account_id.json").write_text(json.dumps({"url": left.account_url}))
    (account / "registration_info.json").write_text(json.dumps({"status": "valid"}))
    lines = (f'CA="{left.directory}"', f"WELLKNOWN='{webroot}/{WELL_KNOWN}'", "CHALLENGETYPE=http-01 # the usual one")
    (folder / "config").write_text("\n".join((*lines, *more, "")))
    return folder


def write_acmesh(folder: Path, left: Left, way: str, *more: str, suffix: str = "_ecc") -> Path:
    """acme.sh's --config-home. way: its Le_Webroot. more: lines of the certificate's configuration."""
    home = folder / f"{left.name}{suffix}"
    home.mkdir(parents=True)
    texts = {f"{left.name}.cer": left.leaf, "ca.cer": left.issuers, "fullchain.cer": left.fullchain}
    for name, text in (texts | {f"{left.name}.key": left.private_key}).items():
        (home / name).write_text(text)
    hook = base64.b64encode(b"systemctl reload 'nginx'").decode()
    conf = {"Le_Domain": left.name, "Le_Alt": "no", "Le_Webroot": way, "Le_PreHook": "", "Le_API": left.directory}
    conf |= {"Le_Keylength": "ec-256", "Le_ReloadCmd": f"__ACME_BASE64__START_{hook}__ACME_BASE64__END_"}
    lines = [f"{option}='{value}'" for option, value in conf.items()]
    (home / f"{left.name}.conf").write_text("\n".join((*lines, *more, "")))
    server = urlsplit(left.directory)
    account = folder / "ca" / str(server.hostname) / server.path.strip("/")
    account.mkdir(parents=True, exist_ok=True)
    (account / "account.key").write_text(left.account_key)
    (account / "account.json").write_text(json.dumps({"status": "valid"}))
    lines = [f"ACCOUNT_URL='{left.account_url}'", "CA_EAB_HMAC_KEY='SECRETSECRETSECRETSECRET'"]
    (account / "ca.conf").write_text("\n".join((*lines, "")))
    (folder / "account.conf").write_text("UPGRADE_HASH='1'\nSAVED_CF_Token='SECRETSECRETSECRETSECRET'\n")
    return folder


def write_naviserver(folder: Path, left: Left, api: str = "production") -> Path:
    """The sslpath of NaviServer's module letsencrypt."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"letsencrypt-{api}-account.key").write_text(left.account_key)
    stem = left.name if api == "production" else f"{api}-{left.name}"
    parameters = "-----BEGIN DH PARAMETERS-----\nMAYCAQUCAQI=\n-----END DH PARAMETERS-----\n"
    (folder / f"{stem}.pem").write_text(f"{left.private_key}{left.fullchain}{parameters}")
    return folder


def jwk_of(pem: str) -> dict[str, str]:
    """The private key, RSA or EC, as a JSON Web Key, as certbot writes it."""
    key = load_pem_private_key(pem.encode(), None)
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.private_numbers()
        values = {"n": numbers.public_numbers.n, "e": numbers.public_numbers.e, "d": numbers.d, "p": numbers.p}
        values |= {"q": numbers.q, "dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
        return {name: _b64(value) for name, value in values.items()} | {"kty": "RSA"}
    private: Any = key
    point = private.public_key().public_numbers()
    size = private.key_size // 8
    values = {"x": point.x, "y": point.y, "d": private.private_numbers().private_value}
    return {name: _b64(value, size) for name, value in values.items()} | {"kty": "EC", "crv": "P-256"}


def _b64(value: int, size: int = 0) -> str:
    octets = value.to_bytes(size or (value.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def sent(proxy: FaultProxy, path: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The protected headers and payloads of the POSTs to a resource."""
    return [_opened(request.body) for request in proxy.seen(path, "POST")]


def _opened(body: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    parts = json.loads(body)
    head, payload = (parts[name] for name in ("protected", "payload"))
    return _json(head), _json(payload) if payload else {}


def _json(text: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found
