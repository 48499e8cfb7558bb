"""What a thread of this package raises reaches whoever waits for it, and never the program's standard error."""

from __future__ import annotations

import ast
import threading
from pathlib import Path

import pytest

import tossl_acme
from tossl_acme.context import Context
from tossl_acme.context.beside import Beside
from tossl_acme.context.threads import start_thread
from tossl_acme.context.workers import Workers

_PACKAGE = Path(tossl_acme.__file__).parent
_ERRORS = [ValueError("a defect"), SystemExit(3), KeyboardInterrupt()]


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", _ERRORS, ids=repr)
def test_an_error_ends_its_thread_in_silence(error: BaseException, capfd: pytest.CaptureFixture[str]) -> None:
    start_thread("tossl test", lambda: _raise(error)).join()
    assert capfd.readouterr() == ("", "")


def test_the_programs_own_threads_keep_their_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    start_thread("tossl test", lambda: _raise(ValueError())).join()
    own = threading.Thread(target=lambda: _raise(KeyError()))
    own.start()
    own.join()
    assert seen == [KeyError]


@pytest.mark.parametrize("error", _ERRORS, ids=repr)
def test_who_waits_for_work_gets_its_error(
    error: BaseException, context: Context, capfd: pytest.CaptureFixture[str]
) -> None:
    """A library that ends the program does not end the host, nor does the call wait for it until its deadline."""
    with pytest.raises((ValueError, RuntimeError), match=r"a defect|SystemExit|KeyboardInterrupt"):
        context.run(lambda: _raise(error), "work")
    assert capfd.readouterr() == ("", "")


def test_work_that_raises_ends_no_worker(capfd: pytest.CaptureFixture[str]) -> None:
    workers = Workers("tossl test", 1)
    done = threading.Event()
    workers.put(lambda: _raise(ValueError()))
    workers.put(done.set)
    assert done.wait(20)
    workers.close()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("error", _ERRORS, ids=repr)
def test_who_waits_for_work_beside_does_not_wait_for_ever(
    error: BaseException, context: Context, capfd: pytest.CaptureFixture[str]
) -> None:
    Beside(lambda: _raise(error)).wait(context, "work")
    assert capfd.readouterr() == ("", "")


def test_all_threads_begin_in_few_places() -> None:
    """Which catches what they raise; in two, one of which loads little."""
    starters = {"Thread", "Timer", "start_new_thread", "ThreadPoolExecutor", "ThreadingMixIn", "to_thread"}
    found = {
        path.relative_to(_PACKAGE).as_posix()
        for path in _PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", "")) in starters
    }
    assert found == {"context/threads.py", "context/beside.py"}
