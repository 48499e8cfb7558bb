"""Values and servers' texts made fit for a message.

All functions work in linear time on input of any length.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Callable

#: Characters of a server's text in a message: as much as people read.
MAX_CLEAN_CHARS = 1000
#: Of the URL that a server's text ends with, for a person to open.
MAX_URL_CHARS = 2000
#: Of a whole message, and of one fact of a step.
MAX_SAID_CHARS = 3900
#: Characters of a rejected value that are shown.
_MAX_QUOTED_CHARS = 80
#: A longer value was not typed by a person; it is not examined.
_MAX_EXAMINED_CHARS = 4096
#: Characters of a text with spaces that may be shown; a longer one may be a passphrase.
_MAX_PHRASE_CHARS = 20
#: A run of letters and digits that only tokens and keys have, unless it is in a URL or path.
_RUN = r"[A-Za-z0-9/_+-]{24,}"
#: In URLs and paths, where words are long: a run with letters of both cases and digits.
_RUN_IN_PATH = r"[A-Za-z0-9+]{24,}"
#: A line of a key in base64; few paths are without a dot, hyphen or underscore for so long.
_KEY_LINE = r"[A-Za-z0-9/+]{32,}={0,2}"
#: What stands in the place of a secret.
HIDDEN = "(hidden)"
#: What a word of a text is made of; in it, a part of a path that is as random as a token.
_WORD = r"[^\s\"'=,;()\[\]{}<>|]{20,}"
_RANDOM_IN_PATH = r"(?<=/)[^/?#]{20,}"
#: A token that happens to have no digit, and a number in hexadecimal.
_LONG_MIXED = r"(?=[^a-z]*[a-z])(?=[^A-Z]*[A-Z])[A-Za-z0-9_+/=-]{40,}\W*"
_HEX = r"[0-9A-Fa-f-]{32,}\W*"
#: A name by which secrets are called, up to its value; the rest of such a line.
_NAMED = (
    r"(?i)([\w.-]*(?:passw|passphrase|secret|token|[_-]key|apikey|hmac|credential|kid)[\w.-]*[\"']?\s*[:=]\s*)"
    r"(\"[^\"]*\"|'[^']*'|[^\s,;]+)"
)
_HEADER = r"(?i)((?:authorization|cookie|x-[a-z-]*(?:key|token))\s*:|\bbearer\b|\bbasic\b)\s.*"
_PATH = ("/", "./", "../", "~")


def quoted(text: str) -> str:
    """Returns a rejected value, quoted for a message. The one policy on possible secrets:

    - only its length if it may be a misplaced key, token or passphrase, or is longer than any value;
    - a URL without user, password, query and fragment;
    - else 80 characters at most, a question mark for each unprintable one.
    """
    if len(text) > _MAX_EXAMINED_CHARS or may_be_secret(text):
        return f"a value of {len(text)} characters"
    shown = _printable(without_credentials(text) if "://" in text else text)
    return f'"{_shortened(shown, _MAX_QUOTED_CHARS)}"'


def without_credentials(url: str) -> str:
    """Returns the URL without user, password, query and fragment, which may be secret.

    A password that holds one of / ? and # as it is ends at the last @.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        scheme, rest = "", url
    end = min((at for at in map(rest.find, "?#") if at >= 0), default=len(rest))
    whole, rest = rest, rest[:end]
    host, slash, path = rest.partition("/")
    if "@" not in host and "@" in whole and not _may_end_with_port(host):
        return without_credentials(f"{scheme}{separator}@{whole.rpartition('@')[2]}")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"


def _may_end_with_port(host: str) -> bool:
    _, colon, port = host.rpartition(":")
    return not colon or not port or port.isdecimal() or port.endswith("]")


def clean(value: object, most: int = MAX_CLEAN_CHARS) -> str:
    """Returns a peer's text fit for a message: printable, on one line, `most` characters at most."""
    # Twice as many, for runs of white space become one space.
    return _shortened(_printable(" ".join(str(value)[: 2 * most].split())), most)


def final_url(text: str) -> str:
    """Returns the https URL that a peer's text ends with, for a person to open; empty without one.

    A full stop or bracket behind it is not its own. One of more than 2,000 characters, or with a character that does
    not print, is none.
    """
    # The rest of the text need not be looked at: it may be long.
    tail = text[-2 * MAX_URL_CHARS :].rstrip()
    word = tail[-MAX_URL_CHARS - 8 :].rsplit(maxsplit=1)[-1:]
    url = word[0].lstrip("(<\"'").rstrip(".,;:!)>\"'") if word else ""
    has_host = url.startswith("https://") and len(url) > len("https://")
    return url if has_host and len(url) <= MAX_URL_CHARS and url.isprintable() else ""


def clean_with_url(text: str) -> str:
    """As clean(), but the https URL at the end of the text stays whole."""
    shortened, url = clean(text), final_url(text)
    if not url or url in shortened:
        return shortened
    return f"{clean(text.rpartition(url)[0])} {url}"


def safe(text: str, most: int = MAX_SAID_CHARS) -> str:
    """Returns a whole message made safe for terminals and logs: on one line, without characters that do not print.

    It has `most` characters at most; the https URL at its end stays whole.
    """
    url = final_url(text) if len(text) > most else ""
    shortened = _shortened(text, most) if not url else f"{_shortened(text, most - len(url) - 1)} {url}"
    # Most messages need nothing.
    return shortened if shortened.isprintable() else _printable("".join(map(_on_one_line, shortened)))


def _on_one_line(char: str) -> str:
    return " " if char in "\r\n\t" else char


def may_be_secret(text: str) -> bool:
    """Returns whether a value may be a misplaced key, token or passphrase."""
    import re  # not at the top: a process without errors does not need it

    is_path = "://" in text or text.startswith(_PATH)
    if "-----" in text or (len(text) > _MAX_PHRASE_CHARS and not is_path and any(map(str.isspace, text))):
        return True
    if is_path:
        # A key's line may begin with a slash and have more of them.
        if re.fullmatch(_KEY_LINE, text.strip()) and _has_all(text, str.isupper, str.islower, str.isdigit):
            return True
        return any(_has_all(run, str.isupper, str.islower, str.isdigit) for run in re.findall(_RUN_IN_PATH, text))
    return any(_has_all(run, str.isalpha, str.isdigit) for run in re.findall(_RUN, text))


def masked(text: str) -> str:
    """Returns a text of unknown origin with what may be a secret hidden: values behind such names, and words like keys.

    PEM blocks and URLs are log.without_secrets()'s to hide.
    """
    import re

    text = re.sub(_HEADER, lambda found: f"{found[1]} {HIDDEN}", text)
    text = re.sub(_NAMED, _masked_value, text)
    return re.sub(_WORD, lambda found: _masked_word(found[0]), text)


def _masked_value(found: re.Match[str]) -> str:
    """Returns a name with its value hidden, unless that is only where the value is."""
    name = found[1].rstrip(" \t:=\"'").lower()
    return found[0] if name.endswith(("file", "env")) else f"{found[1]}{HIDDEN}"


def _masked_word(word: str) -> str:
    import re

    if "://" not in word and not word.startswith(_PATH):
        return HIDDEN if may_be_secret(word) or re.fullmatch(_LONG_MIXED, word) else word
    shown = re.sub(_RANDOM_IN_PATH, lambda found: HIDDEN if _is_random(found[0]) else found[0], word)
    return HIDDEN if may_be_secret(shown) else shown


def _is_random(part: str) -> bool:
    """Returns whether a part of a path has letters of both cases and digits, as tokens have, or is a long number."""
    import re

    return _has_all(part, str.isupper, str.islower, str.isdigit) or bool(re.fullmatch(f"{_LONG_MIXED}|{_HEX}", part))


def _has_all(run: str, *kinds: Callable[[str], bool]) -> bool:
    return all(any(map(kind, run)) for kind in kinds)


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 3] + "..."


class Secret:
    """A value that no message, log or repr() shows, and its reference: a file or an environment variable.

    Both references are empty for a literal value. Two secrets are equal if value and references are. pairs: the names
    and values in a literal value that is a dict, one after the other.
    """

    __slots__ = ("env", "file", "pairs", "value")

    def __init__(self, value: str, *, file: str = "", env: str = "", pairs: tuple[str, ...] = ()) -> None:
        self.pairs = pairs
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
