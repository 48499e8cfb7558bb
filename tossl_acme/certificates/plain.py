"""Options as plain data: fit to be stored as JSON, and read again."""

from __future__ import annotations

import dataclasses
import os
import re
import types
import typing
from collections.abc import Mapping
from typing import Any

from ..errors import ArgumentError
from ..files import FilePath, absolute, read_secret
from ..text import Secret

#: Bytes of a secret's file: no key is larger.
_MOST_SECRET_BYTES = 1 << 20
_SECRET_SECONDS = 2.0
#: A shell's command, and what in it is a secret: a URL's password. A user's name alone is none, as in ssh://git@host.
_COMMAND = "deploy_command"
_PASSWORD = re.compile(r"://[^/@:\s]*:(?!\$)[^/@\s]+@")


def has_literal(value: object, option: str = "") -> bool:
    """Returns whether any secret in the options is a literal value. option: whose value that is."""
    if isinstance(value, str):
        # A proxy's user and password.
        is_user = "@" in value.partition("://")[2].partition("/")[0]
        return bool(_PASSWORD.search(value)) if option == _COMMAND else is_user
    if value is None or isinstance(value, int | float):
        return False
    if isinstance(value, Secret):
        return bool(value.value) and not value.file and not value.env
    if dataclasses.is_dataclass(value):
        return any(has_literal(getattr(value, member.name), member.name) for member in dataclasses.fields(value))
    if isinstance(value, tuple):
        return any(map(has_literal, value))
    return isinstance(value, Mapping) and any(map(has_literal, value.values()))


def plain(value: object, option: str = "") -> Any:
    """Returns the value as plain data. Raises ArgumentError for a text with half of a character."""
    if isinstance(value, Secret | str) and has_literal(value, option):
        return {"literal": True}
    if isinstance(value, Secret):
        return {"file": str(value.file)} if value.file else {"env": value.env} if value.env else {"literal": False}
    if isinstance(value, FilePath):
        return {"path": str(value), "word": value.word}
    if value is None or isinstance(value, int | float):
        return value
    if dataclasses.is_dataclass(value):
        return {member.name: plain(getattr(value, member.name), member.name) for member in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {_text(name, option): plain(member, option) for name, member in value.items()}
    if isinstance(value, tuple | list):
        return [plain(member, option) for member in value]
    if isinstance(value, str):
        return _text(value, option)
    raise TypeError(f"an option of type {type(value).__name__} cannot be stored")


def _text(text: str, option: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ArgumentError(option, f"-{option}: there is half of a character in it") from None
    return text


def read_plain(kind: Any, data: Any) -> Any:
    """Returns the value of this type for data from plain(). Raises ValueError, TypeError, KeyError; ArgumentError."""
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    is_union = origin in (types.UnionType, typing.Union)
    may_be_path = kind in (FilePath, str) or (is_union and str in inner)
    if may_be_path and isinstance(data, dict) and set(data) == {"path", "word"}:
        return FilePath(str(data["path"]), str(data["word"]))
    if is_union:
        kinds = [one for one in inner if one is not types.NoneType]
        return None if data is None else read_plain(next((one for one in kinds if type(data) is one), kinds[0]), data)
    if isinstance(data, dict) and data.get("literal") and kind in (Secret, str):
        raise ArgumentError("store", "a secret of the certificate's request was given literally, and not stored")
    if kind is Secret:
        if not isinstance(data, dict):
            raise TypeError(str(kind))
        return _read_secret(data)
    if dataclasses.is_dataclass(kind):
        assert isinstance(kind, type)
        if not isinstance(data, dict):
            raise TypeError(str(kind))
        hints = typing.get_type_hints(kind)
        # A newer option gets its default; an option that this version does not know may matter.
        if unknown := set(data) - set(hints):
            raise ValueError(str(unknown))
        return kind(**{name: read_plain(hints[name], value) for name, value in data.items()})
    if origin is tuple:
        if not isinstance(data, list):
            raise TypeError(str(kind))
        return tuple(read_plain(inner[0], member) for member in data)
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(data, dict):
            raise TypeError(str(kind))
        return {str(name): read_plain(inner[1], member) for name, member in data.items()}
    if kind is float and isinstance(data, int):
        return float(data)
    if not isinstance(data, kind):
        raise TypeError(str(kind))
    if isinstance(data, str):
        data.encode()  # raises ValueError for half of a character
    return data


def read_anew(value: Any) -> Any:
    """Returns options with each secret read anew from its file or variable; keeps a secret whose source is gone."""
    if isinstance(value, Secret):
        if not value.file and not value.env:
            return value
        try:
            found = _read_secret(plain(value))
        except ArgumentError:  # as where the process may not read it any more
            return value
        return found if found.value else value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{member.name: read_anew(getattr(value, member.name)) for member in dataclasses.fields(value)}
        )
    if isinstance(value, Mapping):
        return {name: read_anew(member) for name, member in value.items()}
    return tuple(map(read_anew, value)) if type(value) is tuple else value


def _read_secret(data: Mapping[str, str]) -> Secret:
    if "literal" in data:  # an empty one
        return Secret("")
    if name := data.get("env"):
        if not os.environ.get(name):
            raise ArgumentError("store", f"{name} is no longer set in the environment")
        return Secret(os.environ[name], env=name)
    path = absolute(data["file"])
    try:
        found = read_secret(path, _MOST_SECRET_BYTES, _SECRET_SECONDS).decode("utf-8", "surrogateescape")
    except (OSError, ValueError) as error:
        raise ArgumentError("store", f"cannot read {path.shown}: {getattr(error, 'strerror', '') or error}") from None
    return Secret(found.removesuffix("\n").removesuffix("\r"), file=path)
