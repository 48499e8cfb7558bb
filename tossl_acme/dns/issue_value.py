"""The value of a CAA issue property (RFC 8659 section 4.2), which dns-persist-01 uses for its record too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_WSP = "[ \t]*"
_LABEL = "[A-Za-z0-9](?:-*[A-Za-z0-9])*"
_ISSUER = re.compile(rf"{_WSP}((?:{_LABEL}(?:\.{_LABEL})*)?){_WSP}")
_PARAMETER = re.compile(rf"{_WSP}({_LABEL}){_WSP}={_WSP}([\x21-\x3a\x3c-\x7e]*){_WSP}")
#: Characters of a value that are read.
_MOST_CHARS = 65_536


@dataclass(frozen=True)
class IssueValue:
    """issuer: the CA's name in lower case, empty if the value names no CA. parameters: by tag in lower case."""

    issuer: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_issue_value(text: str) -> IssueValue:
    """Returns what the value says. Raises ValueError, whose message says what is wrong, for a malformed value."""
    if len(text) > _MOST_CHARS:
        raise ValueError("it is too long")
    first, separator, rest = text.partition(";")
    issuer = _ISSUER.fullmatch(first)
    if issuer is None:
        raise ValueError("it begins with no domain name")
    parameters: dict[str, str] = {}
    parts = rest.split(";")
    if separator and parts[-1].strip(" \t") == "":
        parts.pop()
    for part in parts if separator else ():
        found = _PARAMETER.fullmatch(part)
        if found is None:
            raise ValueError("a parameter is not tag=value")
        tag = found[1].lower()
        if tag in parameters:
            raise ValueError(f"it has two parameters {tag}")
        parameters[tag] = found[2]
    return IssueValue(issuer[1].lower(), parameters)
