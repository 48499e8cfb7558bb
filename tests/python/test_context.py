"""Waiting within a context: work in threads, pauses, and whoever ends first."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from tossl_acme.context import Backoff, Context
from tossl_acme.errors import ArgumentError, Cancelled, HttpError, ResourceError, WaitTimeout


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    """Work waits for it; it is set after the test."""
    event = threading.Event()
    yield event
    event.set()


def test_work_in_a_thread_returns_and_raises() -> None:
    """As if it were called here."""
    context = Context(10).begin()
    here = threading.get_ident()
    assert context.run(threading.get_ident, "work") != here
    with pytest.raises(ZeroDivisionError):
        context.run(lambda: 1 // 0, "work")


def test_work_is_left_when_the_context_is_over(stuck: threading.Event) -> None:
    """By its time, by a limit of the work alone, or because it was cancelled."""
    with pytest.raises(WaitTimeout) as raised:
        Context(0.05).begin().run(stuck.wait, "something")
    assert raised.value.errorcode == ("TOSSL", "TIMEOUT", "something")
    with pytest.raises(TimeoutError):
        Context(10).begin().run(stuck.wait, "something", 0.05)
    context = Context(10).begin()
    context.cancel()
    with pytest.raises(Cancelled):
        context.run(stuck.wait, "something")


def test_results_come_as_they_are_ready(stuck: threading.Event) -> None:
    """Not in the order in which the work was begun."""
    ready = {"slow": stuck, "quick": threading.Event()}
    ready["quick"].set()
    results = Context(10).begin().run_each(lambda name: ready[name].wait(20), ["slow", "quick"], "work")
    assert next(results) == ("quick", True)
    stuck.set()
    assert list(results) == [("slow", True)]


def test_nothing_to_do_is_done() -> None:
    assert list(Context(10).begin().run_each(str, [], "work")) == []


def test_a_hundred_pieces_of_work_are_done_at_a_time() -> None:
    """The DNS servers of a hundred zones are 800: a host has neither so many threads to spare nor descriptors."""
    before, seen, meeting = threading.active_count(), [], threading.Barrier(100)

    def work(item: int) -> int:
        if item < 100:
            meeting.wait(20)
        seen.append(threading.active_count() - before)
        return item

    assert sorted(item for item, _ in Context(60).begin().run_each(work, range(250), "work")) == list(range(250))
    assert max(seen) <= 100


def test_no_thread_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process may be out of them."""

    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(ResourceError) as raised:
        Context(10).begin().run(int, "work")
    assert raised.value.errorcode == ("TOSSL", "RESOURCE", "threads")


def test_pauses_double_up_to_a_bound() -> None:
    backoff = Backoff(0.25, 1.0)
    assert [backoff.next() for _ in range(5)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert Backoff(3.0, 1.0).next() == 1.0


def test_work_is_done_once_while_an_answer_is_awaited(context: Context) -> None:
    done: list[str] = []
    with context.meanwhile(lambda: done.append("in the wait")):
        assert done == []
        context.aside().work_meanwhile()  # another thread's
        assert done == []
        context.narrowed(1.0).work_meanwhile()
        assert done == ["in the wait"]
        context.work_meanwhile()
    with context.meanwhile(lambda: done.append("at the end")):
        pass
    assert done == ["in the wait", "at the end"]


def test_work_is_done_also_where_no_answer_comes(context: Context) -> None:
    """An error of the work is raised, unless the block has raised another."""

    def fail() -> None:
        done.append("failed")
        raise ArgumentError("store", "the disk is full")

    done: list[str] = []
    with pytest.raises(HttpError), context.meanwhile(lambda: done.append("done")):
        raise HttpError("connect", "no connection")
    with pytest.raises(HttpError), context.meanwhile(fail):
        raise HttpError("connect", "no connection")
    with pytest.raises(ArgumentError), context.meanwhile(fail):
        pass
    with pytest.raises(ArgumentError), context.meanwhile(fail):
        context.work_meanwhile()
        done.append("answered")
    assert done == ["done", "failed", "failed", "failed", "answered"]
