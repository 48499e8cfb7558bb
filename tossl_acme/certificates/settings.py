"""The environment and the configuration file as a bug report may have them, and the secrets that they lead to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress

from ..dns.registry import provider_credentials
from ..files import read_secret, read_small
from ..text import masked, quoted

#: The variables that count for tossl, Tcl and Python, by their beginnings.
_COUNTING = (
    "TOSSL_", "TCL", "PYTHON", "XDG_", "LANG", "LC_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_", "OPENSSL_",
    "PATH", "HOME", "TZ", "LD_", "INVOCATION_ID", "JOURNAL_STREAM", "CREDENTIALS_DIRECTORY",
)  # fmt: skip
#: What stands in the name of a variable or an option with a secret.
_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASS", "CREDENTIAL", "HMAC", "KID", "AUTH")
#: Options whose value is a program's text, or a person's.
_NOT_SHOWN = ("deploy_command", "eab_kid", "csr")
#: Bytes of a configuration file, and of one with a secret; seconds for which one that is a pipe is read.
_MOST_FILE_BYTES, _MOST_SECRET_BYTES = 1 << 20, 1 << 16
_FILE_SECONDS = 2.0


def environment_text() -> str:
    """Returns the variables that are set and count for tossl, each with its value if that is no secret."""
    variables = _provider_variables()
    lines = []
    for name, value in sorted(os.environ.items()):
        is_proxy = name.upper().endswith("_PROXY")
        if _is_secret_variable(name, variables):
            if name in variables or name.startswith("TOSSL_"):
                lines.append(f"{name} is set: {len(value)} characters")
        elif name in variables or is_proxy or name.startswith(_COUNTING):
            lines.append(f"{name} = {masked(quoted(value))}")
    return "".join(f"{line}\n" for line in lines)


def secrets_in_environment(environment: Mapping[str, str]) -> list[str]:
    """Returns the secrets in these variables, those in URLs too."""
    variables = _provider_variables()
    found = [value for name, value in environment.items() if _is_secret_variable(name, variables)]
    return found + [password for value in environment.values() for password in _passwords(value)]


def configuration_text(path: str, options: Mapping[str, bool]) -> str:
    """Returns a configuration file's lines, as they may be shown: no comment, no secret, no command.

    options: those that it may have, by name, and whether each is secret.
    """
    lines = [f"# {quoted(path)}"]
    for number, line, name, value in _lines(path):
        if not name:
            lines.append(f"{number}: a line of {len(line)} characters that is no option")
        elif options.get(name, True) or name in _NOT_SHOWN:
            known = "" if name in options else ", which tossl does not know,"
            lines.append(f"{number}: {masked(quoted(name))}{known} of {len(value)} characters")
        else:
            lines.append(f"{number}: {name} = {masked(quoted(value))}")
    return "".join(f"{line}\n" for line in lines)


def secrets_in_file(path: str, options: Mapping[str, bool]) -> list[str]:
    """Returns the secrets that a configuration file has, or leads to."""
    found: list[str] = []
    with suppress(OSError, ValueError):
        for _, line, name, value in _lines(path):
            found += _passwords(line)
            base, _, origin = name.rpartition("_")
            if options.get(base, False) and origin in ("file", "env"):
                found += secret_at(value if origin == "file" else "", value if origin == "env" else "")
            elif options.get(name, True):
                found.append(value or line)
    return found


def secret_at(file: str, variable: str) -> list[str]:
    """Returns the secret in a file or a variable, if it is there; of lines KEY=value each value."""
    text = os.environ.get(variable, "") if variable else ""
    if file:
        with suppress(OSError, ValueError):
            text = read_secret(file, _MOST_SECRET_BYTES, _FILE_SECONDS).decode("utf-8", "replace")
    return [text, *(line.partition("=")[2] for line in text.splitlines() if "=" in line)] if text else []


def _lines(path: str) -> Iterator[tuple[int, str, str, str]]:
    """Yields each line that is no comment: its number, itself, and its option and value, empty if it has none."""
    text = read_small(path, _MOST_FILE_BYTES, _FILE_SECONDS).decode("utf-8", "replace")
    for number, line in enumerate(text.splitlines(), 1):
        found = re.fullmatch(r"\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(.*?)\s*", line)
        if found:
            yield number, line, found[1].replace("-", "_"), found[2]
        elif line.strip() and not line.lstrip().startswith("#"):
            yield number, line, "", ""


def _provider_variables() -> dict[str, bool]:
    """Returns the variables that DNS providers read, and whether each is secret."""
    try:
        credentials = [one for several in provider_credentials().values() for one in several]
    except Exception:  # noqa: BLE001 - a provider whose library is broken must not stop a report
        return {}
    return {name: credential.secret for credential in credentials for name in credential.environment}


def _is_secret_variable(name: str, variables: Mapping[str, bool]) -> bool:
    if name in variables:
        return variables[name]
    is_place = name.endswith(("_FILE", "_DIRECTORY", "_PATH", "_SOCK", "_ENV"))
    return not is_place and any(word in name.upper() for word in _SECRET_WORDS)


def _passwords(text: str) -> list[str]:
    """Returns the passwords, and the values of queries, in the URLs of a text."""
    found = re.findall(r"://[^/@\s]*?:([^/@\s]+)@", text)
    return found + [
        value for query in re.findall(r"://[^\s?]*\?(\S+)", text) for value in re.findall(r"=([^&\s]+)", query)
    ]
