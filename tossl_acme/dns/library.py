"""Calls into a library that waits in its own sockets, which no deadline of ours reaches."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

from ..context import Context
from ..errors import Cancelled, DnsError, WaitTimeout

_WHAT = "provider"
_T = TypeVar("_T")


def load_library(provider: str, library: str, extra: str) -> ModuleType:
    """Imports a library of the package's extra. Raises DnsError "unsupported" naming the extra if it is missing."""
    try:
        return importlib.import_module(library)
    except ImportError:
        needed = f"{provider} needs the extra tossl-acme[{extra}], which is not installed"
        how = f"run `make EXTRAS={extra}`, or pip install 'tossl-acme[{extra}]'"
        raise DnsError(provider, "unsupported", f"Provider not supported: {needed}: {how}") from None


def call_library(context: Context, library: str, work: Callable[[], _T]) -> _T:
    """Returns or raises the outcome of `work`, which runs in a thread.

    If the context is over first, the thread is left behind to end by itself, and its work may still be done: the error
    says so. Raises WaitTimeout or Cancelled then.
    """
    context.check(_WHAT)
    behind = f"{library} is left behind in a thread and may still end what it began"
    try:
        return context.run(work, _WHAT)
    except WaitTimeout as error:
        raise WaitTimeout(_WHAT, f"{error.message}; {behind}") from None
    except Cancelled as error:
        raise Cancelled(f"{error.message}; {behind}") from None
