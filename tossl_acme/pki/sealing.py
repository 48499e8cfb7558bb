"""Values sealed and opened with keys of the user's: Fernet of `cryptography`, several keys side by side.

    tossl-sealed 1 9f86d081884c7d65
    gAAAAAB...

A sealed value is a text of two lines: its form with the id of the key that sealed it, and the token. The id is of the
key's digest, so that an error can say which key is missing; nothing else can be learned from it. The name of the value
is sealed with it: Fernet has no further data to authenticate.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

_FORM = b"tossl-sealed "
_VERSION = b"1"
_ID_CHARS = 16
_KEY = re.compile(r"[A-Za-z0-9_-]{43}=")


class SealError(ValueError):
    """The reason why a value cannot be opened, or a text has no keys, without any part of them."""


class SealingKeys:
    """Keys of which the first seals, and all open. ids: their ids, in this order."""

    def __init__(self, text: str) -> None:
        """text: a key on each line, as generate_sealing_key() returns it; "#" begins a comment.

        Raises SealError for a text without a key, and for a line that is none.
        """
        keys = []
        for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            if word := line.partition("#")[0].strip():
                if not _KEY.fullmatch(word):
                    raise SealError(f"line {number} is no sealing key, which is 32 bytes in base64url")
                keys.append((_id_of(word), Fernet(word.encode())))
        if not keys:
            raise SealError("it has no sealing key")
        self.ids = tuple(key_id for key_id, _ in keys)
        self._fernet = MultiFernet([fernet for _, fernet in keys])

    def seal(self, name: str, content: bytes) -> bytes:
        """Returns the content of the value with this name, sealed."""
        token = self._fernet.encrypt(name.encode() + b"\0" + content)
        return b"%s%s %s\n%s\n" % (_FORM, _VERSION, self.ids[0].encode(), token)

    def open(self, name: str, sealed: bytes) -> bytes:
        """Returns the content of a sealed value. Raises SealError: another key, damaged, of another name."""
        head, _, token = sealed.partition(b"\n")
        if head.split()[1:2] != [_VERSION]:
            raise SealError("is sealed in a form that this tossl does not know")
        try:
            opened = self._fernet.decrypt(token.strip())
        except InvalidToken:
            key_id = sealing_key_of(sealed)
            if key_id not in self.ids:
                raise SealError(f"is sealed with another key ({key_id})") from None
            raise SealError("is damaged: it is not as it was sealed") from None
        bound, _, content = opened.partition(b"\0")
        if not hmac.compare_digest(bound, name.encode()):
            raise SealError(f"was sealed as {bound.decode('utf-8', 'replace')}, and moved here from there")
        return content


def generate_sealing_key() -> str:
    """Returns a new key: 32 random bytes in base64url."""
    return Fernet.generate_key().decode()


def sealing_key_of(sealed: bytes) -> str:
    """Returns the id of the key that sealed a value; a question mark where none is named."""
    words = sealed.partition(b"\n")[0].split()
    key_id = words[2].decode("ascii", "replace") if len(words) > 2 else ""
    return key_id if key_id.isalnum() and len(key_id) <= _ID_CHARS else "?"


def _id_of(word: str) -> str:
    key = base64.urlsafe_b64decode(word)
    return hashlib.sha256(b"tossl sealing key\n" + key).hexdigest()[:_ID_CHARS]
