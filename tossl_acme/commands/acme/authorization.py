"""Authorizations and their challenges at the CA."""

from __future__ import annotations

from ...context import Context, seconds
from ...errors import AcmeError, error_context

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.authorization import Authorization
    from ...acme.client import Client
    from ...identifiers import Identifier


def get_authorization(
    client: Client,
    authorization_url: str,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Gets an authorization: the state of one name, and its challenges.

    RFC 8555 section 7.1.4.

    Returns a dict with the CA's whole object:

    url         the authorization's URL
    identifier  a dict type value: the name, a wildcard without its "*."
    status      pending, valid, invalid, deactivated, expired or revoked
    wildcard    1 if it is for the wildcard; missing at many CAs if it is not
    expires     the end of its validity, an RFC 3339 time
    challenges  a list of dicts type url token status: one of them is enough
    """
    from ...acme import authorization
    from ...acme.urls import https_url

    url = https_url(authorization_url, "authorization_url")
    return _told(context, authorization.get_authorization(client, context, url))


def create_authorization(
    client: Client,
    identifier: Identifier,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Creates an authorization before any order (newAuthz).

    RFC 8555 section 7.4.1.

    domain  a DNS name or IP address, no wildcard

    Returns the authorization as get_authorization does.

    Errors: the CA's errors begin with "Authorization creation failed: ".
    TOSSL ACME notOffered 0  the CA does not offer newAuthz; most CAs do not
    TOSSL VALUE domain       a wildcard, or not a name
    """
    from ...acme import authorization

    with error_context("Authorization creation failed", AcmeError):
        return _told(context, authorization.new_authorization(client, context, identifier))


def answer_challenge(
    client: Client,
    challenge_url: str,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Asks the CA to validate a presented challenge.

    RFC 8555 section 7.5.1.

    Returns a dict with the CA's object:

    type    http-01, dns-01, tls-alpn-01, ...
    url     the challenge's URL
    token   its token; missing where its type has none
    status  pending, processing, valid or invalid
    """
    from ...acme import authorization
    from ...acme.urls import https_url

    return authorization.answer_challenge(client, context, https_url(challenge_url, "challenge_url")).as_dict()


def wait_authorization(
    client: Client,
    authorization_url: str,
    *,
    context: Context = seconds(120),
) -> dict[str, object]:
    """Waits until the authorization is valid.

    RFC 8555 section 7.5.1.

    Returns the authorization as get_authorization does.

    Errors: an authorization that becomes invalid raises the CA's reason, with status 0.
    TOSSL TIMEOUT authorization  it was still pending
    """
    from ...acme import authorization
    from ...acme.urls import https_url

    url = https_url(authorization_url, "authorization_url")
    return authorization.wait_authorization(client, context, url).as_dict()


def deactivate_authorization(
    client: Client,
    authorization_url: str,
    *,
    context: Context = seconds(60),
) -> dict[str, object]:
    """Deactivates an authorization, pending or valid: the next order must prove the name again.

    RFC 8555 section 7.5.2.

    Returns the authorization as get_authorization does, with status deactivated.

    Errors: the CA's errors begin with "Authorization deactivation failed: ".
    """
    from ...acme import authorization
    from ...acme.urls import https_url

    url = https_url(authorization_url, "authorization_url")
    with error_context("Authorization deactivation failed", AcmeError):
        found = authorization.deactivate_authorization(client, context, url)
    context.tell("deactivated", url=url)
    return found.as_dict()


def _told(context: Context, found: Authorization) -> dict[str, object]:
    context.tell("authorization", url=found.url, status=found.status, domain=found.identifier.value)
    return found.as_dict()


COMMANDS = (create_authorization, get_authorization, wait_authorization, deactivate_authorization, answer_challenge)
