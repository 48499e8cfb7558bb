"""A CA that wants a binding, and gives one for a mail address: -email alone makes the account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers.certs import Certificates
from tests.servers.pebble import ChallTestSrv, Pebble, new_eab_key
from tests.servers.web import Reply, json_reply
from tests.servers.zerossl import ZeroSslApi, refused
from tests.tclhost import Tcl, new_key
from tossl_acme.acme import public_cas
from tossl_acme.acme.public_cas import PUBLIC_CAS, PublicCa

EMAIL = "me+acme@example.com"


@pytest.fixture(scope="module")
def bound_pebble(challtestsrv: ChallTestSrv, certificates: Certificates) -> Iterator[Pebble]:
    eab = {"kid-1": new_eab_key()}
    with Pebble(dns=challtestsrv.dns, certificates=certificates, eab=eab, nonce_reject=0, authz_reuse=0) as server:
        yield server


@pytest.fixture
def api(bound_pebble: Pebble, certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Iterator[ZeroSslApi]:
    """It gives the bindings that the CA knows."""
    with ZeroSslApi(bound_pebble.eab, certificates) as server:
        cas = (PublicCa("zerossl", bound_pebble.directory, True, server.url), *PUBLIC_CAS[:2])
        monkeypatch.setattr(public_cas, "PUBLIC_CAS", cas)
        yield server


def test_zerossl_alone_is_known_to_give_one() -> None:
    given = {ca.name: ca.binding_url for ca in PUBLIC_CAS if ca.binding_url}
    assert given == {"zerossl": "https://api.zerossl.com/acme/eab-credentials-email"}


def test_an_address_alone_gets_a_certificate(tcl: Tcl, api: ZeroSslApi, bound_pebble: Pebble, tmp_path: Path) -> None:
    options = {"directory": "zerossl", "email": EMAIL, "port": bound_pebble.http_port, "store": tmp_path / "store"}
    assert tcl.dict("obtain_certificate", "mailed.example", **options)["issued"] == "1"
    (request,) = api.requests
    assert request.body == b"email=me%2Bacme%40example.com"
    kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert bound_pebble.eab["kid-1"].encode() not in kept
    assert tcl.dict("renew_certificate", "mailed.example", store=tmp_path / "store", force=1)["issued"] == "1"
    assert len(api.requests) == 1


def test_an_account_that_exists_needs_none(tcl: Tcl, api: ZeroSslApi, bound_pebble: Pebble) -> None:
    key = new_key()
    for _ in range(2):
        assert tcl.acme("create_account", "zerossl", key, EMAIL) == "Account created successfully"
    given = {"eab_kid": "kid-1", "eab_hmac_key": bound_pebble.eab["kid-1"]}
    assert tcl.acme("create_account", "zerossl", new_key(), EMAIL, **given)
    assert len(api.requests) == 1


def test_without_an_address_nothing_is_sent(tcl: Tcl, api: ZeroSslApi, tmp_path: Path) -> None:
    failure = tcl.failure("create_account", "zerossl", new_key(), "", ["tel:+1"])
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")
    assert "give -email, for which it gives one, or -eab_kid" in failure.message
    store = tmp_path / "store"
    failure = tcl.failure("obtain_certificate", "a.example", directory="zerossl", port=5002, store=store)
    assert failure.code == ("TOSSL", "VALUE", "eab_kid")
    assert not api.requests


def test_one_that_the_ca_refuses_is_not_used_again(tcl: Tcl, api: ZeroSslApi, bound_pebble: Pebble) -> None:
    key, good = new_key(), bound_pebble.eab["kid-1"]
    refused_one = ("TOSSL", "ACME", "unauthorized", "403")
    api.answers.append(json_reply({"success": 1, "eab_kid": "kid-9", "eab_hmac_key": good}))
    assert tcl.failure("create_account", "zerossl", key, EMAIL).code == refused_one
    given = {"eab_kid": "kid-9", "eab_hmac_key": good}
    assert tcl.failure("create_account", "zerossl", key, EMAIL, **given).code == refused_one
    assert tcl.acme("create_account", "zerossl", key, EMAIL) == "Account created successfully"
    assert len(api.requests) == 2


def test_none_is_asked_for_before_the_terms_are_agreed_to(tcl: Tcl, api: ZeroSslApi) -> None:
    failure = tcl.failure("create_account", "zerossl", new_key(), EMAIL, agree_tos=0)
    assert failure.code == ("TOSSL", "VALUE", "agree_tos")
    assert not api.requests


def test_a_refusal_is_shown_safely(tcl: Tcl, api: ZeroSslApi) -> None:
    """No key that it repeats, no number without an end, nothing but text."""
    key = "B4dKeyB4dKeyB4dKeyB4dKeyB4dKey"
    said_twice = {"code": "2904", "type": f"eab_hmac_key={key} {key}"}
    errors: list[object] = [said_twice, {"code": 10**4000, "type": {"a": 1}}, True]
    api.answers.extend(json_reply({"success": False, "error": error}) for error in errors)
    failures = [tcl.failure("create_account", "zerossl", new_key(), EMAIL) for _ in errors]
    assert [failure.code[2] for failure in failures] == ["rateLimited", *["externalAccountRequired"] * 2]
    said = [failure.message.partition("gave no binding for -email")[2].partition("; give")[0] for failure in failures]
    assert said[1:] == ["", ""]
    assert "(2904)" in said[0]
    assert key not in repr(failures)


def test_too_many_of_a_day_are_told(tcl: Tcl, api: ZeroSslApi) -> None:
    api.most = 0
    failure = tcl.failure("create_account", "zerossl", new_key(), EMAIL)
    assert failure.code == ("TOSSL", "ACME", "rateLimited", "200")
    assert "too_many_eab_credentials_created_today (2904)" in failure.message


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (refused(2902), ("ACME", "serverInternal", "200")),
        (refused(2903), ("ACME", "serverInternal", "200")),
        (refused(2905), ("ACME", "rateLimited", "200")),
        (refused(2977), ("ACME", "externalAccountRequired", "200")),
        (json_reply({"success": False}), ("ACME", "externalAccountRequired", "200")),
        (json_reply({"success": False, "error": "x" * 5000}), ("ACME", "externalAccountRequired", "200")),
        (json_reply({"success": 1, "eab_kid": "k"}), ("ACME", "externalAccountRequired", "200")),
        (json_reply({"success": 1, "eab_kid": 1, "eab_hmac_key": 2}), ("ACME", "externalAccountRequired", "200")),
        (json_reply({"success": 1, "eab_kid": "k", "eab_hmac_key": "SECRET!"}), ("HTTP", "malformed")),
        (json_reply({"success": 1, "eab_kid": "k k", "eab_hmac_key": "YQ"}), ("HTTP", "malformed")),
        (json_reply(["x"]), ("HTTP", "malformed")),
        (Reply(200, b"<html>"), ("HTTP", "malformed")),
        (Reply(200, b""), ("HTTP", "malformed")),
        (Reply(503, b"<html>", {"Retry-After": "77"}), ("HTTP", "status")),
        (Reply(429, b"slow down", {"Retry-After": "77"}), ("HTTP", "status")),
        (json_reply({}, 429, retry_after="77"), ("ACME", "rateLimited", "429")),
        (json_reply({"success": 1, "eab_kid": "k", "eab_hmac_key": "YQ"}, 500), ("ACME", "serverInternal", "500")),
        (Reply(302, b"", {"Location": "https://127.0.0.1:1/"}), ("HTTP", "status")),
    ],
    ids=lambda value: "" if isinstance(value, tuple) else f"{value.status}-{value.body[:30]!r}",
)
def test_each_answer_is_told(reply: Reply, code: tuple[str, ...], tcl: Tcl, api: ZeroSslApi) -> None:
    api.answers.append(reply)
    failure = tcl.failure("create_account", "zerossl", new_key(), EMAIL)
    assert failure.code == ("TOSSL", *code), failure.message
    assert len(failure.message) < 500
    assert "SECRET!" not in repr(failure)
    if "Retry-After" in reply.headers:
        assert failure.details["retry_after"] == "77"
    if code == ("HTTP", "malformed") and b"success" in reply.body:
        assert "give -eab_kid and -eab_hmac_key" in failure.message
    # Nothing is left of it: the next call asks anew.
    assert tcl.acme("create_account", "zerossl", new_key(), EMAIL) == "Account created successfully"
