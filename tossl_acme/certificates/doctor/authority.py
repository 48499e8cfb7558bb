"""The CAs: how each is reached, its TLS certificate, its terms, whether it wants a binding, and what time it has."""

from __future__ import annotations

import ssl
import time
from dataclasses import replace

from ...acme.account import check_binding
from ...acme.directory import Directory
from ...acme.mailed_binding import may_be_mailed
from ...context import Context
from ...errors import ArgumentError, Cancelled, HttpError, TosslError
from ...http.urls import shown_url
from ...pki.chain import read_certificate
from .. import clock
from ..issuance import Issuance
from .answered import ask_directory
from .beside import each_finding
from .diagnosis import Diagnosis
from .subjects import Examination, known_account

#: A clock that differs by less is right enough, in seconds.
_MOST_SECONDS = 300.0
_NO_CA = "name it: -directory, or TOSSL_DIRECTORY in the environment"
_SET_CLOCK = "set the machine's clock, and keep it right by NTP (timedatectl set-ntp true)"
_PROXY = (
    "give the proxy's user and password: http://user:password@host:port as -proxy, or in HTTPS_PROXY; or except the "
    "CA's host by NO_PROXY"
)
_ROOT = (
    "give the root of the CA's own TLS certificate by -ca_bundle; where it is a public CA, a proxy opens the "
    "connection: give that proxy's root, or ask for an exception"
)


def authority_findings(context: Context, examined: Examination) -> list[Diagnosis]:
    """Looks at each CA that is asked, side by side."""
    ones: dict[object, Issuance] = {}
    for one in examined.issuances:
        ones.setdefault((one.directory, one.connection), one)
    if not ones:
        return [Diagnosis.warned("ca", "", "no CA is named, so none was looked at", _NO_CA)]
    look = lambda part, one: _of_one(part, examined, one)  # noqa: E731
    return each_finding(context, "ca", look, list(ones.values()), lambda one: shown_url(one.directory))


def _of_one(context: Context, examined: Examination, one: Issuance) -> list[Diagnosis]:
    subject = shown_url(one.directory)
    begun = time.monotonic()
    proxy = one.connection.proxy_for(one.directory)
    by = f" by the proxy {shown_url(proxy)}" if proxy else ""
    try:
        answer = examined.answer_of(context, one)
    except Cancelled:
        raise
    except TosslError as error:
        context.check("the CA")
        return _unreached(context, one, error, proxy)
    facts = {"proxy": shown_url(proxy), "seconds": round(time.monotonic() - begun, 3), **_of_peer(answer.peer)}
    certificate = f"its TLS certificate is of {facts['issuer']}" if facts.get("issuer") else ""
    said = f"answers{by}; {certificate}".rstrip("; ")
    found = [Diagnosis.ok("ca", subject, said, **facts)]
    found += _clock(subject, answer.date)
    found += [_terms(subject, answer.directory, one), _binding(subject, answer.directory, one, examined)]
    return [*found, *_profile(subject, answer.directory, one)]


def _of_peer(peer: bytes) -> dict[str, object]:
    if not peer:
        return {}
    try:
        found = read_certificate(ssl.DER_cert_to_PEM_cert(peer)).as_dict()
    except (TosslError, ValueError):
        return {}
    return {"issuer": found["issuer"], "not_after": found["not_after"]}


def _unreached(context: Context, one: Issuance, error: TosslError, proxy: str) -> list[Diagnosis]:
    """Tells why the CA gave no directory; behind a certificate that is not trusted, what it is and what time it has."""
    subject, facts = shown_url(one.directory), {"proxy": shown_url(proxy)}
    if proxy and "407" in error.message:
        return [Diagnosis.of_error("proxy", shown_url(proxy), error, _PROXY, **facts)]
    if not (isinstance(error, HttpError) and error.kind == "tls"):
        return [Diagnosis.of_error("ca", subject, error, **facts)]
    try:
        answer = ask_directory(context, replace(one, connection=replace(one.connection, verify=False)))
    except Cancelled:
        raise
    except TosslError:
        context.check("the CA")
        return [Diagnosis.of_error("ca", subject, error, **facts)]
    clocks = [one for one in _clock(subject, answer.date) if one.status != "ok"]
    about = _of_peer(answer.peer)
    issuer = about.get("issuer")
    advice = f"its certificate is of {issuer}: {_ROOT}" if issuer else _ROOT
    return [*clocks, Diagnosis.of_error("ca", subject, error, clocks[0].advice if clocks else advice, **facts, **about)]


def _clock(subject: str, date: float | None) -> list[Diagnosis]:
    """Compares the machine's clock with the time that the CA says."""
    if date is None:
        return [Diagnosis.warned("clock", subject, "the CA said no time to compare the clock with", "look by yourself")]
    ahead = clock.wall() - date
    if abs(ahead) <= _MOST_SECONDS:
        return [Diagnosis.ok("clock", subject, "the machine's clock agrees with the CA's", ahead=round(ahead))]
    how = f"{_duration(abs(ahead))} {'ahead of' if ahead > 0 else 'behind'} the CA's"
    trouble = "certificates and due times are judged by it"
    return [
        Diagnosis.failed("clock", subject, f"the machine's clock is {how}: {trouble}", _SET_CLOCK, ahead=round(ahead))
    ]


def _duration(seconds: float) -> str:
    for unit, name in ((86400, "days"), (3600, "hours")):
        if seconds >= 0.95 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds / 60:.0f} minutes"


def _terms(subject: str, directory: Directory, one: Issuance) -> Diagnosis:
    terms = directory.terms_of_service
    if not terms:
        return Diagnosis.ok("terms", subject, "the CA has no terms of service")
    if not one.account.agree_tos:
        advice = "without -agree_tos 0 a new account agrees to them"
        return Diagnosis.warned("terms", subject, f"{shown_url(terms)} is not agreed to", advice, terms=terms)
    return Diagnosis.ok("terms", subject, f"a new account agrees to {shown_url(terms)}", terms=terms)


def _binding(subject: str, directory: Directory, one: Issuance, examined: Examination) -> Diagnosis:
    """Says whether an account can be had here: it is known, or nothing is missing for a new one. Makes none."""
    account = known_account(examined.store, one)
    facts = {"account": account, "required": directory.needs_eab}
    if account:
        return Diagnosis.ok("account", subject, f"the account {shown_url(account)} is known", **facts)
    if not directory.needs_eab:
        return Diagnosis.ok("account", subject, "the first order makes an account; no binding is wanted", **facts)
    if one.account.binding is not None or may_be_mailed(one.directory, one.account.contact):
        return Diagnosis.ok("account", subject, "the first order makes an account with its binding", **facts)
    try:
        check_binding(one.directory, one.account)
        cause = "the CA wants an external account binding for a new account"
    except ArgumentError as error:
        cause = error.message
    advice = "take key id and key from your account at its web site: -eab_kid, -eab_hmac_key_file"
    return Diagnosis.failed("account", subject, cause, advice, **facts)


def _profile(subject: str, directory: Directory, one: Issuance) -> list[Diagnosis]:
    profile = one.order.profile
    if not profile or profile in directory.profiles:
        return []
    offered = ", ".join(map(str, directory.profiles)) or "none"
    return [
        Diagnosis.failed("profile", subject, f"the CA has no profile {profile}: {offered}", "give another -profile")
    ]
