"""Orders (RFC 8555 section 7.4): new, get, wait, finalize."""

from __future__ import annotations

import datetime
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..context import Context
from ..errors import AcmeError, ArgumentError, HttpError, TosslError
from ..http.urls import shown_url
from ..identifiers import Identifier, parse_identifier
from ..text import clean, quoted
from .answer import Answer
from .client import Client
from .encoding import b64url
from .polling import poll
from .problem import document_error

#: Authorizations of an order for each of its names: those needed, and those of earlier orders (section 7.1.3).
_AUTHORIZATIONS_EACH = 2
#: Pauses for a CA that accepted the CSR but left the order ready; the CSR is sent again after each.
_REFINALIZE_PAUSES_SECONDS = (0.1, 0.4, 1.0, 2.0)

#: In the place of a domain: any domain above a name.
ANY_ANCESTOR = "*"
_YES, _NO = ("1", "true", "yes", "on"), ("", "0", "false", "no", "off")


@dataclass(frozen=True, eq=False, repr=False)
class Order:
    """An order object (section 7.1.3); `raw` is the CA's whole object."""

    url: str
    status: str
    identifiers: tuple[Identifier, ...]
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str
    raw: Mapping[str, Any]
    retry_after: float | None = None

    def as_dict(self) -> dict[str, object]:
        return {**self.raw, "url": self.url, "status": self.status}


@dataclass(frozen=True, repr=False)
class OrderOptions:
    """The options of an order. Times are RFC 3339 texts; empty options are not sent.

    profile: draft-ietf-acme-profiles; replaces: the certID of the certificate to renew (RFC 9773 section 5).
    subdomain_auth: domains above the names, one of which may be proven in a name's place (RFC 9444); "*" is any.
    """

    not_before: str = ""
    not_after: str = ""
    profile: str = ""
    replaces: str = ""
    subdomain_auth: tuple[str, ...] = ()

    def ancestor_of(self, name: str) -> str:
        """Returns the closest allowed domain above a name; empty without one."""
        above = [domain for domain in self.subdomain_auth if name.endswith(f".{domain}")]
        return max(above, key=len, default="")

    def allows(self, ancestor: str, name: str) -> bool:
        """Returns whether this domain may be proven in the place of a name below it. A top-level domain never may."""
        is_above = "." in ancestor and name.endswith(f".{ancestor}")
        return is_above and (ancestor in self.subdomain_auth or ANY_ANCESTOR in self.subdomain_auth)


def ancestors(words: Sequence[str]) -> tuple[str, ...]:
    """Returns -subdomain_auth: domains, or a boolean for any. Raises ArgumentError subdomain_auth."""
    if len(words) <= 1 and (not words or words[0].lower() in _NO):
        return ()
    if len(words) == 1 and words[0].lower() in _YES:
        return (ANY_ANCESTOR,)
    found = [parse_identifier(word, "subdomain_auth") for word in words]
    if not all(named.type == "dns" and "." in named.value and not named.wildcard for named in found):
        raise ArgumentError("subdomain_auth", "-subdomain_auth: a boolean, or domains above the names")
    return tuple(named.value for named in found)


@dataclass(frozen=True, eq=False, repr=False)
class NewOrder:
    """The payload of newOrder (section 7.4): the names, and the options of the order."""

    identifiers: tuple[Identifier, ...]
    options: OrderOptions = field(default_factory=OrderOptions)

    def payload(self) -> dict[str, object]:
        options = self.options
        said = {
            "notBefore": options.not_before,
            "notAfter": options.not_after,
            "profile": options.profile,
            "replaces": options.replaces,
        }
        identifiers = [self._named(identifier) for identifier in self.identifiers]
        return {"identifiers": identifiers, **{name: value for name, value in said.items() if value}}

    def _named(self, identifier: Identifier) -> dict[str, str]:
        above = self.options.ancestor_of(identifier.base.value) if identifier.type == "dns" else ""
        return identifier.as_json() | ({"ancestorDomain": above} if above else {})

    def without_ancestors(self) -> NewOrder:
        """Returns the same order for a CA that has no authorizations for domains above the names."""
        return replace(self, options=replace(self.options, subdomain_auth=()))

    def without_replaces(self) -> NewOrder:
        """Returns the same order without `replaces`."""
        return replace(self, options=replace(self.options, replaces=""))


def rfc3339_time(text: str, argument: str) -> str:
    """Returns a time in RFC 3339 (UTC), from epoch seconds or RFC 3339, empty for empty text. Raises ArgumentError."""
    if not text:
        return ""
    try:
        moment = (
            datetime.datetime.fromtimestamp(int(text), datetime.UTC)
            if text.isascii() and text.isdigit()
            else datetime.datetime.fromisoformat(text)
        )
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        shape = "epoch seconds or an RFC 3339 time such as 2026-01-31T12:00:00Z"
        raise ArgumentError(argument, f"{argument} must be {shape}") from None


def replaced_id(text: str) -> str:
    """Returns a certID (RFC 9773 section 4.1) unchanged. Raises ArgumentError "replaces" for any other text."""
    if text and not re.fullmatch(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", text):
        raise ArgumentError("replaces", "replaces must be a certificate in PEM or its certID (RFC 9773 section 4.1)")
    return text


def new_order(client: Client, context: Context, wanted: NewOrder) -> Order:
    """Places an order (section 7.4) and returns it; one request on a known account.

    Places it again if the answer was lost: an unknown order may remain at the CA, and expires there. Raises
    ArgumentError for a profile that the directory does not list. Leaves `replaces` out at a CA without renewal
    information, and in a second attempt if the CA refuses the order because of it (RFC 9773 section 5).
    """
    directory = client.directory(context)
    profile = wanted.options.profile
    if profile and profile not in directory.profiles:
        offered = ", ".join(map(clean, directory.profiles)) or "none"
        raise ArgumentError("profile", f"the CA does not offer the profile {quoted(profile)} (it offers {offered})")
    if "renewalInfo" not in directory.urls:
        wanted = wanted.without_replaces()
    if directory.meta.get("subdomainAuthAllowed") is not True:
        wanted = wanted.without_ancestors()
    url = directory.url_of("newOrder")
    try:
        response = client.post(context, url, wanted.payload())
    except AcmeError as error:
        if not wanted.options.replaces or not _refuses_replaces(error):
            raise
        response = client.post(context, url, wanted.without_replaces().payload())
    answer = Answer.of(response)
    order = _read_order(answer, answer.location("order"))
    directory.check_own(order.url, "order", "newOrder")
    check_authorizations(order, len(wanted.identifiers))
    client.expect(order.url, order.finalize, *order.authorizations)
    context.tell("order", url=order.url, status=order.status)
    return order


def check_authorizations(order: Order, names: int) -> None:
    """Raises HttpError malformed for an order with more authorizations than one for so many names has."""
    if len(order.authorizations) > _AUTHORIZATIONS_EACH * names:
        cause = f"the order {shown_url(order.url)} has {len(order.authorizations)} authorizations for {names} names"
        raise HttpError("malformed", cause)


def get_order(client: Client, context: Context, url: str) -> Order:
    """Returns the order in its present state at the CA."""
    return _read_order(Answer.of(client.post_as_get(context, url)), url)


def wait_order(client: Client, context: Context, url: str, known: Order | None = None) -> Order:
    """Polls until the order is ready or valid. Raises an invalid order as an error (states: section 7.1.6).

    known: the order in an answer just received, which saves a request.
    """
    return _settled(client, context, "order", url, known)


def _settled(
    client: Client, context: Context, what: str, url: str, known: Order | None, asked_at: float | None = None
) -> Order:
    """Returns the order once it is neither pending nor processing. Raises an invalid order as an error."""
    order = poll(
        context,
        what,
        lambda: get_order(client, context, url),
        lambda order: order.status not in ("pending", "processing"),
        known,
        asked_at,
    )
    if order.status == "invalid":
        raise _invalid(order)
    return order


@dataclass(frozen=True, eq=False, repr=False)
class FinishedOrder:
    """A valid order. by_another: it was finalized before this was to be done, perhaps with another CSR."""

    order: Order
    by_another: bool


def finish_order(client: Client, context: Context, order: Order, csr: bytes) -> FinishedOrder:
    """Finalizes an order whose names are proven, waits for its certificate (section 7.4), returns the valid order.

    `order` need not be up to date: most CAs are ready as soon as the last name is; after orderNotReady it waits for
    the CA. Finalizes an order again, a few times, if it is still ready afterwards.
    """
    by_another = order.status in ("processing", "valid")
    for pause in (*_REFINALIZE_PAUSES_SECONDS, None):
        asked_at = time.monotonic()
        if order.status in ("pending", "ready"):
            order, by_another = _finalized(client, context, order, csr)
        order = _settled(client, context, "certificate", order.url, order, asked_at)
        if order.status == "valid":
            return FinishedOrder(_issued(client, order), by_another)
        if pause is not None:
            context.tell("waiting", what="certificate", status=order.status, seconds=pause)
            context.sleep(pause, "certificate")
    raise HttpError("malformed", f"the order {shown_url(order.url)} is {clean(order.status)} though finalized")


def finalize_order(client: Client, context: Context, order: Order, csr: bytes) -> Order:
    """Sends the CSR (DER) of a ready order (section 7.4), once; returns the order, which may be valid at once."""
    if not order.finalize:
        raise HttpError("malformed", f"the order {shown_url(order.url)} has no finalize URL")
    now = order

    def is_finalized() -> bool:
        nonlocal now
        now = get_order(client, context, order.url)
        return now.status not in ("pending", "ready")

    response = client.post_once(context, order.finalize, {"csr": b64url(csr)}, is_finalized)
    finalized = now if response is None else _read_order(Answer.of(response), order.url)
    context.tell("finalized", url=order.url, status=finalized.status)
    return finalized


def _finalized(client: Client, context: Context, order: Order, csr: bytes) -> tuple[Order, bool]:
    """Does finalize_order(); returns the order as the CA has it if the answer was unusable.

    The second value is whether it was finalized before.
    """
    try:
        return finalize_order(client, context, order, csr), False
    except (AcmeError, HttpError) as error:
        # The CA may have finalized the order all the same: a certificate that it issued must not be lost.
        try:
            now = get_order(client, context, order.url)
        except TosslError:
            raise error from None
        no_answer = isinstance(error, HttpError) or error.status >= 500
        telling = ("processing", "valid", "invalid") if no_answer else ("processing", "valid")
        is_refused = isinstance(error, AcmeError) and error.kind == "orderNotReady"
        if now.status not in telling and not is_refused:
            raise
        return now, is_refused and now.status in ("processing", "valid")


def _issued(client: Client, order: Order) -> Order:
    if not order.certificate:
        raise HttpError("malformed", f"the order {shown_url(order.url)} is valid without a certificate")
    client.expect(order.certificate)
    return order


def _invalid(order: Order) -> AcmeError:
    """Returns the error of an invalid order: the order's own (section 7.1.3), if it has one."""
    problem = order.raw.get("error")
    if isinstance(problem, dict):
        return document_error(problem, 0)
    return AcmeError("the order is invalid", "orderInvalid", 0, {"order": dict(order.raw)})


def _refuses_replaces(error: AcmeError) -> bool:
    is_kind = error.status == 409 or error.kind in ("alreadyReplaced", "malformed")
    return is_kind or "replace" in error.message.lower()


def _read_order(answer: Answer, url: str) -> Order:
    return Order(
        url=url,
        status=answer.text("status"),
        identifiers=tuple(Identifier.from_json(named.raw) for named in answer.parts("identifiers")),
        authorizations=answer.urls("authorizations"),
        finalize=answer.url("finalize"),
        certificate=answer.optional_url("certificate"),
        raw=answer.raw,
        retry_after=answer.retry_after,
    )
