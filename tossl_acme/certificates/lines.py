"""Records that people may read as well."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def json_lines(record: Mapping[str, Any]) -> str:
    """Returns a JSON object with a line for each member. json.dumps() takes ten times as long where it indents."""
    members = ",\n".join(f" {json.dumps(name)}: {json.dumps(value)}" for name, value in record.items())
    return f"{{\n{members}\n}}"
