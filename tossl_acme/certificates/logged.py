"""An issuance in the log: its id, its beginning and its end; where it failed, what to do."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Sequence

from ..context import Context
from ..errors import Cancelled, RetryError, TosslError
from ..http.urls import shown_url
from ..identifiers import Identifier
from ..log import ERROR, INFO, WARNING, wants
from .issuance import Issuance

NAME = "tossl.certificates"
_ID_BYTES = 4
_MOST_NAMES = 10


class Ending:
    """What is known of an issuance that ended well. facts: what obtain_certificate returns of it."""

    __slots__ = ("facts",)

    def __init__(self) -> None:
        self.facts: dict[str, object] = {}


@contextlib.contextmanager
def logged_issuance(context: Context, issuance: Issuance, name: str) -> Iterator[Ending]:
    """A `with` for one issuance, which gives it an id: steps, log lines and the details of its error have that.

    The context keeps the id afterwards, for what is done with the certificate.
    """
    context.issuance = os.urandom(_ID_BYTES).hex()
    begun, ending = time.monotonic(), Ending()
    context.event(
        NAME, INFO, f"{name}: begins an issuance for {names_text(issuance.identifiers)}",
        ca=shown_url(issuance.directory), pid=os.getpid(),
    )  # fmt: skip
    try:
        yield ending
    except TosslError as error:
        error.details["issuance"] = context.issuance
        _log_failure(context, name, error, begun)
        raise
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(float(str(ending.facts["not_after"]))))
    facts = {key: ending.facts.get(key, "") for key in ("issuer", "serial")}
    files = ending.facts.get("files")
    facts["folder"] = os.path.dirname(str(files.get("certificate", ""))) if isinstance(files, dict) else ""  # noqa: PTH120
    seconds = round(time.monotonic() - begun, 1)
    context.event(NAME, INFO, f"{name}: has a certificate until {until}", **facts, seconds=seconds)


def _log_failure(context: Context, name: str, error: TosslError, begun: float) -> None:
    facts: dict[str, object] = {"errorcode": " ".join(error.errorcode), "seconds": round(time.monotonic() - begun, 1)}
    if isinstance(error, Cancelled):
        context.event(NAME, WARNING, f"{name}: the issuance was cancelled", **facts)
        return
    from .advice import advice_for

    level = WARNING if isinstance(error, RetryError) else ERROR
    context.event(NAME, level, f"{name}: no certificate: {error.message}", **facts, to_do=advice_for(error))


def log_presented(context: Context, names: Sequence[tuple[Identifier, str]]) -> None:
    """Logs that the challenges of these names are in place, each with its type."""
    if names and wants(NAME, INFO):
        types = " ".join(dict.fromkeys(kind for _, kind in names))
        shown = names_text([identifier for identifier, _ in names])
        context.event(NAME, INFO, f"the challenges are in place, and the CA is asked to look: {types} of {shown}")


def log_proven(context: Context, names: Sequence[Identifier]) -> None:
    """Logs that the CA has found the challenges of these names."""
    context.event(NAME, INFO, f"the CA has found the challenges of {names_text(names)}")


def names_text(identifiers: Sequence[Identifier]) -> str:
    """Returns the first few names, and how many there are besides."""
    shown = ", ".join(identifier.value for identifier in identifiers[:_MOST_NAMES])
    more = len(identifiers) - _MOST_NAMES
    return f"{shown} and {more} more" if more > 0 else shown
