"""The log of the process, below Python's logging: its loggers are tossl.acme, tossl.http, tossl.dns, tossl.store, ...

Whoever has something to log calls event(). `logging` is not imported for that: without it nobody can have asked for a
log. handlers.py has the places where records go: a file, standard error, prefixes of scripts.

A Python host sees and configures the same by logging.getLogger("tossl"); a record's facts are its attribute `tossl`.
"""

from __future__ import annotations

import sys

from ..text import quoted, safe, without_credentials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from logging import Logger
    from typing import Protocol

    class Reader(Protocol):
        """Gets records from any thread, in order; must neither wait nor raise."""

        def put(self, level: str, message: str, facts: dict[str, object]) -> None: ...

        def deliver(self) -> None:
            """Hands on what it has got, if this is its thread. No lock is held by whoever calls."""


#: logging's own numbers.
DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
LEVELS = {"error": ERROR, "warning": WARNING, "info": INFO, "debug": DEBUG}
ROOT = "tossl"
#: Characters of a record, and of one of its facts.
_MOST_CHARS = 3900
_MOST_FACT_CHARS = 1000
#: Facts of a record; and items of a list.
_MOST_FACTS = 30

#: The loggers of this process, by name.
_loggers: dict[str, Logger] = {}
#: Those who read the log from within the process.
_readers: list[Reader] = []


def wants(name: str, level: int) -> bool:
    """Returns whether anybody wants events of this level: for those who would have to find out what to say."""
    return "logging" in sys.modules and _logger(name).isEnabledFor(level)


def event(name: str, level: int, text: str, issuance: str = "", /, **facts: object) -> None:
    """Logs what happened, where anybody wants that.

    name: a logger's, below "tossl". issuance: the id of the issuance that it is part of. The one place where all that
    is logged is made safe: a URL loses user, password, query and fragment, a PEM block its text; each text is cut, and
    on one line. A fact that is empty is left out.
    """
    if not wants(name, level):
        return
    known = {"issuance": issuance, **facts} if issuance else facts
    shown = {key: shown_fact(fact) for key, fact in list(known.items())[:_MOST_FACTS] if fact not in ("", None)}
    begin = f"[{issuance}] " if issuance else ""
    words = "".join(f" {key}={_as_word(str(fact))}" for key, fact in shown.items() if key != "issuance")
    message = safe(f"{begin}{without_secrets(text)}{words}", _MOST_CHARS)
    _logger(name).log(level, "%s", message, extra={"tossl": shown})


def shown_fact(fact: object) -> object:
    """Returns a fact as the log may show it: a number, or a text made safe."""
    if isinstance(fact, int | float):
        return fact
    if isinstance(fact, (list, tuple)):
        return " ".join(str(shown_fact(one)) for one in fact[:_MOST_FACTS])
    if isinstance(fact, dict):
        return f"{len(fact)} members"
    return safe(without_secrets(str(fact)), _MOST_FACT_CHARS)


def without_secrets(text: str) -> str:
    """Returns the text without blocks of PEM, and with each URL in it as it may be shown."""
    if "://" not in text and "-----" not in text:
        return text
    import re

    text = re.sub(r"-----BEGIN [^-]*-----.*?(-----END [^-]*-----|$)", "(hidden)", text, flags=re.DOTALL)
    return re.sub(r"[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s\"'<>]+", _shown_url, text)


def _shown_url(found: object) -> str:
    url: str = found[0]  # type: ignore[index]
    bare = url.rstrip(".,;:!)]")
    return without_credentials(bare) + url[len(bare) :]


def _as_word(text: str) -> str:
    return f'"{text}"' if " " in text or not text else text


def _logger(name: str) -> Logger:
    found = _loggers.get(name)
    if found is None:
        import logging

        root = logging.getLogger(ROOT)
        if not root.handlers:  # else Python would write warnings to standard error, which nobody asked for
            root.addHandler(logging.NullHandler())
        found = _loggers[name] = logging.getLogger(name)
    return found


def level_number(word: str) -> int:
    """Returns logging's number of a level. Raises ArgumentError `level`."""
    if word in LEVELS:
        return LEVELS[word]
    from ..errors import ArgumentError

    *others, last = LEVELS
    raise ArgumentError("level", f"{quoted(word)} is no level: must be off, {', '.join(others)} or {last}")


# ---- readers within the process ----


def add_reader(reader: Reader) -> None:
    """Has a reader get each record from now on."""
    _readers.append(reader)


def remove_reader(reader: Reader) -> None:
    """Undoes add_reader(). For any thread; does nothing for one that is none."""
    if reader in _readers:
        _readers.remove(reader)


def put(level: str, message: str, facts: Mapping[str, object]) -> None:
    """Gives a record to all readers."""
    for reader in tuple(_readers):
        reader.put(level, message, dict(facts))


def deliver() -> None:
    """Has the readers of this thread hand on what they have got. Holds no lock, and must be called with none."""
    for reader in tuple(_readers):
        reader.deliver()


def has_readers() -> bool:
    """Returns whether there are any."""
    return bool(_readers)


def reset() -> None:
    """Forgets readers and loggers."""
    _readers.clear()
    _loggers.clear()
