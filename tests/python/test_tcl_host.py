"""A host with the four methods that every Tcl interpreter has in Python: createcommand, call, eval, splitlist."""

from __future__ import annotations

import tkinter
from collections.abc import Callable

import pytest

import tossl_acme


class BareHost:
    """A tkinter interpreter with no more than that."""

    TclError = tkinter.TclError

    def __init__(self) -> None:
        self._tcl = tkinter.Tcl()

    def createcommand(self, name: str, function: Callable[..., object]) -> None:
        self._tcl.createcommand(name, function)

    def call(self, *words: object) -> str:
        return str(self._tcl.call(*words))

    def eval(self, script: str) -> str:
        return str(self._tcl.eval(script))

    def splitlist(self, text: str) -> tuple[str, ...]:
        return tuple(map(str, self._tcl.splitlist(text)))


@pytest.fixture
def host() -> BareHost:
    host = BareHost()
    tossl_acme.register(host)
    return host


def test_commands_run(host: BareHost) -> None:
    assert host.eval("dict get [tossl::key::generate -type ec] type") == "ec"
    assert host.eval("catch {tossl::acme::create_order nonsense k d} m; set ::errorCode") == "TOSSL KEY format"


def test_a_job_is_refused(host: BareHost) -> None:
    script = "catch {tossl::http::get http://127.0.0.1:9 -command list} message; list $::errorCode $message"
    assert host.splitlist(host.eval(script)) == (
        "TOSSL VALUE command",
        "-command: this interpreter's host has no createfilehandler",
    )
