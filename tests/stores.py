"""Stores with certificates that no CA has issued: their records alone, as list and check read them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

DAY = 86400.0


def record(name: str, begin: float, end: float, now: float, **more: Any) -> dict[str, Any]:
    """Returns a certificate's record. begin, end: days from now."""
    begins = int(now + begin * DAY)
    return {
        "format": 1, "domains": [name], "directory": "https://ca.example/dir", "not_before": begins,
        "not_after": int(now + end * DAY), "issuer": "CA", "serial": "1f", "key_type": "ec", "issued_at": begins,
        "renewable": True, **more,
    }  # fmt: skip


def put(store: Path, name: str, begin: float, end: float, **more: Any) -> None:
    """Puts a certificate into a store in a folder."""
    put_set(store, f"certificates/{name}", "certificate.json", record(name, begin, end, time.time(), **more))


def put_set(store: Path, name: str, value: str, content: object) -> None:
    """Puts a set into a store in a folder, whatever it holds."""
    folder = store / name / "..1764111845123456789"
    folder.mkdir(parents=True)
    folder.joinpath(value).write_text(content if isinstance(content, str) else json.dumps(content))
    folder.parent.joinpath("..data").symlink_to(folder.name)
