"""A child made by os.fork(): what its parent presents and connects is left to the parent."""

from __future__ import annotations

import os
import socket
import tkinter
from http.client import HTTPConnection

import pytest

import tossl_acme
from tests.forked import in_child
from tests.tclhost import new_key
from tossl_acme.challenges import presented
from tossl_acme.context import Context
from tossl_acme.context.farewell import owe
from tossl_acme.errors import ForkedError


@pytest.fixture
def tcl() -> tkinter.Tk:
    interpreter = tkinter.Tcl()
    tossl_acme.register(interpreter)
    return interpreter


def answer(port: int, token: str) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", f"/.well-known/acme-challenge/{token}")
    return connection.getresponse().status


@pytest.fixture
def port(tcl: tkinter.Tk, unused_port: int) -> int:
    tcl.call("tossl::acme::http01_challenge", "a.example.com", "token", new_key(), "-port", str(unused_port))
    return unused_port


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
    return port


def test_the_parents_server_goes_on(port: int) -> None:
    assert in_child(lambda: presented.reset()) == "None"
    assert answer(port, "token") == 200
    presented.reset()


def test_a_child_that_lives_on_holds_no_port(port: int) -> None:
    ours, childs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        childs.send(b"!")
        childs.recv(1)  # until the parent has taken the port again
        os._exit(0)
    childs.close()
    ours.recv(1)
    presented.reset()
    socket.create_server(("127.0.0.1", port)).close()
    ours.close()
    os.waitpid(child, 0)


def test_the_parents_challenge_is_no_business_of_the_child(port: int, tcl: tkinter.Tk) -> None:
    cleaned = in_child(lambda: tcl.call("tossl::acme::cleanup_challenge", "a.example.com", "token", new_key()))
    assert "no challenge with this token is presented" in cleaned
    assert answer(port, "token") == 200
    presented.reset()


def test_the_parents_call_ends_in_the_child() -> None:
    context = Context(60).begin()
    for part in (context, context.narrowed(5), context.for_cleanup()):
        assert in_child(lambda part=part: part.check("answer")) == repr(ForkedError())  # type: ignore[misc]
        part.check("answer")


def test_what_the_parent_owes_is_not_undone_in_the_child() -> None:
    undone: list[int] = []
    debt = owe(lambda _context: undone.append(os.getpid()))
    assert in_child(lambda: (debt.settle(Context(1).begin()), undone)) == "(False, [])"
    assert debt.settle(Context(1).begin())
    assert undone == [os.getpid()]
