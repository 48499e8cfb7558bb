"""Whether the way to a server may lead over a proxy that nobody named. Loads nothing slow."""

from __future__ import annotations

import os
import sys


def may_have_proxy() -> bool:
    """Returns whether a proxy may be set: by the environment, or by the settings of macOS and Windows."""
    return sys.platform in ("darwin", "win32") or any(name.lower().endswith("_proxy") for name in os.environ)
