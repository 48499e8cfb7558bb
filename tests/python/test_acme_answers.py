"""What is read out of answers: problem documents, Retry-After, Link, directories, renewal windows."""

from __future__ import annotations

import email.utils
import json
import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from tossl_acme.acme import polling
from tossl_acme.acme.answer import Answer
from tossl_acme.acme.certificate import REASONS, reason_code
from tossl_acme.acme.directory import read_directory
from tossl_acme.acme.links import links
from tossl_acme.acme.order import NewOrder, OrderOptions, rfc3339_time
from tossl_acme.acme.polling import poll
from tossl_acme.acme.problem import problem_error, retry_after
from tossl_acme.acme.public_cas import PUBLIC_CAS, directory_url, needs_binding
from tossl_acme.acme.urls import server_url
from tossl_acme.context import Context
from tossl_acme.errors import AcmeError, ArgumentError, HttpError
from tossl_acme.http.response import Response

AT = "https://ca.example/acme/cert/1"
PAGE = Path(__file__).parents[2] / "docs" / "commands" / "acme.md"
DIRECTORY = {name: f"https://ca.example/{name}" for name in ("newNonce", "newAccount", "newOrder")}


def response(body: object = b"", status: int = 200, **headers: str) -> Response:
    named = CaseInsensitiveDict({name.replace("_", "-"): value for name, value in headers.items()})
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(AT, status, named, data)


@pytest.mark.parametrize(
    "header",
    [
        '<https://ca.example/alt>;rel="alternate"',
        "<https://ca.example/alt>; rel=alternate",
        '<https://ca.example/alt> ;\t rel = "alternate"',
        "<  https://ca.example/alt  >;   rel  =  alternate  ",
        '</alt>;rel="alternate"',
        '<../../alt>; rel="alternate"',
        '<https://ca.example/alt>;title="a, b; c=\\"d\\" <e>";rel="Up ALTERNATE next"',
        '<https://ca.example/dir>;rel="index" , <https://ca.example/alt>;rel="alternate"',
        '<https://ca.example/dir>;rel="index",,<https://ca.example/alt>;rel="alternate";rel="up"',
        '<https://ca.example/alt>;REL="alternate", <http://ca.example/plain>;rel="alternate"',
    ],
)
def test_links_are_read_however_they_are_written(header: str) -> None:
    """RFC 8288 section 3; a link that is not https is none."""
    assert links(response(Link=header), "alternate") == ["https://ca.example/alt"]


def test_a_semicolon_or_comma_may_stand_in_a_link() -> None:
    """Between < and > everything is the URL."""
    assert links(response(Link="<https://ca.example/a;b=1,2?c=d>;rel=next"), "next") == [
        "https://ca.example/a;b=1,2?c=d"
    ]


@pytest.mark.parametrize(
    "header", ["", "nonsense", "<https://ca.example/alt>", "<https://ca.example/alt", '<x>;rel="up"', "<>;rel"]
)
def test_what_is_not_that_link_is_ignored(header: str) -> None:
    """No error: links are an offer."""
    assert links(response(Link=header), "alternate") == []


def test_links_are_bounded() -> None:
    """Each once, and not more than anyone needs."""
    many = ", ".join(f"<https://ca.example/{n % 30}>;rel=alternate" for n in range(60))
    assert len(links(response(Link=many), "alternate")) == 20


def test_a_link_begins_with_the_last_of_many_brackets() -> None:
    """None is looked at twice: a header of nothing else takes no longer than another."""
    header = "<" * 10_000 + '<https://ca.example/alt>;rel="alternate"'
    assert links(response(Link=header), "alternate") == ["https://ca.example/alt"]


def test_a_link_header_is_read_as_far_as_anyone_needs() -> None:
    """16 KB."""
    link = '<https://ca.example/alt>;rel="alternate"'
    assert links(response(Link=link.rjust(16384)), "alternate") == ["https://ca.example/alt"]
    assert links(response(Link="," * 16384 + link), "alternate") == []


def test_retry_after_is_read_in_seconds_and_as_a_date() -> None:
    """RFC 9110 section 10.2.3; RFC 8555 section 6.6 and 7.5.1."""
    assert retry_after({"Retry-After": " 120 "}) == 120
    assert retry_after({"Retry-After": "0"}) == 0
    later = email.utils.formatdate(time.time() + 3600, usegmt=True)
    assert 3500 < (retry_after({"Retry-After": later}) or 0) <= 3600
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    at = {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT", "Date": "Wed, 21 Oct 2015 07:27:00 GMT"}
    assert retry_after(at) == 60  # whatever time this machine has
    assert retry_after({**at, "Age": "60"}) == 0  # a cache's answer has the time of then
    assert retry_after({"Retry-After": "Fri, 31 Dec 9999 00:00:00 GMT"}) == 10**9


@pytest.mark.parametrize("text", ["", "soon", "-1", "1.5", "Wed, 99 Foo 2015 07:28:00 GMT"])
def test_a_retry_after_that_says_nothing_is_none(text: str) -> None:
    """As if it were not there."""
    assert retry_after({"Retry-After": text}) is None
    assert retry_after({}) is None


class Unhurried(Context):
    """Passes the time without waiting, and keeps what it was asked to wait."""

    def __init__(self) -> None:
        super().__init__(60)
        self.slept: list[float] = []
        self.now = 1000.0

    def sleep(self, seconds: float, what: str) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize(
    ("after", "pauses"),
    [
        (None, [0.005, 0.02, 0.04, 0.08]),
        (0.0, [0.005, 0.02, 0.04, 0.08]),
        (1e-9, [0.02] * 4),
        (3.0, [3.0] * 4),
        (1e9, [60.0] * 4),
    ],
)
def test_polling_takes_the_time_that_the_ca_asks_for(
    after: float | None, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that says 0, or a date that is past, asks for none, and is not looked at without end."""
    order = SimpleNamespace(retry_after=after, status="processing")
    context = Unhurried()
    monkeypatch.setattr(polling.time, "monotonic", lambda: context.now)
    poll(context, "order", lambda: order, lambda _: len(context.slept) == 4)
    assert context.slept == pytest.approx(pauses)


@pytest.mark.parametrize(
    ("after", "took", "pauses"),
    [
        (None, 0.06, [0.0, 0.0, 0.02, 0.1]),
        (None, 0.006, [0.014, 0.034, 0.074, 0.154]),
        (None, 0.004, [0.001, 0.016, 0.036, 0.076]),
        (3.0, 0.06, [3.0] * 4),
    ],
    ids=["its own pauses", "close by", "at hand", "Retry-After"],
)
def test_the_time_that_an_answer_takes_is_part_of_a_pause(
    after: float | None, took: float, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """20 ms doubling pass from request to request, 5 ms before these at hand; Retry-After counts from the answer."""
    context = Unhurried()
    monkeypatch.setattr(polling.time, "monotonic", lambda: context.now)

    def look() -> Any:
        context.now += took
        return SimpleNamespace(retry_after=after, status="processing")

    asked_at = context.now
    known = look()
    poll(context, "order", look, lambda _: len(context.slept) == 4, known, asked_at)
    assert context.slept == pytest.approx(pauses)


def test_a_huge_retry_after_is_a_number() -> None:
    """Bounded, so that no later sum overflows."""
    assert retry_after({"Retry-After": "9" * 400}) == 10**9


def problem(**members: Any) -> Response:
    return response({"type": "urn:ietf:params:acme:error:malformed", **members}, 400)


def test_a_problem_document_is_kept_whole() -> None:
    """RFC 8555 section 6.7: type, detail, status and every other member."""
    error = problem_error(problem(detail="bad", extra={"a": [1]}))
    assert isinstance(error, AcmeError)
    assert error.errorcode == ("TOSSL", "ACME", "malformed", "400")
    assert error.message == "bad [malformed]"
    assert error.details["problem"]["extra"] == {"a": [1]}  # type: ignore[index]


def test_subproblems_are_told_by_identifier() -> None:
    """RFC 8555 section 6.7.1."""
    first = {"type": "dns", "value": "a.b"}
    subproblems = [
        {"type": "urn:ietf:params:acme:error:caa", "detail": "forbidden", "identifier": first},
        {"type": "urn:ietf:params:acme:error:dns", "identifier": {"type": "dns", "value": "c.d"}},
        {"detail": "something"},
        "odd",
    ]
    error = problem_error(problem(type="urn:ietf:params:acme:error:compound", detail="two", subproblems=subproblems))
    assert error.message == "two (a.b: forbidden; c.d: dns; something) [compound]"


def test_a_person_is_sent_to_the_instance_url() -> None:
    """RFC 8555 section 7.3.3: userActionRequired."""
    kind = "urn:ietf:params:acme:error:userActionRequired"
    error = problem_error(problem(type=kind, detail="agree", instance="https://ca.example/agree"))
    assert error.message == "agree; visit https://ca.example/agree [userActionRequired]"
    assert error.details["instance"] == "https://ca.example/agree"


def test_a_rate_limit_says_when() -> None:
    """RFC 8555 section 6.6."""
    body = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many"}
    error = problem_error(response(body, 429, Retry_After="3600"))
    assert error.message == "too many; try again in 3600 s [rateLimited]"
    assert error.details["retry_after"] == 3600


@pytest.mark.parametrize("kind", ["rateLimited", "userActionRequired", "unauthorized"])
@pytest.mark.parametrize("length", [40, 1000, 1999, 2000])
def test_a_page_to_visit_stays_whole_behind_many_names(kind: str, length: int) -> None:
    """Boulder's answer for a paused account names all domains, then the URL that lifts the pause."""
    url = "https://ca.example/unpause?jwt=".ljust(length, "x")
    names = ", ".join(f"host-{number}.example.com" for number in range(100))
    detail = f"Your account is temporarily prevented from requesting certificates for {names}. Please visit: {url}"
    error = problem_error(problem(type=f"urn:ietf:params:acme:error:{kind}", detail=detail))
    assert error.details["visit"] == url
    assert error.message.endswith(f"{url} [{kind}]")
    assert error.message.startswith("Your account is temporarily prevented")
    assert len(error.message) <= 1000 + 1 + length + len(f" [{kind}]")


@pytest.mark.parametrize(
    "detail",
    [
        "see http://ca.example/",
        "see https://",
        "https://ca.example/ is where",
        "see https://ca.example/\x1b[2J",
        "see " + "https://ca.example/".ljust(2001, "x"),
        "see httpss://ca.example/",
        "",
        "   ",
    ],
    ids=["http", "no host", "not at the end", "does not print", "too long", "another scheme", "nothing", "space"],
)
def test_what_is_no_page_to_visit_is_not_named_as_one(detail: str) -> None:
    error = problem_error(problem(detail=detail))
    assert "visit" not in error.details
    assert error.message.isprintable()
    assert len(error.message) < 1100


def test_a_full_stop_is_no_part_of_a_page() -> None:
    assert problem_error(problem(detail="open (https://ca.example/x).")).details["visit"] == "https://ca.example/x"


def test_an_answer_that_is_no_problem_says_when_too() -> None:
    error = problem_error(response({}, 503, Retry_After="77"))
    assert error.details["retry_after"] == 77


@pytest.mark.parametrize("body", [b"<html>", b"", b"[]", b'"x"', b"{}", b"\xff"])
def test_what_is_no_problem_document_is_the_status(body: bytes) -> None:
    """A load balancer's page, for one."""
    error = problem_error(response(body, 502, Content_Type="text/html; charset=x"))
    assert isinstance(error, HttpError)
    assert error.errorcode == ("TOSSL", "HTTP", "status")
    assert "answered 502 with text/html" in error.message


def test_a_problem_with_odd_members_is_still_one() -> None:
    """Types that are none, text that does not end, control characters."""
    error = problem_error(problem(type=7, detail="x\n\x1b[31m" + "y" * 5000, status="400", subproblems={"a": 1}))
    assert error.errorcode == ("TOSSL", "ACME", "malformed", "400")
    assert error.message.isprintable()
    assert len(error.message) < 1100


def test_a_type_of_another_standard_is_kept_as_it_is() -> None:
    """Only the ACME prefix is left out."""
    error = problem_error(problem(type="urn:ietf:params:other:thing", detail="x"))
    assert error.errorcode[2] == "urn:ietf:params:other:thing"


def test_a_directory_is_read_with_what_nobody_knows() -> None:
    """RFC 8555 section 7.1.1; later standards' resources are URLs as well."""
    body = {**DIRECTORY, "newThing": "https://ca.example/thing", "odd": 7, "plain": "http://x", "meta": {"website": 1}}
    directory = read_directory(response(body))
    assert directory.urls["newThing"] == "https://ca.example/thing"
    assert {"odd", "plain"} & set(directory.urls) == set()
    assert directory.as_dict()["meta"] == {"website": 1}
    with pytest.raises(AcmeError, match="does not offer newAuthz") as raised:
        directory.url_of("newAuthz")
    assert raised.value.kind == "notOffered"


@pytest.mark.parametrize("meta", [None, [], "x", {"profiles": [], "termsOfService": 7, "caaIdentities": "x"}])
def test_a_directory_without_a_usable_meta_is_one(meta: object) -> None:
    """meta and all in it is optional."""
    directory = read_directory(response({**DIRECTORY, "meta": meta}))
    assert (dict(directory.profiles), directory.terms_of_service, directory.caa_identities) == ({}, "", [])
    assert not directory.needs_eab


@pytest.mark.parametrize("missing", ["newNonce", "newAccount", "newOrder"])
def test_a_directory_names_what_it_needs(missing: str) -> None:
    """And says what is not there."""
    with pytest.raises(HttpError, match=f"lacks {missing}"):
        read_directory(response({name: url for name, url in DIRECTORY.items() if name != missing}))


@pytest.mark.parametrize(
    "url", ["http://ca.example/x", "", 7, None, "https://", "//ca.example/x", "https://a b/", "https://user:word@x/"]
)
def test_a_url_from_the_ca_must_be_https(url: object) -> None:
    """RFC 8555 section 6.1."""
    with pytest.raises(HttpError, match="no https URL as its order URL"):
        server_url(url, "order URL", AT)


def test_short_names_stand_for_directories() -> None:
    """With what each is known to want."""
    assert directory_url("letsencrypt") == "https://acme-v02.api.letsencrypt.org/directory"
    assert directory_url("LetsEncrypt-Staging") == "https://acme-staging-v02.api.letsencrypt.org/directory"
    assert all(directory_url(ca.name) == ca.url and ca.url.startswith("https://") for ca in PUBLIC_CAS)
    bound = {ca.name for ca in PUBLIC_CAS if needs_binding(ca.url)}
    assert {"zerossl", "google", "google-staging", "sslcom"} <= bound
    assert not bound & {"letsencrypt", "letsencrypt-staging"}
    with pytest.raises(ArgumentError, match="letsencrypt, letsencrypt-staging"):
        directory_url("nobody")


@pytest.mark.parametrize("name", ["buypass", "Buypass-Staging"])
def test_a_ca_that_ended_its_service_is_refused_by_name(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        directory_url(name)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "directory_url")
    cause = "Buypass ended its ACME service in October 2025; choose another CA"
    assert caught.value.message == f"{name.lower()}: {cause}"


def test_the_page_lists_the_short_names() -> None:
    """And those of the CAs that want an external account binding."""
    page = " ".join(PAGE.read_text("utf-8").split())
    listed = re.search(r"the short name of a public CA \(([^)]*)\)", page)
    assert listed and listed[1].split(", ") == [ca.name for ca in PUBLIC_CAS]
    bound = re.search(r"requires it for a new account, as do ([a-z, -]+[a-z])", page)
    assert bound and bound[1].split(", ") == [ca.name for ca in PUBLIC_CAS if ca.needs_eab]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ""),
        ("0", "1970-01-01T00:00:00Z"),
        ("1767225600", "2026-01-01T00:00:00Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00Z"),
    ],
)
def test_times_are_said_as_rfc_3339(text: str, said: str) -> None:
    """From Tcl's epoch seconds too."""
    assert rfc3339_time(text, "not_before") == said


@pytest.mark.parametrize("text", ["tomorrow", "2026-01-31", "2026-01-31T12:00:00", "-1", "9" * 30, "1.5"])
def test_what_is_no_time_is_refused(text: str) -> None:
    """A time without its zone is none."""
    with pytest.raises(ArgumentError) as raised:
        rfc3339_time(text, "not_after")
    assert raised.value.errorcode == ("TOSSL", "VALUE", "not_after")


def test_an_order_says_only_what_was_asked() -> None:
    """Empty terms are not sent."""
    assert NewOrder(()).payload() == {"identifiers": []}
    options = OrderOptions(profile="tlsserver", replaces="a.b")
    assert NewOrder((), options).payload() == {"identifiers": [], "profile": "tlsserver", "replaces": "a.b"}


def test_reasons_have_names_and_numbers() -> None:
    """RFC 5280 section 5.3.1; 7 is not used."""
    assert [reason_code(name) for name in REASONS] == list(REASONS.values())
    assert (reason_code("KEYCOMPROMISE"), reason_code("4"), reason_code("")) == (1, 4, None)
    for bad in ("7", "11", "-1", "stolen", "1.0", "\u0661"):
        with pytest.raises(ArgumentError, match="reason must be one of"):
            reason_code(bad)


READERS = {
    "text": lambda answer: answer.text("it"),
    "text or": lambda answer: answer.text("it", "otherwise"),
    "texts": lambda answer: answer.texts("it"),
    "url": lambda answer: answer.url("it"),
    "optional url": lambda answer: answer.optional_url("it"),
    "urls": lambda answer: answer.urls("it"),
    "part": lambda answer: answer.part("it"),
    "parts": lambda answer: answer.parts("it"),
}
FULL = ["https://ca.example/1"] * 1001


@pytest.mark.parametrize(
    ("reader", "wrong"),
    [
        *[("text", value) for value in (None, "", 7, True, [], {})],
        *[("text or", value) for value in ("", 7, False, [], {})],
        *[("texts", value) for value in ("a", 7, {}, ["a", 7], FULL)],
        *[("url", value) for value in (None, "", 7, "http://ca.example/", "/1", ["https://ca.example/1"], "https://[")],
        *[("optional url", value) for value in (7, "http://ca.example/", "/1", ["https://ca.example/1"])],
        *[("urls", value) for value in ("https://ca.example/1", 7, {}, [None], ["http://ca.example/"], FULL)],
        *[("part", value) for value in ([], "a", 7, True)],
        *[("parts", value) for value in ({}, "a", 7, ["a"], [{}, None], [{}] * 1001)],
    ],
)
def test_a_member_of_the_wrong_type_is_named(reader: str, wrong: object) -> None:
    """As malformed, with the URL that was asked for."""
    with pytest.raises(HttpError) as caught:
        READERS[reader](Answer.of(response({"it": wrong})))
    assert caught.value.errorcode == ("TOSSL", "HTTP", "malformed")
    assert AT in caught.value.message
    assert re.search(r"\bit\b", caught.value.message)


@pytest.mark.parametrize(
    ("reader", "absent"),
    [("text or", "otherwise"), ("texts", ()), ("optional url", ""), ("urls", ()), ("part", None), ("parts", ())],
)
@pytest.mark.parametrize("document", [{}, {"it": None}])
def test_an_absent_member_is_none(reader: str, absent: object, document: dict[str, object]) -> None:
    assert READERS[reader](Answer.of(response(document))) == absent


@pytest.mark.parametrize("location", [None, "", "http://ca.example/1", "https://[", "https://user@ca/1"])
def test_a_location_must_be_https(location: str | None) -> None:
    answer = Answer.of(response({}, **({} if location is None else {"Location": location})))
    with pytest.raises(HttpError, match="names no https URL as its order URL"):
        answer.location("order")


@pytest.mark.parametrize(
    ("location", "meant"),
    [("/order/7", "https://ca.example/order/7"), ("7", "https://ca.example/acme/cert/7"), (f" {AT} ", AT)],
)
def test_a_relative_location_is_the_answers_own(location: str, meant: str) -> None:
    """RFC 9110 section 10.2.2."""
    assert Answer.of(response({}, Location=location)).location("order") == meant
