"""Answers of every shape: each is read, or refused as malformed or in the CA's own words; nothing else ever happens."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict

from tossl_acme.acme.account import get_account, list_orders
from tossl_acme.acme.authorization import get_authorization, refusal
from tossl_acme.acme.directory import read_directory
from tossl_acme.acme.links import links
from tossl_acme.acme.order import get_order
from tossl_acme.acme.problem import document_error, problem_error, retry_after
from tossl_acme.acme.renewal import renewal_info
from tossl_acme.context import Context
from tossl_acme.errors import AcmeError, HttpError, TosslError
from tossl_acme.http.response import Response
from tossl_acme.tcl.values import to_tcl

hypothesis = pytest.importorskip("hypothesis")
from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

AT = "https://ca.example/acme/thing/1"
settings.register_profile(
    "answers",
    max_examples=80,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("answers")

URLS = ["https://ca.example/1", "http://ca.example/1", "/relative", "https://[", "https://a b/", "https://a:x/"]
WORDS = [*URLS, "", "valid", "pending", "invalid", "urn:ietf:params:acme:error:rateLimited", "dns", "*.a.example", "ip",
         "::ffff:1.2.3.4", "fe80::1%1", "2026-13-45",
         "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "\ud800",
         "\0", "../../etc/passwd", "x" * 5000]  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.sampled_from([10**400, -1, 0, 404, 1e300]), st.floats(),
    st.sampled_from(WORDS), st.text(max_size=20),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
MEMBERS = ["status", "identifiers", "authorizations", "finalize", "certificate", "error", "expires", "identifier",
           "challenges", "wildcard", "type", "url", "token", "contact", "orders", "value", "detail", "subproblems",
           "instance", "suggestedWindow", "start", "end", "explanationURL", "newNonce", "newAccount", "newOrder",
           "meta", "profiles", "caaIdentities", "termsOfService", "accounturi", "issuer-domain-names"]  # fmt: skip
objects = st.dictionaries(
    st.sampled_from(MEMBERS),
    st.one_of(
        values,
        st.dictionaries(st.sampled_from(MEMBERS), values, max_size=5),
        st.lists(st.dictionaries(st.sampled_from(MEMBERS), values, max_size=5), max_size=3),
        st.lists(st.sampled_from(WORDS), max_size=3),
    ),
)
headers = st.dictionaries(
    st.sampled_from(["Location", "Retry-After", "Link", "Content-Type", "Replay-Nonce"]),
    st.one_of(
        st.sampled_from([*URLS, "9" * 5000, "-1",
                         "Wed, 21 Oct 9999 07:28:00 -0000", "Thu, 32 Foo 0 99:99:99 +99999",
                         "<https://[>;rel=next", '<https://ca.example/2>;rel="next"', "<" * 50, ";rel=" * 50]),
        st.text(st.characters(max_codepoint=255), max_size=30),
    ),
)  # fmt: skip


def answer(document: object, headers: Mapping[str, str], status: int = 200) -> Response:
    return Response(AT, status, CaseInsensitiveDict(headers), json.dumps(document).encode())


def reads(action: Callable[[], object]) -> None:
    """It returns, or raises what a CA's answer may lead to."""
    try:
        action()
    except (HttpError, AcmeError) as error:
        assert isinstance(error, AcmeError) or error.kind in ("malformed", "status")
        assert all(char.isprintable() for char in error.message)
        assert len(error.message) < 8000


def client_of(response: Response) -> Any:
    key = SimpleNamespace(thumbprint="thumbprint")
    return SimpleNamespace(
        key=key,
        account_url=lambda context: AT,
        knows_account=True,
        expects=lambda url: True,
        expect=lambda *urls: None,
        post_as_get=lambda context, url: response,
        directory=lambda context: SimpleNamespace(url_of=lambda name: AT),
        fetch=lambda context, method, url: response,
    )


@given(objects, headers)
def test_objects_of_any_shape(document: dict[str, object], headers: dict[str, str]) -> None:
    response = answer(document, headers)
    client, context = client_of(response), Context(5)
    reads(lambda: to_tcl(get_order(client, context, AT).as_dict()))
    reads(lambda: to_tcl(get_authorization(client, context, AT).as_dict()))
    reads(lambda: refusal(get_authorization(client, context, AT)))
    reads(lambda: to_tcl(get_account(client, context).as_dict()))
    reads(lambda: list_orders(client, context, 5))
    reads(lambda: to_tcl(renewal_info(client, context, "a.b").as_dict()))
    reads(lambda: to_tcl(read_directory(response).as_dict()))


@given(st.one_of(objects, values), headers, st.sampled_from([400, 403, 404, 429, 500, 503]))
def test_problems_of_any_shape(document: object, headers: dict[str, str], status: int) -> None:
    error = problem_error(answer(document, headers, status))
    assert isinstance(error, TosslError)
    assert all(char.isprintable() for char in error.message)
    if isinstance(document, dict):
        assert document_error(document, 0).kind


@given(headers)
def test_headers_of_any_shape(headers: dict[str, str]) -> None:
    response = answer({}, headers)
    assert all(url.startswith("https://") for url in links(response, "next"))
    after = retry_after(response.headers)
    assert after is None or 0 <= after <= 1e12


@given(st.binary(max_size=60))
def test_bytes_of_any_kind(body: bytes) -> None:
    reads(lambda: Response(AT, 200, CaseInsensitiveDict(), body).json_object())


@pytest.mark.parametrize(
    ("body", "is_read"),
    [
        (b'{"status": "a", "status": "b"}', True),
        (b'{"a": NaN}', False),
        (b'{"a": -Infinity}', False),
        (b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}", True),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", False),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, False),
        (b"[" * 900_000, False),
        (b'{"a": ' + b"9" * 5000 + b"}", False),
        (b'{"a": [' + b"[]," * 100_000 + b"1]}", True),
    ],
)
def test_json_is_bounded(body: bytes, is_read: bool) -> None:
    """Of a member that stands there twice the last counts; what is nested more deeply than 100 is no answer."""
    response = Response(AT, 200, CaseInsensitiveDict(), body)
    if is_read:
        assert response.json_object()
    else:
        with pytest.raises(HttpError) as caught:
            response.json_object()
        assert caught.value.kind == "malformed"
