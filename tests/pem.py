"""PEM text for tests: blocks of any label, also of what is no structure at all."""

from __future__ import annotations

import base64


def write_block(label: str, der: bytes) -> str:
    """The block as RFC 7468 section 3 writes it, with a final newline."""
    body = base64.b64encode(der).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""])
