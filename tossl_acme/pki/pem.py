"""Textual encodings (RFC 7468), read as leniently as people paste them.

Text around the blocks, CRLF, indentation, blank lines and a whole block on one line are all accepted; a block's content
must be strict base64.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

#: A key with its whole chain and the explanatory text of `openssl x509 -text` stays far below this many characters.
MAX_TEXT_CHARS = 1 << 19

#: Only base64 between the two lines, so that no other block hides in it.
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/= \t\r\n]*-----END CERTIFICATE-----")
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----")


class PemError(ValueError):
    """The reason why a text cannot be read, without any part of it."""


@dataclass(frozen=True, repr=False)
class Block:
    """One encapsulated structure. Its repr hides the DER, which may be a private key."""

    label: str
    der: bytes
    encrypted: bool = False


def read_blocks(text: str) -> list[Block]:
    """Returns every block in the text, in order. Raises PemError for no block or a broken block."""
    if not text.strip():
        raise PemError("it is empty")
    if len(text) > MAX_TEXT_CHARS:
        raise PemError(f"it is longer than {MAX_TEXT_CHARS} characters")
    blocks = []
    at = 0
    while begin := _BEGIN.search(text, at):
        label = begin[1]
        ending = f"-----END {label}-----"
        end = text.find(ending, begin.end())
        if end < 0:
            raise PemError(f"its {label} block is cut off")
        blocks.append(_block(label, text[begin.end() : end]))
        at = end + len(ending)
    if not blocks:
        raise PemError("it is not PEM text")
    return blocks


def certificate_blocks(text: str) -> str:
    """Returns the CERTIFICATE blocks of a text unchanged, and nothing else: safe to store, whatever came with them."""
    blocks = filter(_is_readable, _CERTIFICATE.findall(text))
    return "".join("\n".join(line.strip() for line in block.split("\n") if line.strip()) + "\n" for block in blocks)


def _is_readable(block: str) -> bool:
    try:
        return bool(read_blocks(block))
    except PemError:
        return False


def _block(label: str, body: str) -> Block:
    # RFC 1421 headers, as in the traditional encrypted formats.
    if "Proc-Type:" in body or label == "ENCRYPTED PRIVATE KEY":
        return Block(label, b"", encrypted=True)
    try:
        der = base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PemError(f"its {label} block is not base64") from None
    if not der:
        raise PemError(f"its {label} block is empty")
    return Block(label, der)
