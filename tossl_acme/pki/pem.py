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


@dataclass(frozen=True, eq=False, repr=False)
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
        raise PemError(_without_pem(text))
    return blocks


def is_pkcs12(text: str) -> bool:
    """Returns whether a text is the bytes of a PKCS #12 file (RFC 7292): a SEQUENCE that begins with version 3."""
    return text.startswith("0") and "\x02\x01\x03" in text[2:9]


def _without_pem(text: str) -> str:
    """Returns why a text has no block, and what to do."""
    if is_pkcs12(text):
        return "it is PKCS #12 (.p12, .pfx), no PEM; openssl pkcs12 -in FILE -nodes -out FILE.pem converts it"
    if text[0] == "0" and not text[:12].isprintable():
        how = "openssl x509 -inform DER -in FILE -out FILE.pem converts a certificate, openssl pkey likewise a key"
        return f"it is DER, no PEM; {how}"
    if "B\0E\0G\0I\0N" in text:
        return "it is text in UTF-16; save it as UTF-8"
    return "it is not PEM text"


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
        if "\\n" in body:
            cause = f"its {label} block has \\n in letters in the place of its line ends, as in an .env file"
            raise PemError(f"{cause}; [string map {{\\\\n \\n}} $text] converts it") from None
        raise PemError(f"its {label} block is not base64") from None
    if not der:
        raise PemError(f"its {label} block is empty")
    return Block(label, der)
