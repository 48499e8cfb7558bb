"""Authorizations (RFC 8555 sections 7.1.4, 7.4.1, 7.5) and their challenges (section 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..context import Context
from ..errors import AcmeError, ArgumentError
from ..http.response import Response
from ..identifiers import Identifier
from .client import Client, expect_text, location
from .directory import server_url
from .polling import poll
from .problem import document_error, retry_after


@dataclass(frozen=True)
class Challenge:
    """A challenge object (section 8); types and members that this package does not know are kept in `raw`."""

    type: str
    url: str
    token: str
    status: str
    raw: Mapping[str, Any] = field(repr=False)

    def as_dict(self) -> dict[str, object]:
        return {**self.raw, "type": self.type, "url": self.url, "token": self.token, "status": self.status}


@dataclass(frozen=True)
class Authorization:
    """An authorization object (section 7.1.4)."""

    url: str
    identifier: Identifier
    status: str
    wildcard: bool
    challenges: tuple[Challenge, ...]
    raw: Mapping[str, Any] = field(repr=False)
    retry_after: float | None = None

    def challenge(self, kind: str) -> Challenge | None:
        """The challenge of this type, None where the CA does not offer it (or not in a way that can be answered)."""
        return next((challenge for challenge in self.challenges if challenge.type == kind and challenge.url), None)

    def as_dict(self) -> dict[str, object]:
        return {
            **self.raw,
            "url": self.url,
            "status": self.status,
            "identifier": self.identifier.as_json(),
            "challenges": [challenge.as_dict() for challenge in self.challenges],
        }


def get_authorization(client: Client, context: Context, url: str) -> Authorization:
    """The authorization as the CA sees it now."""
    return _read_authorization(client.post_as_get(context, url), url)


def new_authorization(client: Client, context: Context, identifier: Identifier) -> Authorization:
    """Pre-authorization (section 7.4.1), where the CA offers newAuthz; ArgumentError "domain" for a wildcard."""
    if identifier.value.startswith("*."):
        raise ArgumentError("domain", "a wildcard cannot be authorized in advance (RFC 8555 section 7.4.1)")
    url = client.directory(context).where("newAuthz")
    response = client.post(context, url, {"identifier": identifier.as_json()}, accept=(200, 201))
    return _read_authorization(response, location(response, "authorization"))


def deactivate_authorization(client: Client, context: Context, url: str) -> Authorization:
    """Gives an authorization up (section 7.5.2)."""
    return _read_authorization(client.post(context, url, {"status": "deactivated"}), url)


def answer_challenge(client: Client, context: Context, url: str) -> Challenge:
    """Tells the CA that the challenge may be validated (section 7.5.1): once, even where the CA's response is lost."""
    response = client.post(context, url, {}, accept=(200, 202), look=lambda: _answered(client, context, url))
    challenge = read_challenge(response.json_object(), response.url)
    context.tell("answered", type=challenge.type, url=challenge.url)
    return challenge


def _answered(client: Client, context: Context, url: str) -> Response | None:
    """The challenge, if it is known to have been answered: CAs refuse a second answer, or never get over it."""
    try:
        response = client.post_as_get(context, url)
    except AcmeError as error:
        if error.status >= 500:
            raise
        return None
    return None if read_challenge(response.json_object(), response.url).status == "pending" else response


def wait_authorization(client: Client, context: Context, url: str, known: Authorization | None = None) -> Authorization:
    """Polls until the authorization is valid; anything else that is final is raised with the CA's reason."""
    found = poll(
        context,
        "authorization",
        lambda: get_authorization(client, context, url),
        lambda authorization: authorization.status != "pending",
        known,
    )
    if found.status != "valid":
        raise refusal(found)
    context.tell("validated", domain=found.identifier.value)
    return found


def refusal(authorization: Authorization) -> AcmeError:
    """Why an authorization is not valid: the error of its challenge, led by its name."""
    name = authorization.identifier.value
    for challenge in authorization.challenges:
        problem = challenge.raw.get("error")
        if isinstance(problem, dict):
            return document_error(problem, 0).within(f"{name} ({challenge.type})")
    text = f"{name}: the authorization is {authorization.status}"
    return AcmeError(text, "unauthorized", 0, {"authorization": dict(authorization.raw)})


def read_challenge(document: Mapping[str, Any], at: str) -> Challenge:
    """A challenge; one without a URL, of a type that nobody here answers, is kept for what it says."""
    token = document.get("token")
    url = document.get("url")
    return Challenge(
        type=str(document.get("type", "")),
        url=server_url(url, "challenge URL", at) if url else "",
        token=token if isinstance(token, str) else "",
        status=str(document.get("status", "pending")),
        raw=document,
    )


def _read_authorization(response: Response, url: str) -> Authorization:
    document = response.json_object()
    challenges = document.get("challenges")
    return Authorization(
        url=url,
        identifier=Identifier.from_json(document.get("identifier")),
        status=expect_text(document.get("status"), "authorization status", response),
        wildcard=document.get("wildcard") is True,
        challenges=tuple(
            read_challenge(item, response.url)
            for item in (challenges if isinstance(challenges, list) else ())
            if isinstance(item, dict)
        ),
        raw=document,
        retry_after=retry_after(response.headers),
    )
