"""What may stand in a message: a rejected value, a server's own words."""

from __future__ import annotations

#: A message is for people: no more of the CA's text than they would read.
MAX_CLEAN_CHARS = 1000
#: Letters and digits in a row as only tokens and keys have them, were it not for URLs and paths.
_OPAQUE_RUN = r"(?=[A-Za-z/_+-]*[0-9])(?=[0-9/_+-]*[A-Za-z])[A-Za-z0-9/_+-]{24}"
_PATH = ("/", "./", "../", "~")


def quoted(text: str, most: int = 80) -> str:
    """A rejected value, quoted for a message: its length alone where it may be a misplaced key or token."""
    import re  # not at the top: a process that meets no error does without

    is_plain = "://" in text or text.startswith(_PATH)
    if "-----" in text or (not is_plain and re.search(_OPAQUE_RUN, text)):
        return f"a value of {len(text)} characters"
    printable = "".join(char if char.isprintable() else "?" for char in text)
    return f'"{printable if len(printable) <= most else printable[: most - 3] + "..."}"'


def clean(value: object) -> str:
    """Server text fit for a message: printable, on one line, bounded."""
    text = " ".join(str(value)[: 2 * MAX_CLEAN_CHARS].split())
    shown = "".join(char if char.isprintable() else "?" for char in text)
    return shown if len(shown) <= MAX_CLEAN_CHARS else shown[:MAX_CLEAN_CHARS] + "..."


class Secret:
    """A value that no message, log or repr() shows, and the reference it came by: a file or an environment variable.

    Both are empty where the value was given as it is. Two are equal where all three are.
    """

    __slots__ = ("env", "file", "value")

    def __init__(self, value: str, *, file: str = "", env: str = "") -> None:
        self.value = value
        self.file = file
        self.env = env

    def __repr__(self) -> str:
        origin = f"file={self.file!r}" if self.file else f"env={self.env!r}" if self.env else "hidden"
        return f"Secret({origin})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def _parts(self) -> tuple[str, str, str]:
        return self.value, self.file, self.env
