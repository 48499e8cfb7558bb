"""The directory (RFC 8555 section 7.1.1) and the short names of public CAs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from ..errors import AcmeError, ArgumentError, HttpError
from ..http.response import Response
from ..http.urls import shown_url
from ..text import quoted
from .problem import problem_error

_REQUIRED = ("newNonce", "newAccount", "newOrder")
#: No CA comes near it, and every server and proxy takes as much.
_LONGEST_URL = 2048
_KNOWN = (*_REQUIRED, "newAuthz", "revokeCert", "keyChange", "renewalInfo")


@dataclass(frozen=True)
class PublicCa:
    """A CA's short name: where its directory is, and whether it wants an external account binding."""

    name: str
    url: str
    needs_eab: bool = False


PUBLIC_CAS = (
    PublicCa("letsencrypt", "https://acme-v02.api.letsencrypt.org/directory"),
    PublicCa("letsencrypt-staging", "https://acme-staging-v02.api.letsencrypt.org/directory"),
    PublicCa("zerossl", "https://acme.zerossl.com/v2/DV90", needs_eab=True),
    PublicCa("google", "https://dv.acme-v02.api.pki.goog/directory", needs_eab=True),
    PublicCa("google-staging", "https://dv.acme-v02.test-api.pki.goog/directory", needs_eab=True),
    PublicCa("sslcom", "https://acme.ssl.com/sslcom-dv-rsa", needs_eab=True),
    PublicCa("sslcom-ecc", "https://acme.ssl.com/sslcom-dv-ecc", needs_eab=True),
    PublicCa("buypass", "https://api.buypass.com/acme/directory"),
    PublicCa("buypass-staging", "https://api.test4.buypass.no/acme/directory"),
    PublicCa("actalis", "https://acme-api.actalis.com/acme/directory", needs_eab=True),
)


@dataclass(frozen=True)
class Directory:
    """Where a CA takes its requests. `urls` maps the RFC's names to https URLs; `meta` is as the CA sent it."""

    url: str
    urls: Mapping[str, str]
    meta: Mapping[str, Any] = field(default_factory=dict)
    needs_eab: bool = False

    def where(self, resource: str) -> str:
        """The URL of a resource; AcmeError "notOffered" naming it when the CA does not offer it."""
        if resource not in self.urls:
            raise AcmeError(f"{shown_url(self.url)} does not offer {resource}", "notOffered", 0)
        return self.urls[resource]

    @property
    def terms_of_service(self) -> str:
        """Where the terms are that a new account agrees to; empty where the CA has none."""
        terms = self.meta.get("termsOfService")
        return terms if isinstance(terms, str) else ""

    @property
    def caa_identities(self) -> list[str]:
        """The names by which the CA knows itself in CAA records (RFC 8659)."""
        names = self.meta.get("caaIdentities")
        return [str(name) for name in names] if isinstance(names, list) else []

    @property
    def profiles(self) -> Mapping[str, str]:
        """Certificate profiles by name with their descriptions (draft-ietf-acme-profiles)."""
        profiles = self.meta.get("profiles")
        return profiles if isinstance(profiles, Mapping) else {}

    def as_dict(self) -> dict[str, object]:
        return {**self.urls, "meta": dict(self.meta)}


def directory_url(text: str) -> str:
    """The URL for a directory URL or a CA's short name. Raises ArgumentError "directory_url"."""
    for ca in PUBLIC_CAS:
        if text.lower() == ca.name:
            return ca.url
    if "://" not in text:
        names = ", ".join(ca.name for ca in PUBLIC_CAS)
        raise ArgumentError("directory_url", f"{quoted(text)} is neither an https URL nor a known CA ({names})")
    return check_url(text, "directory_url")


def needs_binding(url: str) -> bool:
    """Whether this directory is known, without a request, to want an external account binding for a new account."""
    return any(ca.url == url and ca.needs_eab for ca in PUBLIC_CAS)


def check_url(url: str, argument: str) -> str:
    """An https URL with a host and without a user, as given. Raises ArgumentError for `argument`."""
    try:
        parts = urlsplit(url)
        usable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        raise ArgumentError(argument, f"{argument} is not a URL") from None
    if "@" in parts.netloc:
        raise ArgumentError(argument, f"{argument} must not hold a user or a password")
    if parts.scheme != "https":
        given = shown_url(url) if parts.netloc else quoted(url)
        raise ArgumentError(argument, f"{argument} must be an https URL: {given}")
    if not usable or any(char.isspace() or not char.isprintable() for char in url):
        raise ArgumentError(argument, f"{argument} is a URL without a usable host: {shown_url(url)}")
    return url


def server_url(value: Any, what: str, at: str) -> str:
    """A URL that the CA named, which must be https and of a sane length. Raises HttpError "malformed"."""
    try:
        return check_url(value if isinstance(value, str) and len(value) <= _LONGEST_URL else "", what)
    except ArgumentError:
        raise HttpError("malformed", f"{shown_url(at)} names no https URL as its {what}") from None


def read_directory(response: Response) -> Directory:
    """The directory in an answer. Raises HttpError when it is none."""
    if response.status != 200:
        raise problem_error(response)
    document = response.json_object()
    missing = [name for name in _REQUIRED if name not in document]
    if missing:
        raise HttpError("malformed", f"{shown_url(response.url)} is no ACME directory: it lacks {', '.join(missing)}")
    meta = document.get("meta")
    return Directory(
        url=response.url,
        urls={name: server_url(document[name], name, response.url) for name in _KNOWN if document.get(name)}
        | _unknown_urls(document),
        meta=meta if isinstance(meta, dict) else {},
        needs_eab=needs_binding(response.url)
        or (isinstance(meta, dict) and meta.get("externalAccountRequired") is True),
    )


def _unknown_urls(document: dict[str, Any]) -> dict[str, str]:
    """Resources of later standards are kept as long as they are plain https URLs."""
    return {
        name: value
        for name, value in document.items()
        if name not in _KNOWN and isinstance(value, str) and value.startswith("https://")
    }
