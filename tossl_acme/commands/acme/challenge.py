"""Authorizations, and presenting their challenges."""

from __future__ import annotations

from ...errors import ArgumentError, TosslError
from ...scope import Scope
from .shared import client_for, object_url, proof_for, provider_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...challenges.solver import Solver


def get_authorization(
    directory_url: str,
    account_key: str,
    authorization_url: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """An authorization: url status identifier {type value} challenges {{type url token status} ...}.

    RFC 8555 section 7.1.4.
    """
    from ...acme import authorization

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    url = object_url(authorization_url, "authorization_url")
    return authorization.get_authorization(client, scope, url).as_dict()


def answer_challenge(
    directory_url: str,
    account_key: str,
    challenge_url: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(60),
) -> dict[str, object]:
    """Tells the CA that the challenge is presented and may be validated; returns the challenge.

    RFC 8555 section 7.5.1.
    """
    from ...acme import authorization

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    return authorization.answer_challenge(client, scope, object_url(challenge_url, "challenge_url")).as_dict()


def wait_authorization(
    directory_url: str,
    account_key: str,
    authorization_url: str,
    *,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(120),
) -> dict[str, object]:
    """Waits until the authorization is valid and returns it.

    One that becomes invalid is raised with the CA's reason, TOSSL ACME type status; TOSSL TIMEOUT authorization.
    RFC 8555 section 7.5.1.
    """
    from ...acme import authorization

    client = client_for(directory_url, account_key, ca_bundle, proxy)
    url = object_url(authorization_url, "authorization_url")
    return authorization.wait_authorization(client, scope, url).as_dict()


def http01_challenge(
    domain: str, token: str, account_key: str, *, webroot: str = "", port: int | None = None
) -> dict[str, object]:
    """Presents an http-01 challenge: as a file below the folder -webroot, or by a responder of its own on -port.

    The responder answers while Tcl does anything else, until cleanup_challenge. Returns a dict type token
    key_authorization url, and file or port. RFC 8555 section 8.3. Errors: TOSSL VALUE webroot, port, token, domains.
    """
    from ..session import SESSION

    proof = proof_for(domain, token, account_key)
    solver = http01_solver(webroot, port)
    SESSION.present(solver, proof)
    return {
        "type": "http-01",
        "token": token,
        "key_authorization": proof.key_authorization,
        "url": f"http://{proof.domain}/.well-known/acme-challenge/{token}",
        **({"file": f"{webroot}/.well-known/acme-challenge/{token}"} if webroot else {"port": port}),
    }


def cleanup_challenge(domain: str, token: str, account_key: str, *, webroot: str = "") -> str:
    """Removes what http01_challenge presented, and ends its responder.

    -webroot names the folder where another process presented it. Returns "Challenge cleaned up successfully".
    Errors: TOSSL VALUE token, when this process presented nothing for it and there is no -webroot.
    """
    from ..session import SESSION

    proof = proof_for(domain, token, account_key)
    if not SESSION.clean_up(proof):
        if not webroot:
            raise ArgumentError("token", f"no challenge with this token is presented for {proof.domain}")
        http01_solver(webroot, None).clean_up(Scope(30).begin(), proof)
    return "Challenge cleaned up successfully"


def http01_solver(webroot: str, port: int | None) -> Solver:
    """The http-01 solver for either a folder or a port."""
    from ...challenges.http01 import Standalone, Webroot
    from ..session import SESSION

    if bool(webroot) == (port is not None):
        raise ArgumentError("webroot", "http-01 needs either -webroot or -port")
    return Webroot(webroot) if port is None else Standalone(SESSION.responders, port)


def dns01_challenge(
    domain: str,
    token: str,
    account_key: str,
    provider: str,
    api_key: str,
    zone_id: str = "",
    *,
    endpoint: str = "",
    resolvers: list[str] = [],  # noqa: B006 - only read
    propagation_timeout: float = 300,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(600),
) -> dict[str, object]:
    """Publishes the TXT record of a dns-01 challenge and waits until it is seen.

    provider is cloudflare (api_key: an API token, or email:global-key; zone_id is found where it is not given) or
    generic (POSTs to -endpoint, with api_key as bearer token). Asked are the zone's authoritative servers, or
    -resolvers ("host", "host:port") in their place, for -propagation_timeout seconds; 0 does not ask.
    Returns a dict type token key_authorization dns_record_name dns_record_value. RFC 8555 section 8.4.
    Errors: "Provider not supported", "Failed to create DNS record": TOSSL DNS provider kind; "DNS propagation timeout":
    TOSSL TIMEOUT propagation, after which the record is removed again.
    """
    from ...challenges.dns01 import record_name, record_value
    from ...dns.propagation import PropagationCheck
    from ...dns.published import clean_name
    from ..session import SESSION

    proof = proof_for(domain, token, account_key)
    service = provider_for(provider, api_key, zone_id, endpoint, ca_bundle, proxy)
    check = PropagationCheck(resolvers, propagation_timeout) if propagation_timeout > 0 else None
    name, value = record_name(proof.domain), record_value(proof.key_authorization)
    service.publish(scope, name, value)
    SESSION.published.add(service, name, value)
    if check is not None:
        try:
            check.wait(scope, name, value)
        except TosslError:
            clean_name(scope.for_cleanup(), service, name, value, SESSION.published)
            raise
    return {
        "type": "dns-01",
        "token": token,
        "key_authorization": proof.key_authorization,
        "dns_record_name": name,
        "dns_record_value": value,
    }


def cleanup_dns(
    domain: str,
    record_name: str,
    provider: str,
    api_key: str,
    zone_id: str = "",
    *,
    value: str | None = None,
    endpoint: str = "",
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(120),
) -> str:
    """Removes the TXT values that this process published at record_name; where it published none, every one there.

    -value names one. A name that is not an ACME validation name is refused. Returns "DNS record deleted successfully".
    Errors: "Failed to delete DNS record": TOSSL DNS provider kind, of kind record where nothing is there.
    """
    from ...acme.identifiers import parse_identifiers
    from ...dns.published import check_validation_name, clean_name
    from ..session import SESSION

    parse_identifiers([domain])
    check_validation_name(record_name)
    service = provider_for(provider, api_key, zone_id, endpoint, ca_bundle, proxy)
    clean_name(scope, service, record_name, value, SESSION.published)
    return "DNS record deleted successfully"
