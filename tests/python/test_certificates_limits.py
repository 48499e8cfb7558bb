"""The table of pauses, and what the CA told: by a clock that is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tossl_acme.certificates.limits import Limits, check_may_ask, limits_name, pause_seconds
from tossl_acme.errors import AcmeError, ArgumentError, DnsError, HttpError, RetryError, TosslError
from tossl_acme.identifiers import parse_identifiers

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
AT = 1_800_000_000.0
DOWN = HttpError("connect", "nobody there")


def refused(kind: str, **details: object) -> AcmeError:
    return AcmeError(f"no [{kind}]", kind, 429, details)


def after(*failures: tuple[TosslError, float]) -> Limits:
    limits = Limits()
    for error, at in failures:
        limits = limits.failed(error, at)
    return limits


def wait_of(limits: Limits, at: float, not_after: float | None = None, **how: bool) -> int | None:
    """The seconds of TOSSL RETRY; None where the CA may be asked."""
    try:
        check_may_ask(limits, at, not_after, by_itself=how.get("by_itself", False), force=how.get("force", False))
    except RetryError as error:
        assert error.errorcode == ("TOSSL", "RETRY", str(error.seconds))
        assert error.details["retry_after"] == error.seconds
        return error.seconds
    return None


@pytest.mark.parametrize(
    ("failures", "life_left", "pause"),
    [
        (0, 30 * DAY, 0),
        (1, 30 * DAY, MINUTE),
        (2, 30 * DAY, 10 * MINUTE),
        (3, 30 * DAY, 100 * MINUTE),
        (4, 30 * DAY, DAY),
        (40, 30 * DAY, DAY),
        (4, None, DAY),
        (4, 5 * DAY, 12 * HOUR),
        (4, 6 * HOUR, 36 * MINUTE),
        (2, 6 * HOUR, 10 * MINUTE),
        (3, 10 * MINUTE, MINUTE),
        (4, 1, MINUTE),
        (4, 0, MINUTE),
        (4, -10 * HOUR, HOUR),
        (4, -90 * DAY, DAY),
    ],
)
def test_the_table(failures: int, life_left: float | None, pause: float) -> None:
    """1, 10, 100 minutes, then a day; never longer than a tenth of the life left, at least a minute."""
    assert pause_seconds(failures, life_left) == pytest.approx(pause)


def test_a_short_life_survives_a_night() -> None:
    """The CA is down for five hours from the time that a certificate of 12 hours is due."""
    ends, at, limits, tries = AT + 6 * HOUR, AT, Limits(), 0
    while at < AT + 5 * HOUR:
        limits, tries = limits.failed(DOWN, at), tries + 1
        at += limits.pause_left(at, ends)
    assert at < ends
    assert 5 < tries < 30


def test_who_comes_by_itself_keeps_the_pause() -> None:
    limits = after((DOWN, AT))
    assert wait_of(limits, AT + 1, by_itself=True) == 59
    assert wait_of(limits, AT + 60, by_itself=True) is None
    assert wait_of(limits, AT + 1, by_itself=True, force=True) is None
    assert wait_of(limits, AT + 1) is None


def test_who_asks_by_name_fails_three_times_an_hour() -> None:
    limits = after((DOWN, AT), (DOWN, AT + 100))
    assert wait_of(limits, AT + 100) is None
    limits = limits.failed(DOWN, AT + 200)
    assert wait_of(limits, AT + 300) == 3300
    assert wait_of(limits, AT + 300, force=True) is None
    assert wait_of(limits, AT + 3600) is None
    limits = limits.failed(DOWN, AT + 3600)
    assert wait_of(limits, AT + 3600) == 100


def test_what_was_only_written_wrong_is_not_counted_in_the_hour() -> None:
    wrong = ArgumentError("webroot", "no such folder")
    limits = after((wrong, AT), (wrong, AT), (wrong, AT), (wrong, AT))
    assert wait_of(limits, AT) is None
    assert wait_of(limits, AT, by_itself=True) == DAY


@pytest.mark.parametrize("how", [{}, {"force": True}, {"by_itself": True}])
def test_retry_after_is_kept_to_the_second(how: dict[str, bool]) -> None:
    limits = after((refused("rateLimited", retry_after=7200), AT))
    assert wait_of(limits, AT + 7199, **how) == 1
    assert wait_of(limits, AT + 7200, **how) is None


@pytest.mark.parametrize("kind", ["rateLimited", "userActionRequired"])
def test_a_pause_of_the_ca_is_lifted_by_a_person(kind: str) -> None:
    visit = "https://ca.example/unpause?jwt=abc"
    limits = after((refused(kind, visit=visit), AT))
    assert limits.paused
    with pytest.raises(RetryError, match=r"https://ca\.example/unpause") as raised:
        check_may_ask(limits, AT + 365 * DAY, None, by_itself=True, force=False)
    assert raised.value.details["visit"] == visit
    assert wait_of(limits, AT + 1) is None


def test_a_rate_limit_with_a_page_about_it_is_no_pause() -> None:
    limits = after((refused("rateLimited", visit="https://ca.example/docs", retry_after=60), AT))
    assert not limits.paused
    assert wait_of(limits, AT + 60, by_itself=True) is None


def test_the_next_failure_says_what_holds() -> None:
    limits = after((refused("userActionRequired", visit="https://ca.example/x"), AT), (DOWN, AT + 60))
    assert not limits.paused
    assert not limits.visit
    assert limits.failures == 2


def test_a_clock_that_was_set_back_is_no_reason_to_wait() -> None:
    limits = after(*[(refused("rateLimited", retry_after=DAY), AT + 365 * DAY)] * 4)
    for how in ({}, {"by_itself": True}):
        assert wait_of(limits, AT, **how) is None
    assert wait_of(limits, AT + 365 * DAY - 60) == DAY + 60


def test_limits_come_back_from_json() -> None:
    limits = after((DOWN, AT), (refused("userActionRequired", visit="https://ca.example/x", retry_after=9), AT + 1))
    assert Limits.from_json(json.loads(json.dumps(limits.as_json()))) == limits


@pytest.mark.parametrize("value", [10**400, float("inf"), float("nan"), None, "7"], ids=repr)
@pytest.mark.parametrize("member", ["failures", "failed_at", "retry_at"])
def test_a_number_beyond_reason_is_damaged(member: str, value: object) -> None:
    with pytest.raises(ValueError, match="numbers"):
        Limits.from_json({**Limits().as_json(), member: value})


@pytest.mark.parametrize("data", [None, 7, [], {}, {"failures": "x"}, {**Limits().as_json(), "recent": 7}])
def test_damaged_limits_are_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        Limits.from_json(data)


def test_a_set_of_names_has_no_order() -> None:
    one, other = (parse_identifiers(names) for names in (["a.example", "b.example"], ["B.example", "a.example"]))
    assert limits_name("https://ca.example", one) == limits_name("https://ca.example", other)
    assert limits_name("https://ca.example", one) != limits_name("https://another.example", one)
    assert limits_name("https://ca.example", one) != limits_name("https://ca.example", one[:1])


def test_a_dns_providers_rate_limit_is_not_the_cas() -> None:
    error = DnsError("desec", "refused", "deSEC answered 429: Request was throttled.")
    error.details["retry_after"] = 3600
    assert wait_of(after((error, AT)), AT + 1, force=True) is None
    assert wait_of(after((refused("rateLimited", retry_after=3600), AT)), AT + 1, force=True) == 3599
