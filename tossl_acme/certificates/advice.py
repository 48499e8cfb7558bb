"""What to do after an error, for people who read the log and do not know ACME."""

from __future__ import annotations

from ..errors import AcmeError, ArgumentError, DnsError, HttpError, RetryError, TosslError, WaitTimeout

_PORT_80 = (
    "port 80 of the name, at each of its A and AAAA addresses, must reach this machine from the Internet: look at its "
    "addresses, the firewall, port forwarding, and the web server's answer below /.well-known/acme-challenge/; where "
    "that cannot be, use dns-01 with -provider"
)
_RECORD = (
    "the TXT record at _acme-challenge must be what was published, at all servers of the zone, and no older record "
    "beside it: ask them with dig, or give more -propagation_timeout"
)
_PORT_443 = "port 443 of the name must reach this program's own server; no proxy before it may end TLS"
#: After a challenge that the CA did not find right, by the first word of its type.
_OF_CHALLENGES = {"http": _PORT_80, "tls": _PORT_443, "dns": _RECORD}
_UNFOUND = ("connection", "unauthorized", "incorrectResponse", "tls")
#: By the problem types of RFC 8555 section 6.7 and the kinds of this package.
_OF_ACME = {
    "connection": "the CA could not reach the name: look at its A and AAAA records",
    "dns": "the CA could not look up the name: look at its records, the servers of its zone, and DNSSEC",
    "unauthorized": "the CA does not let this account do that: look at the account key, and at its binding",
    "caa": "a CAA record forbids this CA: add one that allows it, or ask another CA",
    "rateLimited": "the CA wants no more requests for now: wait as long as it says; asking earlier prolongs it",
    "rejectedIdentifier": "the CA issues nothing for this name: check its spelling, or ask another CA",
    "unsupportedIdentifier": "the CA issues nothing for this kind of name: ask another CA, or leave the name out",
    "userActionRequired": "open the page that the CA names, and do what it says there",
    "externalAccountRequired": "the CA wants a binding, from your account at its web site: -eab_kid and -eab_hmac_key",
    "accountDoesNotExist": "the CA does not know the account key: check -directory, or give another -account_key",
    "unsupportedChallenge": "the CA does not offer this type of challenge for the name: give another -challenge",
    "badCSR": "the CA does not take the request: check -csr, or use another -key_type",
    "badPublicKey": "the CA does not take this key: use another -key_type, or another account key",
    "serverInternal": "the CA has a fault: try again later, and look at its status page",
    "badNonce": "the CA refused each nonce: try again later, and check that no proxy answers from a cache",
}
#: From this HTTP status on the server itself is at fault.
_SERVER_FAULT = 500
_OF_HTTP = {
    "connect": "the server in the message could not be reached: check its address (-directory, -endpoint, -proxy, "
    "HTTPS_PROXY), whether it is up, this machine's routes, and its firewall for outgoing connections",
    "dns": "the name of the server in the message has no address: check how it is written (-directory, -endpoint, "
    "-proxy), and this machine's DNS (/etc/resolv.conf)",
    "tls": "the server's TLS certificate is not trusted: check this machine's clock, and give the CA's root by "
    "-ca_bundle where the CA is your own",
    "status": "this is no answer of an ACME server: check -directory, and the proxy before it",
    "malformed": "this is no answer of an ACME server: check -directory, and the proxy before it",
    "reset": "the connection was lost: try again, and look at proxies and firewalls on the way",
}
_OF_DNS = {
    "credentials": "the DNS provider refuses the credentials: check -api_key and its rights for this zone",
    "zone": "the DNS provider's account has no such zone: check -zone_id, and which account the API key is of",
    "refused": "the DNS provider refused the change: its own words are in the message",
    "answer": "this is no answer of the DNS provider's API, or that has a fault: look at its status page, and at "
    "-endpoint and the proxy if one is set; then try again",
}
_UNSEEN = (
    "the record did not appear at the zone's servers: check that they are the provider's (the zone's NS records), or "
    "give more -propagation_timeout"
)
_SLOW = "the time was over: give more -timeout; the next call goes on with the same order"
_LATER = "nothing was sent; the next call tries again by itself when the time has come"


def advice_for(error: TosslError) -> str:
    """Returns what to do, a sentence or two; empty where the message says all."""
    kind = error.errorcode[-1]
    if isinstance(error, AcmeError):
        challenge = str(error.details.get("challenge", "")).partition("-")[0]
        if error.kind in _UNFOUND and challenge in _OF_CHALLENGES:
            return _OF_CHALLENGES[challenge]
        return _OF_ACME.get(error.kind, "the message has the CA's own words" if error.status else "")
    if isinstance(error, HttpError):
        if error.status >= _SERVER_FAULT:
            return _OF_ACME["serverInternal"]
        return _OF_HTTP.get(error.kind, "")
    if isinstance(error, DnsError):
        return _OF_DNS.get(kind, "")
    if isinstance(error, RetryError):
        return _LATER if error.seconds else _OF_ACME["userActionRequired"]
    if isinstance(error, WaitTimeout):
        return _UNSEEN if kind == "propagation" else _SLOW
    if isinstance(error, ArgumentError) and kind == "store":
        return "look at the owner, the rights and the free space of the store's folder"
    return ""
