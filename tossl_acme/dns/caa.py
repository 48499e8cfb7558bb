"""CAA records: which CAs may issue for a name (RFC 8659), for which account and by which methods (RFC 8657)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from ..context import Context
from ..errors import WaitTimeout
from ..text import clean
from .failure import LookupFailed
from .issue_value import IssueValue, parse_issue_value
from .resolver import Resolver, dns_name, name_text
from .texts import last_name

_CRITICAL = 128
#: The registered tags (IANA, "Certification Authority Restriction Properties"): a CA may know them.
_KNOWN_TAGS = {
    "issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone", "auth", "path", "policy",
}  # fmt: skip
#: Values that an error shows.
_MOST_SHOWN = 4


@dataclass(frozen=True)
class CaaProperty:
    """A record's property; its tag is in lower case."""

    flags: int
    tag: str
    value: str


@dataclass(frozen=True)
class CaaSet:
    """The relevant records of a domain, and the name at which they are: its own, or the closest above that has some."""

    name: str
    properties: tuple[CaaProperty, ...] = ()


@dataclass(frozen=True)
class CaaRequest:
    """A request for a certificate: the CA's names in CAA records, the account's URL, and the possible methods."""

    issuers: Sequence[str]
    account_url: str
    methods: Collection[str]
    wildcard: bool = False


def relevant_set(context: Context, resolver: Resolver, domain: str, known: dict[str, CaaSet]) -> CaaSet:
    """Returns the domain's records, else those of the closest domain above that has some (RFC 8659 section 3).

    `known` keeps the sets of domains that were asked for. Blocks. Raises LookupFailed if the DNS does not answer, and
    as Context.check() does.
    """
    name = dns_name(domain)
    found = CaaSet("")
    asked: list[str] = []
    while name != dns.name.root and not found.properties:
        text = name_text(name)
        if text in known:
            found = known[text]
            break
        asked.append(text)
        response = resolver.query(context, name, dns.rdatatype.CAA)
        if response.flags & dns.flags.TC:
            raise LookupFailed(f"{text} CAA: the answer is cut, and the rest does not come by TCP")
        properties = _properties(response, name)
        found = CaaSet(text, properties) if properties else found
        name = name.parent()
    known.update(dict.fromkeys(asked, found))
    return found


def caa_refusal(found: CaaSet, request: CaaRequest) -> str:
    """Returns why the records forbid the certificate, with the record to set; empty if they do not."""
    for each in found.properties:
        if each.flags & _CRITICAL and each.tag not in _KNOWN_TAGS:
            return f"the CAA record {_shown(found.name, each)} is critical, and no CA knows its property; remove it"
    tag = "issuewild" if request.wildcard and any(each.tag == "issuewild" for each in found.properties) else "issue"
    restricting = [each for each in found.properties if each.tag == tag]
    allowed = [value for each in restricting if (value := _value(each)).issuer in request.issuers]
    if not restricting or any(_fits(value, request) for value in allowed):
        return ""
    shown = ", ".join(_shown(found.name, each) for each in restricting[:_MOST_SHOWN])
    more = f" and {len(restricting) - _MOST_SHOWN} more" if len(restricting) > _MOST_SHOWN else ""
    wanted = _shown(found.name, CaaProperty(0, tag, _wanted(allowed, request)))
    what = "this account or challenge type of the CA" if allowed else "the CA"
    return f"the CAA record {shown}{more} does not allow {what}; set {wanted}"


def _fits(value: IssueValue, request: CaaRequest) -> bool:
    account = value.parameters.get("accounturi")
    methods = value.parameters.get("validationmethods")
    if account is not None and account != request.account_url:
        return False
    return methods is None or bool({label.strip().lower() for label in methods.split(",")} & set(request.methods))


def _wanted(allowed: Sequence[IssueValue], request: CaaRequest) -> str:
    """Returns the value to set: with the parameters that the CA's records have already."""
    parts = [request.issuers[0]]
    if any("accounturi" in value.parameters for value in allowed):
        parts.append(f"accounturi={request.account_url}")
    if any("validationmethods" in value.parameters for value in allowed):
        parts.append(f"validationmethods={','.join(sorted(request.methods))}")
    return "; ".join(parts)


def _value(found: CaaProperty) -> IssueValue:
    try:
        return parse_issue_value(found.value)
    except ValueError:
        return IssueValue("")  # as if it named no CA (RFC 8659 section 4.2)


def _shown(name: str, found: CaaProperty) -> str:
    return f'{name}. CAA {found.flags} {clean(found.tag)} "{clean(found.value)}"'


def _properties(response: dns.message.Message, name: dns.name.Name) -> tuple[CaaProperty, ...]:
    """Returns the properties at the name, or at the end of its aliases."""
    end = last_name(response, name)
    return tuple(
        CaaProperty(
            record.flags, record.tag.decode("ascii", "replace").lower(), record.value.decode("utf-8", "replace")
        )
        for found in response.answer
        if found.rdtype == dns.rdatatype.CAA and found.name == end
        for record in found
    )


def caa_sets(
    context: Context, resolver: Resolver, domains: Sequence[str], known: dict[str, CaaSet]
) -> dict[str, CaaSet | str]:
    """Returns the relevant records of each domain, or the reason why the DNS does not tell. Blocks.

    Leaves out the domains for which the context leaves no time."""
    found: dict[str, CaaSet | str] = {}
    for domain in domains:
        try:
            found[domain] = relevant_set(context, resolver, domain, known)
        except LookupFailed as error:
            found[domain] = f"{error}"
        except WaitTimeout:
            break
    return found
