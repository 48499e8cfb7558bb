"""Authorizations (RFC 8555 sections 7.1.4, 7.4.1, 7.5) and their challenges (section 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError
from ..identifiers import Identifier, check_provable_by_dns, parse_identifier
from ..text import clean
from .answer import Answer
from .client import Client
from .jws import AccountKey
from .polling import poll
from .problem import document_error

#: Refusals of an answer that do not concern the challenge.
_NOT_OF_A_CHALLENGE = ("rateLimited", "unauthorized", "accountDoesNotExist")
#: Names of the CA in a dns-persist-01 challenge.
_MOST_ISSUERS = 10
#: RFC 8555 section 8.1; a token also names a file, whose name can have 255 bytes.
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,255}")


@dataclass(frozen=True, repr=False)
class Challenge:
    """A challenge object (section 8) with everything that presenting it needs; `raw` is the CA's whole object.

    identifier: the name or address to validate, a wildcard without its "*.".
    token: base64url, because it becomes a path or a record; empty if the challenge has no usable token.
    key_authorization: section 8.1; empty without a token.
    account_url, issuers: for the records of dns-account-01 and dns-persist-01.
    Raises ArgumentError token.
    """

    type: str
    identifier: Identifier
    token: str = ""
    key_authorization: str = ""
    wildcard: bool = False
    account_url: str = ""
    issuers: tuple[str, ...] = ()
    url: str = ""
    status: str = "pending"
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if self.token:
            check_token(self.token)

    @classmethod
    def from_words(cls, kind: str, domain: str, token: str, key: AccountKey, account_url: str = "") -> Challenge:
        """Returns the challenge for a command's words. Raises ArgumentError token or domain."""
        check_token(token)
        named = parse_identifier(domain, "domain")
        if not is_provable(named, kind):
            check_provable_by_dns(named, "domain")
        return cls(kind, named.base, token, f"{token}.{key.thumbprint}", named.wildcard, account_url)

    def check_usable(self) -> None:
        """Raises HttpError malformed if the CA left out a member that presenting the challenge needs."""
        if not self.key_authorization and not self.issuers:
            named = f"the CA's {self.type} challenge for {clean(self.identifier.value)}"
            raise HttpError("malformed", f"{named} has no token that is base64url, and not 1 to 10 issuers")

    def as_dict(self) -> dict[str, object]:
        return {**self.raw, "type": self.type, "url": self.url, "token": self.token, "status": self.status}


def check_token(token: str) -> None:
    """Raises ArgumentError token unless it is base64url (section 8.1)."""
    if not _TOKEN.fullmatch(token):
        raise ArgumentError("token", "the challenge token is not base64url (RFC 8555 section 8.1)")


def is_provable(identifier: Identifier, challenge_type: str) -> bool:
    """Returns whether the type can validate the identifier: no IP address through the DNS (RFC 8738 section 7)."""
    return identifier.is_provable_by_dns or not challenge_type.startswith("dns-")


@dataclass(frozen=True, eq=False, repr=False)
class Authorization:
    """An authorization object (section 7.1.4)."""

    url: str
    identifier: Identifier
    status: str
    wildcard: bool
    challenges: tuple[Challenge, ...]
    raw: Mapping[str, Any]
    retry_after: float | None = None

    def challenge(self, kind: str) -> Challenge | None:
        """Returns the challenge of this type, None if the CA does not offer it, or not in a usable form."""
        offered = (challenge for challenge in self.challenges if challenge.type == kind and challenge.url)
        return next(offered, None) if is_provable(self.identifier, kind) else None

    def has_ended(self, answered: str = "") -> bool:
        """Returns whether no validation is under way any more.

        Some CAs (step-ca) leave the authorization pending when its challenge has failed. answered: the challenge's URL;
        without it, any challenge that failed counts, unless the CA is at work on another one.
        """
        if self.status != "pending":
            return True
        states = {challenge.status for challenge in self.challenges if answered in ("", challenge.url)}
        return "invalid" in states and "processing" not in states

    def as_dict(self) -> dict[str, object]:
        return {
            **self.raw,
            "url": self.url,
            "status": self.status,
            "identifier": self.identifier.as_json(),
            "challenges": [challenge.as_dict() for challenge in self.challenges],
        }


def get_authorization(client: Client, context: Context, url: str) -> Authorization:
    """Returns the authorization in its present state at the CA."""
    return _read_authorization(client, context, Answer.of(client.post_as_get(context, url)), url)


def new_authorization(client: Client, context: Context, identifier: Identifier) -> Authorization:
    """Creates an authorization in advance (section 7.4.1). Raises ArgumentError "domain" for a wildcard."""
    if identifier.value.startswith("*."):
        raise ArgumentError("domain", "a wildcard cannot be authorized in advance (RFC 8555 section 7.4.1)")
    url = client.directory(context).url_of("newAuthz")
    response = client.post(context, url, {"identifier": identifier.as_json()})
    answer = Answer.of(response)
    made = answer.location("authorization")
    client.expect(made)
    return _read_authorization(client, context, answer, made)


def deactivate_authorization(client: Client, context: Context, url: str) -> Authorization:
    """Deactivates an authorization (section 7.5.2)."""
    response = client.post(context, url, {"status": "deactivated"})
    return _read_authorization(client, context, Answer.of(response), url)


def answer_challenge(client: Client, context: Context, url: str, authorization_url: str = "") -> Challenge:
    """Asks the CA to validate the challenge (section 7.5.1), only once, even if the CA's response is lost.

    Succeeds if another user of the account has just answered the challenge; `authorization_url`, if known, helps to
    find that out. The caller must have checked that the CA's queries will succeed (section 8.2).
    """
    found: Challenge | None = None

    def is_answered() -> bool:
        nonlocal found
        found = _answered_challenge(client, context, url, authorization_url)
        return found is not None

    try:
        response = client.post_once(context, url, {}, is_answered)
    except AcmeError as refused:
        if not 400 <= refused.status < 500 or refused.kind in _NOT_OF_A_CHALLENGE or not is_answered():
            raise
        response = None
    challenge = _read_challenge(Answer.of(response)) if response else found
    assert challenge is not None
    context.tell("answered", type=challenge.type, url=challenge.url)
    return challenge


def _answered_challenge(client: Client, context: Context, url: str, authorization_url: str) -> Challenge | None:
    """Returns the challenge if it was answered before, else None: CAs refuse a second answer, or fail after it."""
    try:
        if not authorization_url:
            challenge = _read_challenge(Answer.of(client.post_as_get(context, url)))
            return None if challenge.status == "pending" else challenge
        authorization = get_authorization(client, context, authorization_url)
    except AcmeError as error:
        if error.status >= 500:
            raise
        return None
    offered = next((challenge for challenge in authorization.challenges if challenge.url == url), None)
    if authorization.status == "valid":
        return offered or Challenge("", authorization.identifier.base, url=url, status="valid")
    return offered if offered and offered.status != "pending" else None


def wait_authorization(
    client: Client,
    context: Context,
    url: str,
    known: Authorization | None = None,
    answered: str = "",
    answered_at: float | None = None,
) -> Authorization:
    """Polls until the authorization is valid. Raises any other final state, with the CA's reason.

    answered: the URL of the challenge that was answered; the wait ends with its failure too. answered_at: when that was
    sent, monotonic seconds.
    """
    found = poll(
        context,
        "authorization",
        lambda: get_authorization(client, context, url),
        lambda authorization: authorization.has_ended(answered),
        known,
        answered_at,
    )
    if found.status != "valid":
        raise refusal(found, answered)
    context.tell("validated", domain=found.identifier.value)
    return found


def refusal(authorization: Authorization, answered: str = "") -> AcmeError:
    """Returns the error of an authorization that is not valid: its challenge's error, after its name.

    answered: the URL of the challenge whose error comes first.
    """
    name = clean(authorization.identifier.value)
    for challenge in sorted(authorization.challenges, key=lambda one: (one.url != answered, one.status != "invalid")):
        problem = challenge.raw.get("error")
        if isinstance(problem, dict):
            refused = document_error(problem, 0).within(f"{name} ({clean(challenge.type)})")
            refused.details["challenge"] = clean(challenge.type)
            return refused
    state = "invalid" if authorization.status == "pending" else authorization.status
    text = f"{name}: the authorization is {clean(state)}"
    return AcmeError(text, "unauthorized", 0, {"authorization": dict(authorization.raw)})


@dataclass(frozen=True, eq=False, repr=False)
class _Around:
    """The facts that all challenges of an authorization share, and its account."""

    identifier: Identifier
    wildcard: bool
    thumbprint: str
    account_url: str


def _read_authorization(client: Client, context: Context, answer: Answer, url: str) -> Authorization:
    named = Identifier.from_json(answer.raw.get("identifier"))
    wildcard = answer.raw.get("wildcard") is True or named.wildcard
    around = _Around(named.base, wildcard, client.key.thumbprint, client.account_url(context))
    challenges = tuple(_read_challenge(offered, around) for offered in answer.parts("challenges"))
    if client.expects(url):
        client.expect(*(challenge.url for challenge in challenges))
    return Authorization(
        url=url,
        identifier=named,
        status=answer.text("status"),
        wildcard=wildcard,
        challenges=challenges,
        raw=answer.raw,
        retry_after=answer.retry_after,
    )


def _read_challenge(answer: Answer, around: _Around | None = None) -> Challenge:
    """Returns a challenge. An unknown type may come without a URL.

    Its key authorization binds it to the account's key (RFC 8555 section 10.2): it proves nothing for other accounts.
    """
    token = answer.raw.get("token")
    usable = token if isinstance(token, str) and _TOKEN.fullmatch(token) else ""
    issuers, account_url = _issuers(answer.raw), around.account_url if around else ""
    return Challenge(
        type=answer.text("type", ""),
        identifier=around.identifier if around else Identifier("", ""),
        token=usable,
        key_authorization=f"{usable}.{around.thumbprint}" if usable and around else "",
        wildcard=bool(around and around.wildcard),
        # dns-account-01 goes by the account's own URL, whatever the CA says in the challenge.
        account_url=answer.text("accounturi", account_url) if issuers else account_url,
        issuers=issuers,
        url=answer.optional_url("url"),
        status=answer.text("status", "pending"),
        raw=answer.raw,
    )


def _issuers(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Returns the CA's names in a dns-persist-01 challenge. Drafts before the third have one name.

    Empty for a malformed challenge: one with no name or with more than ten (draft-ietf-acme-dns-persist section 3.1).
    """
    named = document.get("issuer-domain-names", [document.get("issuer-domain-name")])
    if not isinstance(named, list) or len(named) > _MOST_ISSUERS:
        return ()
    return tuple(name for name in named if isinstance(name, str) and name)
