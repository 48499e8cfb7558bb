"""When a certificate is due, by a clock that is given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tossl_acme.acme.renewal import RenewalInfo
from tossl_acme.certificates.due import Runs, Suggestion, due_at, is_due, life_due_at

HOUR, DAY = 3600.0, 86400.0
BEGAN = 1_800_000_000.0


def info(start: float, end: float, chosen: float, retry_after: int = 21600) -> RenewalInfo:
    return RenewalInfo(int(start), int(end), int(chosen), "https://ca.example/why", retry_after, {})


@pytest.mark.parametrize(
    ("life", "due"),
    [(90 * DAY, 60 * DAY), (45 * DAY, 30 * DAY), (10 * DAY, 5 * DAY), (6 * DAY, 3 * DAY), (12 * HOUR, 6 * HOUR)],
)
def test_a_share_of_its_life(life: float, due: float) -> None:
    """Two thirds; half where it is 10 days or less."""
    assert life_due_at(BEGAN, BEGAN + life) == pytest.approx(BEGAN + due)
    assert due_at(BEGAN, BEGAN + life, Suggestion()) == pytest.approx(BEGAN + due)


def test_more_than_ten_days_is_long() -> None:
    assert life_due_at(0, 10 * DAY + 1) == pytest.approx(2 / 3 * (10 * DAY + 1))


def test_the_time_chosen_stays_until_the_window_changes() -> None:
    first = Suggestion().answered(info(BEGAN, BEGAN + DAY, BEGAN + 5), BEGAN)
    again = first.answered(info(BEGAN, BEGAN + DAY, BEGAN + 77), BEGAN + HOUR)
    assert (first.chosen, again.chosen) == (BEGAN + 5, BEGAN + 5)
    moved = again.answered(info(BEGAN, BEGAN + 2 * DAY, BEGAN + 99), BEGAN + HOUR)
    assert moved.chosen == BEGAN + 99
    assert due_at(BEGAN - DAY, BEGAN + 90 * DAY, moved) == BEGAN + 99


def test_retry_after_is_kept() -> None:
    known = Suggestion().answered(info(BEGAN, BEGAN + DAY, BEGAN, 600), BEGAN)
    ends = BEGAN + 90 * DAY
    assert not known.may_ask(BEGAN + 599, ends)
    assert known.may_ask(BEGAN + 600, ends)
    assert Suggestion().may_ask(BEGAN, ends)


def test_a_certificate_that_has_expired_is_not_asked_about() -> None:
    """RFC 9773 section 4.3."""
    assert not Suggestion().may_ask(BEGAN, BEGAN)
    assert Suggestion().may_ask(BEGAN, BEGAN + 1)


def test_a_failure_keeps_the_window_and_waits_six_hours() -> None:
    """RFC 9773 section 4.3.3; less in a short life."""
    known = (
        Suggestion().answered(info(BEGAN, BEGAN + DAY, BEGAN + 5), BEGAN).failed(BEGAN + DAY, BEGAN, 90 * DAY + BEGAN)
    )
    assert (known.start, known.end, known.chosen) == (BEGAN, BEGAN + DAY, BEGAN + 5)
    assert known.retry_at == BEGAN + DAY + 6 * HOUR
    short = Suggestion().failed(BEGAN, BEGAN, BEGAN + 12 * HOUR)
    assert short.retry_at == pytest.approx(BEGAN + 1.2 * HOUR)
    assert due_at(BEGAN, BEGAN + 12 * HOUR, short) == BEGAN + 6 * HOUR


@pytest.mark.parametrize("window", [(80, 100), (89, 90), (1000, 2000)])
def test_no_window_lets_it_expire(window: tuple[float, float]) -> None:
    start, end = (BEGAN + day * DAY for day in window)
    known = Suggestion().answered(info(start, end, end - 1), BEGAN)
    assert due_at(BEGAN, BEGAN + 90 * DAY, known) == BEGAN + 0.95 * 90 * DAY


def test_a_window_in_the_past_is_due_at_once() -> None:
    """A mass revocation."""
    known = Suggestion().answered(info(BEGAN - 2 * DAY, BEGAN - DAY, BEGAN - DAY - 9), BEGAN)
    assert is_due(due_at(BEGAN - 3 * DAY, BEGAN + 87 * DAY, known), BEGAN, 0)


def test_a_clock_that_was_set_back_is_no_reason_to_wait() -> None:
    known = Suggestion().failed(BEGAN + 365 * DAY, BEGAN, BEGAN + 900 * DAY)
    assert known.may_ask(BEGAN, BEGAN + 900 * DAY)
    assert not known.may_ask(known.asked_at - 60, BEGAN + 900 * DAY)


def test_a_suggestion_comes_back_from_json() -> None:
    known = Suggestion().answered(info(BEGAN, BEGAN + DAY, BEGAN + 5), BEGAN)
    assert Suggestion.from_json(json.loads(json.dumps(known.as_json()))) == known


@pytest.mark.parametrize("data", [None, 7, [], "x", {}, {"start": "x"}, {"start": 1, "end": 2, "chosen": True}])
def test_of_a_damaged_suggestion_nothing_is_known(data: Any) -> None:
    assert Suggestion.from_json(data) == Suggestion()


def test_due_before_the_next_run() -> None:
    """For what is woken by cron (RFC 9773 section 4.2, step 5)."""
    assert is_due(BEGAN, BEGAN, 0)
    assert not is_due(BEGAN + 1, BEGAN, 0)
    assert is_due(BEGAN + 59, BEGAN, 60)
    assert not is_due(BEGAN + 60, BEGAN, 60)


def test_the_interval_is_the_usual_one() -> None:
    """Neither a run by hand nor a suspend makes it another."""
    runs = Runs()
    assert runs.with_run(BEGAN).interval == 0
    for at in (0, 1, 2, 3, 3.1):
        runs = runs.with_run(BEGAN + at * HOUR)
    assert runs.interval == HOUR
    slept = runs.with_run(BEGAN + 21 * DAY)
    assert slept.interval == HOUR
    assert Runs.from_json(json.loads(json.dumps(slept.as_json()))).at == slept.at
    assert len(slept.with_run(BEGAN + 22 * DAY).with_run(BEGAN + 23 * DAY).at) == 6


def test_runs_of_a_clock_that_was_set_back_are_forgotten() -> None:
    assert Runs((BEGAN + DAY, BEGAN + 2 * DAY)).with_run(BEGAN).at == (BEGAN,)


@pytest.mark.parametrize("value", [10**400, float("inf"), float("-inf"), float("nan"), 1e300])
@pytest.mark.parametrize("member", ["start", "end", "chosen", "asked_at", "retry_at"])
def test_a_time_beyond_reason_is_damaged(member: str, value: float) -> None:
    known = Suggestion().answered(info(BEGAN, BEGAN + DAY, BEGAN + 5), BEGAN)
    assert Suggestion.from_json({**known.as_json(), member: value}) == Suggestion()


def test_one_gap_makes_nothing_due() -> None:
    """A machine without a clock of its own begins in 1970: that is no interval, in this run and those that follow."""
    runs = Runs((60.0,)).with_run(BEGAN)
    assert runs.interval == 0
    assert runs.with_run(BEGAN + HOUR).interval == HOUR


@pytest.mark.parametrize("data", [None, {}, ["x"], "x", [10**400], [float("inf")], [float("nan")]], ids=repr)
def test_damaged_runs_are_none(data: Any) -> None:
    assert Runs.from_json(data).at == ()
