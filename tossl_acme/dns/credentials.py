"""The values of a provider's credentials: of the options, else of a text of KEY=value lines, else the environment's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from ..errors import ArgumentError
from ..files import FilePath, check_private
from ..text import Secret
from .options import ProviderOptions
from .provider import Credential

_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
#: Windows' editors put it before the first line.
_BYTE_ORDER_MARK = "\ufeff"


def credential_values(
    name: str, credentials: tuple[Credential, ...], options: ProviderOptions, *, takes_others: bool = False
) -> dict[str, str]:
    """Returns each credential's value by its field, empty if it is not given, without space around it.

    takes_others: also those of the options and their text that the provider does not declare. Raises ArgumentError with
    the field that is missing, that the provider does not take or that has a wrong character; "credentials" for a file
    or text that cannot be used.
    """
    given = {field: _text_of(value) for field, value in options.credentials.items()}
    beside = {"endpoint": options.endpoint.strip(), "zone_id": options.zone_id.strip()}
    given |= {field: value for field, value in beside.items() if value}
    lines = _lines_of(options.credentials_text)
    if not takes_others:
        _check_declared(name, credentials, given)
        _check_some(name, credentials, options.credentials_text, lines)
    values = {credential.field: _value(name, credential, given, lines) for credential in credentials}
    return lines | given | values if takes_others else values


def read_lines(text: str) -> dict[str, str]:
    """Returns the values of KEY=value lines. Skips empty lines and comments; a value may stand in quotes.

    Raises ArgumentError "credentials" with the number of the first other line.
    """
    found = {}
    for number, line in enumerate(text.removeprefix(_BYTE_ORDER_MARK).splitlines(), 1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise ArgumentError("credentials", f"line {number} of the credentials is not KEY=value")
        value = match[2]
        if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
            value = value[1:-1]
        found[match[1]] = value
    return found


def _text_of(value: Secret | str) -> str:
    if isinstance(value, FilePath):
        return value
    return (value if isinstance(value, str) else value.value).strip()


def _check_declared(name: str, credentials: tuple[Credential, ...], given: Mapping[str, str]) -> None:
    declared = [credential.field for credential in credentials]
    for field, value in given.items():
        if value and field not in (*declared, "endpoint", "zone_id"):
            # What is in the place of a field may be a secret.
            is_field = re.fullmatch(r"[a-z][a-z_]{0,30}", field)
            what = field if is_field else "such credential"
            takes = f"; it takes {', '.join(declared)}" if declared else ""
            raise ArgumentError(field if is_field else "credentials", f"the DNS provider {name} takes no {what}{takes}")


def _lines_of(text: Secret | None) -> dict[str, str]:
    if text is None or not text.value:
        return {}
    if text.file:
        check_private(text.file, "credentials", "-credentials_file")
    return read_lines(text.value)


def _check_some(
    name: str, credentials: tuple[Credential, ...], text: Secret | None, lines: Mapping[str, str]
) -> None:
    """Raises ArgumentError "credentials" if a text has nothing for the provider; it may have more for others."""
    wanted = [key for credential in credentials for key in (credential.field, *credential.environment)]
    if text is not None and not set(wanted) & set(lines):
        raise ArgumentError("credentials", f"the credentials have nothing for {name}, which takes {', '.join(wanted)}")


def _value(name: str, credential: Credential, given: Mapping[str, str], lines: Mapping[str, str]) -> str:
    value, origin = given.get(credential.field, ""), f"the {credential.field}"
    if not value:
        value, origin = _elsewhere(credential, lines) or ("", origin)
    if not value and credential.required:
        instead = "".join(f", or {variable} in the environment" for variable in credential.environment[:1])
        raise ArgumentError(credential.field, f"{name} needs {credential.field}: {credential.text}{instead}")
    if not re.fullmatch(credential.pattern, value):
        raise ArgumentError(credential.field, f"{origin} contains a character that {name} does not accept there")
    return value


def _elsewhere(credential: Credential, lines: Mapping[str, str]) -> tuple[str, str] | None:
    """Returns the first value of the text or of the environment, and its origin."""
    for key in (credential.field, *credential.environment):
        if value := lines.get(key, "").strip():
            return value, f"{key} in the credentials"
    for variable in credential.environment:
        if value := os.environ.get(variable, "").strip():
            return value, f"{variable} in the environment"
    return None
