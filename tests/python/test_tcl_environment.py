"""What a script sets in its environment, where Python is the host: os.environ has it, byte for byte."""

from __future__ import annotations

import os
import subprocess
import sys
import tkinter

import pytest

import tossl_acme


@pytest.fixture
def tcl() -> tkinter.Tk:
    interpreter = tkinter.Tcl()
    tossl_acme.register(interpreter)
    return interpreter


def test_what_is_set_and_unset_counts_from_the_next_command_on(tcl: tkinter.Tk) -> None:
    tcl.eval("set ::env(TOSSL_TEST_SAID) h\\u00e9o; tossl::help")
    set_, child = os.environb.get(b"TOSSL_TEST_SAID"), tcl.eval('exec sh -c {printf "%s" "$TOSSL_TEST_SAID"}')
    tcl.eval("unset ::env(TOSSL_TEST_SAID); tossl::help")
    assert set_ == "h\u00e9o".encode(tcl.eval("encoding system"))
    assert child == "h\u00e9o"
    assert b"TOSSL_TEST_SAID" not in os.environb


def test_what_python_sets_stays(tcl: tkinter.Tk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOSSL_TEST_SAID", "by Python")
    tcl.eval("set ::env(TOSSL_TEST_MORE) 1; tossl::help; unset ::env(TOSSL_TEST_MORE)")
    assert os.environ["TOSSL_TEST_SAID"] == "by Python"


_SCRIPT = """
import os, tkinter, tossl_acme
tcl = tkinter.Tcl()
before = dict(os.environb)
tossl_acme.register(tcl)
assert dict(os.environb) == before
tcl.eval("set ::env(TOSSL_TEST_SAID) h\\\\u00e9o; tossl::help")
print(os.environb[b"TOSSL_TEST_SAID"].hex(), os.environb[b"TOSSL_TEST_GIVEN"].hex())
"""


@pytest.mark.parametrize(("locale", "said"), [("C", "68e96f"), ("C.UTF-8", "68c3a96f")])
def test_bytes_are_those_of_a_child(locale: str, said: str) -> None:
    given = {**os.environb, b"LC_ALL": locale.encode(), b"TOSSL_TEST_GIVEN": b"\xe9\xff", b"PYTHONCOERCECLOCALE": b"0"}
    done = subprocess.run([sys.executable, "-c", _SCRIPT], env=given, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{said} e9ff\n", "")
