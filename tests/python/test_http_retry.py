"""Pauses between attempts: never shorter than the caller's, never longer than anybody waits, within the context."""

from __future__ import annotations

import email.utils
import time

import pytest

from tossl_acme.context import Context
from tossl_acme.errors import Cancelled, HttpError
from tossl_acme.http.response import Response, http_date
from tossl_acme.http.retry import MAX_RETRY_AFTER_SECONDS, Retries, with_retries

URL = "https://ca.example/"


class Quick(Context):
    """Sleeps without waiting, and keeps for how long; its time goes by."""

    def __init__(self, limit: float = 1000.0) -> None:
        super().__init__(limit)
        self.slept: list[float] = []

    def sleep(self, seconds: float, what: str) -> None:
        self.slept.append(seconds)
        self.limit -= seconds
        self.check(what)


def busy(retry_after: str = "", status: int = 503) -> Response:
    return Response(URL, status, {"Retry-After": retry_after} if retry_after else {}, b"")


def retries(context: Context) -> Retries:
    return Retries(context, (1.0, 2.0, 4.0), lambda response: response.status == 503)


@pytest.mark.parametrize("asked", ["", "0", "-5", "soon", "Thu, 01 Jan 1970 00:00:00 GMT", "0.5", "1e9", "\u0661"])
def test_what_asks_for_nothing_does_not_shorten_the_pauses(asked: str) -> None:
    """Retry-After: 0 is no invitation to a burst."""
    context = Quick()
    assert with_retries(retries(context), lambda: busy(asked)).status == 503
    assert context.slept == [1.0, 2.0, 4.0]


def test_a_peer_may_ask_for_longer() -> None:
    context = Quick()
    with_retries(retries(context), lambda: busy("3"))
    assert context.slept == [3.0, 3.0, 4.0]


def test_a_date_is_seconds_from_now() -> None:
    context = Quick()
    with_retries(retries(context), lambda: busy(email.utils.formatdate(time.time() + 100, usegmt=True)))
    assert all(98 <= seconds <= 101 for seconds in context.slept)


@pytest.mark.parametrize("form", ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"])
def test_a_date_is_in_gmt_in_each_of_its_forms(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9110 section 5.6.7: asctime's names no zone, and this machine is elsewhere."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        assert http_date(time.strftime(form, time.gmtime(784111777))) == 784111777
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("asked", ["301", "999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_whoever_wants_to_be_left_alone_is(asked: str) -> None:
    """The answer is the caller's, which can show it."""
    assert MAX_RETRY_AFTER_SECONDS == 300
    context = Quick(1e12)
    assert with_retries(retries(context), lambda: busy(asked)).status == 503
    assert context.slept == []


def test_no_pause_outlives_the_context() -> None:
    """It would be the last thing that is done in it."""
    context = Quick(2.5)
    with_retries(retries(context), lambda: busy())
    assert context.slept == [1.0]


def test_what_is_final_for_the_caller_is() -> None:
    context = Quick()
    assert with_retries(retries(context), lambda: busy("1", 404)).status == 404
    assert context.slept == []


@pytest.mark.parametrize(
    ("kind", "pauses"), [("connect", 3), ("reset", 3), ("tls", 0), ("malformed", 0), ("too_large", 0), ("dns", 0)]
)
def test_a_lost_connection_is_tried_again(kind: str, pauses: int) -> None:
    """What would fail again is not. The last failure is raised."""

    def fail() -> Response:
        raise HttpError(kind, "no")

    context = Quick()
    with pytest.raises(HttpError):
        with_retries(retries(context), fail)
    assert len(context.slept) == pauses


def test_the_first_good_answer_is_the_answer() -> None:
    answers = [busy(), busy(), Response(URL, 200, {}, b"ok")]
    assert with_retries(retries(Quick()), lambda: answers.pop(0)).body == b"ok"


def test_a_pause_can_be_cancelled_and_is_told() -> None:
    steps: list[dict[str, object]] = []
    context = Context(60).begin(listener=lambda facts: (steps.append(facts), context.cancel()))  # type: ignore[func-returns-value]
    with pytest.raises(Cancelled):
        with_retries(Retries(context, (30.0,), lambda _response: True, "provider", "dns_retry"), busy)
    assert steps == [{"step": "dns_retry", "seconds": 30.0, "message": "status 503"}]
