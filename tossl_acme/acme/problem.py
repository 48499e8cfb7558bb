"""Problem documents (RFC 7807 as RFC 8555 section 6.7 uses it)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..errors import AcmeError, HttpError, TosslError
from ..http.response import Response, retry_after
from ..http.urls import shown_url
from ..text import MAX_SAID_CHARS, MAX_URL_CHARS, clean, clean_with_url, final_url

_PREFIX = "urn:ietf:params:acme:error:"
_MAX_SUBPROBLEMS = 100
#: Characters of a problem's type, with its prefix.
_MAX_TYPE_CHARS = 200


def problem_error(response: Response) -> TosslError:
    """Returns the error of a refused request: the CA's problem document, or the answer in its place."""
    try:
        document = response.json()
    except HttpError:
        document = None
    if not isinstance(document, dict) or not ("type" in document or "detail" in document):
        said = response.media_type or "no content"
        cause = f"{shown_url(response.url)} answered {response.status} with {said}"
        refused = HttpError("status", cause, response.status)
        refused.details |= _when(response.headers)
        return refused
    return document_error(document, response.status, response.headers)


def document_error(document: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None) -> AcmeError:
    """Returns the error for a problem document, which may also be part of an order or a challenge.

    Its details hold the whole document, `retry_after` (seconds) and `instance` where the CA gives them, and `visit`,
    the page that a person has to open.
    """
    details: dict[str, object] = {"problem": dict(document)}
    details |= _when(headers or {})
    instance = document.get("instance")
    if isinstance(instance, str):
        details["instance"] = clean(instance, MAX_URL_CHARS)
    kind = problem_type(document.get("type"))
    if visit := _visit(document, kind):
        details["visit"] = visit
    return AcmeError(_message(document, kind, details), kind, _status(document, status), details)


def problem_type(value: object) -> str:
    """Returns a problem type without the ACME prefix; "malformed" if the CA gave no type."""
    return clean(value, _MAX_TYPE_CHARS).removeprefix(_PREFIX) if isinstance(value, str) and value else "malformed"


def _when(headers: Mapping[str, str]) -> dict[str, object]:
    """Returns the seconds after which to come back, never too few, where the CA names them."""
    after = retry_after(headers)
    return {} if after is None else {"retry_after": math.ceil(after)}


def _visit(document: Mapping[str, Any], kind: str) -> str:
    """Returns where a person has to go: the instance (RFC 8555 section 7.3.3), or the https URL at the text's end."""
    instance = document.get("instance")
    if kind == "userActionRequired" and isinstance(instance, str) and (url := final_url(instance)) == instance:
        return url
    return final_url(_said(document, kind))


def _said(document: Mapping[str, Any], kind: str) -> str:
    return str(document.get("detail") or document.get("title") or kind)


def _status(document: Mapping[str, Any], status: int) -> int:
    stated = document.get("status")
    return stated if isinstance(stated, int) and 100 <= stated <= 599 and not isinstance(stated, bool) else status


def _message(document: Mapping[str, Any], kind: str, details: Mapping[str, object]) -> str:
    """Returns detail, subproblems by identifier (section 6.7.1), a page to visit (7.3.3), when to come back (6.6)."""
    message, end = clean_with_url(_said(document, kind)), ""
    if kind == "userActionRequired" and "instance" in details:
        end += f"; visit {clean(details['instance'], MAX_URL_CHARS)}"
    if "retry_after" in details:
        end += f"; try again in {details['retry_after']} s"
    end += f" [{kind}]"
    parts = _subproblems(document, MAX_SAID_CHARS - len(message) - len(end))
    return f"{message}{parts}{end}"


def _subproblems(document: Mapping[str, Any], most: int) -> str:
    """Returns as many of the subproblems as fit into so many characters."""
    listed = document.get("subproblems")
    found = [sub for sub in listed[:_MAX_SUBPROBLEMS] if isinstance(sub, dict)] if isinstance(listed, list) else []
    said: list[str] = []
    left = most - len(" (; and 100 more)")
    for sub in found:
        text = _subproblem(sub)
        if len(text) + 2 > left:
            said.append(f"and {len(found) - len(said)} more")
            break
        said.append(text)
        left -= len(text) + 2
    return f" ({'; '.join(said)})" if said else ""


def _subproblem(sub: Mapping[str, Any]) -> str:
    identifier = sub.get("identifier")
    name = identifier.get("value") if isinstance(identifier, dict) else None
    said = clean_with_url(_said(sub, problem_type(sub.get("type"))))
    return f"{clean(name)}: {said}" if name else said
