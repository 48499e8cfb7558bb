"""What tests of a store in PostgreSQL do again and again."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.store.postgresql.store import PostgreSQLStore

NAME, OTHER = "certificates/example.com", "certificates/example.org"
SET, NEW = {"cert.pem": b"1", "privkey.pem": b"2"}, {"cert.pem": b"3"}
_ROOT = Path(__file__).parents[1]
ALL = os.environ.get("TOSSL_TEST_ALL") == "1"
long = pytest.mark.skipif(not ALL, reason="make test-postgresql")


def context(seconds: float = 20) -> Context:
    return Context(seconds).begin()


def write(store: PostgreSQLStore, values: dict[str, bytes], seconds: float = 20, name: str = NAME) -> None:
    with store.locked(context(seconds), name) as lock:
        store.write(lock, values)


def refused(action: Callable[[], object]) -> str:
    with pytest.raises(ArgumentError) as caught:
        action()
    assert caught.value.errorcode == ("TOSSL", "VALUE", "store")
    return caught.value.message


def child(script: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """A process that runs Python over the package."""
    return subprocess.Popen(
        [sys.executable, "-c", script, *words], cwd=_ROOT, text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, **environment},
    )  # fmt: skip
