"""Commands for testing the way between Tcl and Python: ::tossl::probe::*."""

from __future__ import annotations

import _signal
import os
import sys
import threading

from tossl_acme.context import Context
from tossl_acme.context import seconds as within
from tossl_acme.errors import AcmeError, ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from tossl_acme.tcl.callbacks import Callback
    from tossl_acme.tcl.host import TclHost
    from tossl_acme.tcl.interpreter import Interpreter


def echo(text: str) -> str:
    """What it is given."""
    return text


def points(text: str) -> list[int]:
    """The code points of a text, as Python sees them."""
    return [ord(character) for character in text]


def text(points: list[str]) -> str:
    """The text with these code points."""
    return "".join(chr(int(point)) for point in points)


def size(text: str) -> int:
    """How many characters."""
    return len(text)


def types(
    first: str,
    second: int = 2,
    third: str = "",
    *,
    whole: int = 0,
    share: float = 0.5,
    yes: bool = False,
    names: list[str] | None = None,
    pairs: dict[str, str] | None = None,
    plain: str | None = None,
) -> dict[str, object]:
    """Its arguments, as Python sees them."""
    values = {"first": first, "second": second, "third": third, "whole": whole, "share": share, "yes": yes}
    return {name: repr(value) for name, value in {**values, "names": names, "pairs": pairs, "plain": plain}.items()}


def domains(domains: list[str]) -> list[str]:
    """A list given back."""
    return domains


def nested() -> dict[str, object]:
    """Every kind of result."""
    return {
        "true": True,
        "false": False,
        "none": None,
        "int": -7,
        "big": 10**30,
        "float": 1.5,
        "bytes": b"\x00\xff",
        "list": ["a b", "", "{"],
        "tuple": (1, (2, 3)),
        "dict": {"k 1": {"x": "y"}, "empty": {}},
    }


def deep(levels: int, *, context: Context = within(5)) -> dict[str, object]:
    """An object in an object, and so on."""
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"in": [value]}
    return value


def fail(kind: str, *, secret: str = "") -> str:
    """Fails."""
    if kind == "argument":
        raise ArgumentError("kind", "that is wrong")
    if kind == "acme":
        details = {"type": "urn:ietf:params:acme:error:rateLimited", "status": 429, "retry_after": 3600}
        raise AcmeError("too many", "rateLimited", 429, details)
    if kind == "deep":
        raise AcmeError("too deep", "malformed", 400, {"problem": deep(2000)})
    raise KeyError(secret)


def quiet(text: str) -> None:
    """Nothing."""


def list_() -> list[str]:
    """A function whose name is a Python word."""
    return ["listed"]


def thread() -> int:
    """The thread it runs in."""
    return threading.get_ident()


def blocked(*, context: Context = within(5)) -> int:
    """How many signals the thread that it runs in does not take."""
    return len(_signal.pthread_sigmask(_signal.SIG_BLOCK, []))


def import_(names: list[str]) -> None:
    """Loads Python modules."""
    for name in names:
        __import__(name)


def place(*, place: Place, context: Context = within(5)) -> list[object]:  # type: ignore[name-defined] # noqa: F821
    """Where the object of the group was made, and where this function runs."""
    return [place, threading.get_ident()]


def encrypt(*, context: Context = within(5)) -> str:
    """Has OpenSSL keep something for the thread that it runs in."""
    import ssl

    ssl.create_default_context()
    return ssl.RAND_bytes(8).hex()


def modules() -> list[str]:
    """What is loaded."""
    return sorted(sys.modules)


def environment(name: str) -> str:
    """A variable of the environment."""
    return os.environ.get(name, "")


def environment_bytes(name: str) -> bytes:
    """A variable of the environment, byte for byte."""
    return os.environb.get(os.fsencode(name), b"")


def environment_size() -> int:
    """How many variables Python sees."""
    return len(os.environ)


def tcl(script: str, *, interpreter: Interpreter) -> str:
    """Evaluates a script from within."""
    return str(interpreter.host.eval(script))


_KINDS: dict[str, object] = {
    "text": "a\0\u00e9\U0001f600\ud83d",
    "int": 7,
    "bytes": b"\x00\xff",
    "list": ["a b", ("x", ["1", b"\x00\xff"]), ""],
    "none": None,
    "bad list": ["x" * 100, ["y", None]],
    "raise": None,
    "arguments": None,
}
_endless: list[object] = []
_endless.append(_endless)
_KINDS["endless"] = _endless


def kinds() -> list[str]:
    """What a defined command may return."""
    return list(_KINDS)


def define(name: str, kind: str, *, interpreter: Interpreter) -> None:
    """Creates a command straight at the host."""

    def raw(*words: str) -> object:
        if kind == "raise":
            raise KeyError(name)
        return words if kind == "arguments" else _KINDS[kind]

    interpreter.host.createcommand(name, raw)  # type: ignore[arg-type]


def refusals(*, interpreter: Interpreter) -> list[str]:
    """What the host answers to what cannot be done."""
    host: Any = interpreter.host
    tries: list[Callable[[], object]] = [
        lambda: host.call("error", "message", "info", "code \0"),
        lambda: host.splitlist("{"),
        lambda: host.eval(object()),
        lambda: host.createcommand(1, 2),
    ]
    found = [_refusal(attempt) for attempt in tries]
    thread = threading.Thread(target=lambda: found.append(_refusal(lambda: host.eval("exit 1"))))
    thread.start()
    thread.join()
    return found


_kept: list[TclHost] = []


def keep(*, interpreter: Interpreter) -> None:
    """Keeps the host beyond its interpreter's end."""
    _kept.append(interpreter.host)


def stale() -> list[str]:
    """What kept hosts answer."""
    found = [_refusal(lambda host=host: host.eval("set x 1")) for host in _kept]
    _kept.clear()
    return found


def _refusal(attempt: Callable[[], object]) -> str:
    try:
        return str(attempt())
    except Exception as error:  # noqa: BLE001 - which one is what is asked
        return type(error).__name__


def wait(
    seconds: float, what: str = "nothing", *, loud: bool = False, context: Context = within(5)
) -> dict[str, object]:
    """Waits on its context."""
    context.tell("waiting", seconds=seconds)
    context.sleep(seconds, what)
    context.tell("waited")
    return {"waited": seconds, "loud": loud, "limit": context.limit}


def late(seconds: float, *, context: Context = within(5)) -> None:
    """Tells a step when it is over already."""
    threading.Timer(seconds, context.tell, ("late",)).start()


def ask(prefix: Callback, value: str, *, context: Context = within(5)) -> str:
    """What the prefix returns for a value."""
    return prefix.call(context, value)


_kept_callbacks: list[Callback] = []


def keep_callback(prefix: Callback) -> None:
    """Keeps a prefix for ask_kept(), and has its interpreter listen."""
    assert prefix.events is not None
    prefix.events.hold()
    _kept_callbacks[:] = [prefix]


def ask_kept(value: str, *, context: Context = within(5)) -> str:
    """What the prefix that some interpreter has kept returns for a value."""
    return _kept_callbacks[0].call(context, value)


COMMANDS = (
    blocked, import_, encrypt,
    echo, points, text, size, types, domains, nested, deep, fail, quiet, list_, thread, place, modules, environment,
    environment_bytes, environment_size, tcl, wait,
    late, ask, keep_callback, ask_kept, kinds, define, refusals, keep, stale,
)  # fmt: skip
