"""The directory (RFC 8555 section 7.1.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import AcmeError, HttpError, TosslError
from ..http.response import Response
from ..http.urls import shown_url
from .answer import Answer
from .problem import problem_error
from .public_cas import PUBLIC_CAS, needs_binding

_REQUIRED = ("newNonce", "newAccount", "newOrder")
_KNOWN = (*_REQUIRED, "newAuthz", "revokeCert", "keyChange", "renewalInfo")


@dataclass(frozen=True, eq=False, repr=False)
class Directory:
    """A CA's URLs for requests. `urls` maps the RFC's names to https URLs; `meta` is as the CA sent it."""

    url: str
    urls: Mapping[str, str]
    meta: Mapping[str, Any] = field(default_factory=dict)
    needs_eab: bool = False

    def url_of(self, resource: str) -> str:
        """Returns the URL of a resource. Raises AcmeError "notOffered" with its name if the CA does not offer it."""
        if resource not in self.urls:
            raise AcmeError(f"{shown_url(self.url)} does not offer {resource}", "notOffered", 0)
        return self.urls[resource]

    def check_own(self, url: str, what: str, resource: str) -> None:
        """Raises HttpError malformed unless the URL is on the host of the directory or of that resource.

        Another host's account is another CA's: a request signed with its URL and a nonce from there is one to that CA.
        """
        if _host(url) not in {_host(self.url), _host(self.urls.get(resource, self.url))}:
            cause = f"{shown_url(self.url)} names {shown_url(url)} as its {what}, which is on another host"
            raise HttpError("malformed", f"{cause} than its directory and {resource}")

    @property
    def terms_of_service(self) -> str:
        """Returns the URL of the terms that a new account agrees to; empty if the CA has no terms."""
        terms = self.meta.get("termsOfService")
        return terms if isinstance(terms, str) else ""

    @property
    def caa_identities(self) -> list[str]:
        """Returns the CA's names in CAA records (RFC 8659)."""
        names = self.meta.get("caaIdentities")
        return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []

    @property
    def profiles(self) -> Mapping[str, str]:
        """Returns the descriptions of certificate profiles by name (draft-ietf-acme-profiles)."""
        profiles = self.meta.get("profiles")
        return profiles if isinstance(profiles, Mapping) else {}

    def as_dict(self) -> dict[str, object]:
        return {**self.urls, "meta": dict(self.meta)}


def read_directory(response: Response) -> Directory:
    """Returns the directory in an answer. Raises HttpError if it is not a directory."""
    if response.status // 100 != 2:
        raise problem_error(response)
    answer = Answer.of(response)
    missing = [name for name in _REQUIRED if not answer.raw.get(name)]
    if missing:
        raise HttpError("malformed", f"{shown_url(response.url)} is no ACME directory: it lacks {', '.join(missing)}")
    meta = answer.raw.get("meta")
    known = {name: answer.url(name) for name in _KNOWN if answer.raw.get(name)}
    _check_no_other_ca(response.url, known)
    return Directory(
        url=response.url,
        urls=known | _unknown_urls(answer.raw),
        meta=meta if isinstance(meta, dict) else {},
        needs_eab=needs_binding(response.url)
        or (isinstance(meta, dict) and meta.get("externalAccountRequired") is True),
    )


def directory_of(url: str, document: Any) -> Directory | None:
    """Returns the directory that as_dict() told at an earlier time; None where that cannot be read any more."""
    try:
        return read_directory(Response(url, 200, {}, json.dumps(document).encode()))
    except (TosslError, TypeError, ValueError):
        return None


def _host(url: str) -> str:
    """Returns host and port of an https URL, in lower case."""
    host = url.partition("://")[2].partition("/")[0].partition("?")[0].lower()
    return host.removesuffix(":443")


def _check_no_other_ca(at: str, urls: Mapping[str, str]) -> None:
    """Raises HttpError malformed where a directory names URLs of a public CA that it is not."""
    public = {_host(ca.url): ca.name for ca in PUBLIC_CAS}
    for name, url in urls.items():
        other = public.get(_host(url))
        if other and _host(url) != _host(at):
            raise HttpError("malformed", f"{shown_url(at)} names a URL of another CA ({other}) as its {name}")


def _unknown_urls(document: Mapping[str, Any]) -> dict[str, str]:
    """Returns the resources of other standards that are plain https URLs."""
    return {
        name: value
        for name, value in document.items()
        if name not in _KNOWN and isinstance(value, str) and value.startswith("https://")
    }
