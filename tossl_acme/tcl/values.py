"""Converts Tcl words to typed Python values, and Python results to Tcl values."""

from __future__ import annotations

from ..errors import ArgumentError, HttpError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from ..files import FilePath
    from ..text import Secret
    from .host import TclHost, TclValue

    #: (host, name, word) to the value; `name`: of the argument or option, as errors show it.
    Converter = Callable[[TclHost, str, str], object]

_TRUE = ("true", "yes", "on")
_FALSE = ("false", "no", "off")
#: Characters that Tcl lets stand around a number.
_WHITE = " \t\n\v\f\r"
#: Characters of a number; no command needs more, a float holds no longer integer, and Python refuses some thousands.
_MOST_NUMBER_CHARS = 300
#: Characters. Operating systems accept some 4,000 bytes, but "a/../b" becomes shorter when normalised.
_MAX_PATH_CHARS = 16384
#: Bytes of a secret in a file, and seconds to wait for a secret from a pipe.
_MOST_SECRET_BYTES = 65536
_SECRET_SECONDS = 10.0
#: The longest -timeout, in seconds: more would overflow the system's counters.
_MAX_LIMIT_SECONDS = 10 * 365 * 86400.0


def to_tcl(value: object) -> TclValue:
    """Returns a result for Tcl: a dict is a flat list, True is 1, None is empty; bytes stay bytes.

    A FilePath becomes Tcl's name of that file.
    """
    try:
        return _converted(value)
    except RecursionError:  # only a server's answer can be so deep
        raise HttpError("malformed", "the answer is nested too deeply") from None


def _converted(value: object) -> TclValue:
    if isinstance(value, str):
        return getattr(value, "word", value)  # a FilePath's
    if isinstance(value, bytes):
        return value
    if isinstance(value, dict):
        return tuple(_converted(item) for pair in value.items() for item in pair)
    if isinstance(value, (list, tuple)):
        return tuple([_converted(item) for item in value])
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def split(host: TclHost, name: str, text: str) -> tuple[str, ...]:
    """Returns the elements of argument `name`, a Tcl list. Raises ArgumentError `name`."""
    try:
        return host.splitlist(text)
    except host.TclError as error:
        # Tcl quotes the text after an element, which may be a key.
        cause, follows, _ = str(error).partition(' followed by "')
        more = " followed by other characters instead of space" if follows else ""
        raise ArgumentError(name, f"Failed to parse {name}: {cause}{more}") from None


def check_limit(limit: float, option: str = "timeout") -> None:
    """Raises ArgumentError for more seconds than ten years."""
    if limit > _MAX_LIMIT_SECONDS:
        raise ArgumentError(option, f"-{option}: must be ten years at most")


def _rejected(name: str, expected: str, word: str) -> ArgumentError:
    from ..text import quoted

    return ArgumentError(name.lstrip("-"), f"{name}: expected {expected} but got {quoted(word)}")


def _text(host: TclHost, name: str, word: str) -> str:
    return word


def _number_of(word: str) -> int | float | None:
    """Returns the number that Tcl's expr takes the word for; None for NaN, for infinity, and for what is no number.

    Digits after a leading 0 are decimal, as since Tcl 9: expr of 8.6 takes them for octal ones, and refuses 08.
    """
    text = word.strip(_WHITE)
    if len(text) > _MOST_NUMBER_CHARS or not text.isascii() or not text.isprintable() or "_" in text or " " in text:
        return None
    try:
        if text.isdigit():
            return int(text)
        if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b"):
            return int(text, 0)
        number = float(text)
    except ValueError:
        return None
    return number if number - number == 0 else None


def _integer(host: TclHost, name: str, word: str) -> int:
    number = _number_of(word)
    if number is None or number != int(number):
        raise _rejected(name, "integer", word)
    return int(number)


def _port(host: TclHost, name: str, word: str) -> int | str:
    """Returns a port's number, or the word with an address before it, which is checked where a server is made of it."""
    text = word.strip(_WHITE)
    number = _number_of(text[1:] if text.count(":") == 1 and text[0] == ":" else text)
    if number is not None and number == int(number):
        return int(number)
    if ":" not in text:
        raise _rejected(name, "port, or address:port,", word)
    return text


def _number(host: TclHost, name: str, word: str) -> float:
    number = _number_of(word)
    if number is None:
        raise _rejected(name, "floating-point number", word)
    return float(number)


def _boolean(host: TclHost, name: str, word: str) -> bool:
    number = _number_of(word)
    if number is not None:
        return number != 0
    given = word.strip(_WHITE).lower()
    if given and given != "o":
        if any(name_.startswith(given) for name_ in _TRUE):
            return True
        if any(name_.startswith(given) for name_ in _FALSE):
            return False
    raise _rejected(name, "boolean value", word)


def _list(host: TclHost, name: str, word: str) -> list[str]:
    return list(split(host, name.lstrip("-"), word))


def _dict(host: TclHost, name: str, word: str) -> dict[str, str]:
    words = split(host, name.lstrip("-"), word)
    if len(words) % 2:
        raise ArgumentError(name.lstrip("-"), f"Failed to parse {name.lstrip('-')}: missing value to go with key")
    return dict(zip(words[::2], words[1::2], strict=True))


def _path(host: TclHost, name: str, word: str) -> FilePath:
    """Returns the absolute path, with the bytes of Tcl's name for the file; the empty word stays empty."""
    from ..files import FilePath

    return native_path(host, name, name, word) if word else FilePath("")


def _paths(host: TclHost, name: str, word: str) -> list[FilePath]:
    return [native_path(host, name, name, each) for each in split(host, name.lstrip("-"), word)]


def _path_or_url(host: TclHost, name: str, word: str) -> FilePath | str:
    """Returns a URL as it is, and the path of any other word."""
    return word if _is_url(word) else _path(host, name, word)


def _is_url(word: str) -> bool:
    """Returns whether a word is a URL, perhaps with white space before it."""
    word = word.lstrip()
    scheme, separator, _ = word.partition("://")
    return bool(separator) and scheme.isascii() and scheme[:1].isalpha() and not set(scheme) & set("/\\~ ")


def default_path(
    host: TclHost, name: str, find: Callable[[], tuple[str, str]], *, may_be_url: bool = False
) -> FilePath | str:
    """Returns the path in the environment now, converted like a word of the option `name`; a URL as it is."""
    from os import fsencode

    from ..text import quoted

    variable, path = find()
    if may_be_url and _is_url(path):
        return path
    try:
        word = host.call("::tossl::PathWord", fsencode(path).hex())
    except host.TclError:  # Tcl 9 decodes strictly
        raise ArgumentError(name.lstrip("-"), f"{variable}: {quoted(path)} is no text in the system encoding") from None
    return native_path(host, name, variable, word)


def native_path(host: TclHost, name: str, source: str, word: str) -> FilePath:
    """Returns Tcl's path for a word of `source`, an option or a variable. Raises ArgumentError `name`."""
    from os import fsdecode

    from ..files import FilePath
    from ..text import clean, quoted

    try:
        if not word:
            raise ValueError("it is empty")
        if len(word) > _MAX_PATH_CHARS:
            raise ValueError("it is too long")
        if "-----BEGIN " in word:  # else a folder would have a key's name
            raise ValueError("it is the text of a key or certificate")
        if "://" in word:  # else a folder would be named by its scheme, and one in it by its password
            raise ValueError("it is a URL")
        digits, _, normal = host.call("::tossl::Path", word).partition(" ")
    except (ValueError, host.TclError) as error:
        raise ArgumentError(name.lstrip("-"), f"{source}: {quoted(word)} is no path: {clean(error)}") from None
    return FilePath(fsdecode(bytes.fromhex(digits)), normal, word)


def _secret(host: TclHost, name: str, word: str) -> Secret:
    from ..text import Secret

    return Secret(word)


def _optional_secret(host: TclHost, name: str, word: str) -> Secret | None:
    """Returns the secret, None for the empty word."""
    from ..text import Secret

    return Secret(word) if word else None


def _text_given(host: TclHost, name: str, word: str) -> str:
    """Returns the word. Raises ArgumentError for white space alone: the content of an empty file is no value."""
    if not word.strip():
        raise ArgumentError(name.lstrip("-"), f"{name} is empty: leave the option out, or look at the file it is from")
    return word


def _secret_given(host: TclHost, name: str, word: str) -> Secret:
    from ..text import Secret

    return Secret(_text_given(host, name, word))


def _secret_dict(host: TclHost, name: str, word: str) -> dict[str, Secret]:
    from ..text import Secret

    return {key: Secret(value) for key, value in _dict(host, name, word).items()}


def _secret_or_dict(host: TclHost, name: str, word: str) -> Secret | None:
    """Returns the word as a secret, with the pairs that it has if it is a dict; None for the empty word."""
    from ..text import Secret

    try:
        words = host.splitlist(word)
    except host.TclError:
        words = ()
    return Secret(word, pairs=tuple(words) if len(words) % 2 == 0 else ()) if word else None


def _file_secret(host: TclHost, name: str, word: str) -> Secret:
    """Returns what the file holds, without the newline at its end, and the file's path."""
    from ..files import read_secret
    from ..text import Secret

    path = native_path(host, name, name, word)
    try:
        found = read_secret(path, _MOST_SECRET_BYTES, _SECRET_SECONDS).decode("utf-8", "surrogateescape")
    except OSError as error:
        raise ArgumentError(name.lstrip("-"), f"{name}: cannot read {path.shown}: {error.strerror}") from None
    except ValueError as error:
        raise ArgumentError(name.lstrip("-"), f"{name}: cannot read {path.shown}: {error}") from None
    secret = found.removesuffix("\n").removesuffix("\r")
    if not secret.strip():
        raise ArgumentError(name.lstrip("-"), f"{name}: {path.shown} is empty")
    return Secret(secret, file=path)


def _environment_secret(host: TclHost, name: str, word: str) -> Secret:
    """Returns the variable's value as a secret with the variable's name."""
    from os import environ

    from ..text import Secret, quoted

    try:
        secret = environ.get(word, "")
    except ValueError:  # half a character, which no name contains
        secret = ""
    if not secret.strip():
        raise ArgumentError(name.lstrip("-"), f"{name}: {quoted(word)} is not set in the environment, or is empty")
    return Secret(secret, env=word)


_CONVERTERS: dict[str, Converter] = {
    "str": _text,
    "int": _integer,
    "Port": _port,
    "float": _number,
    "bool": _boolean,
    "list[str]": _list,
    "dict[str, str]": _dict,
    "FilePath": _path,
    "FilePathOrUrl": _path_or_url,
    "list[FilePath]": _paths,
    "Secret": _secret,
    "Secret | None": _optional_secret,
    "SecretGiven": _secret_given,
    "TextGiven": _text_given,
    "SecretDict": _secret_dict,
    "SecretOrDict | None": _secret_or_dict,
    "FileSecret": _file_secret,
    "EnvironmentSecret": _environment_secret,
}


def converter(annotation: str) -> Converter:
    """Returns the converter for an annotation; "| None" may stand behind any annotation."""
    return _CONVERTERS.get(annotation) or _CONVERTERS[annotation.removesuffix(" | None")]
