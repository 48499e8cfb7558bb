"""External account bindings that a CA gives for a mail address alone, as ZeroSSL does.

https://zerossl.com/documentation/acme/generate-eab-credentials and .../acme/error-codes (2026-11-26): the answer is
{"success": 1, "eab_kid": ..., "eab_hmac_key": ...}, or {"success": false, "error": {"code": 2904, "type": ...}}.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from ..context import Context
from ..errors import AcmeError, HttpError, TosslError
from ..http.client import HttpClient, HttpRequest
from ..http.response import Response
from ..http.urls import shown_url
from ..text import clean, masked
from .problem import problem_error
from .public_cas import binding_url

_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_MOST_BYTES = 1 << 16
_MAILTO = "mailto:"
#: Its codes for what passes: no binding can be made or kept just now.
_DOWN = (2902, 2903)
#: Its codes for too many bindings: today, or of this mail address.
_TOO_MANY = (2904, 2905)
#: No code has as many digits.
_MOST_CODE_CHARS = 9
_OTHERWISE = "give -eab_kid and -eab_hmac_key from the CA's website"


def may_be_mailed(directory: str, contact: Sequence[str]) -> bool:
    """Returns whether the CA gives a binding for a mail address among these contacts."""
    return bool(binding_url(directory)) and bool(_address(contact))


def mailed_binding(context: Context, http: HttpClient, directory: str, contact: Sequence[str]) -> tuple[str, str]:
    """Returns the key id and the key (base64url) of a binding for the first mail address. Sends one request.

    Raises AcmeError: rateLimited for too many bindings, serverInternal for a CA that has none just now,
    externalAccountRequired for another refusal; and HttpError.
    """
    try:
        return _mailed(context, http, binding_url(directory), contact)
    except TosslError as error:
        error.is_of_binding = True
        raise


def unusable_binding(directory: str) -> HttpError:
    """Returns the error for a binding whose key id or key breaks RFC 8555 section 7.3.4."""
    cause = f"{shown_url(binding_url(directory))} gave a binding for -email that cannot be used; {_OTHERWISE}"
    return HttpError("malformed", cause)


def _mailed(context: Context, http: HttpClient, url: str, contact: Sequence[str]) -> tuple[str, str]:
    data = urlencode({"email": _address(contact)}).encode()
    response = http.exchange(context, HttpRequest("POST", url, _FORM, data, most_bytes=_MOST_BYTES))
    answer = _answer(response)
    kid, key = answer.get("eab_kid"), answer.get("eab_hmac_key")
    if response.status < 300 and answer.get("success") and isinstance(kid, str) and isinstance(key, str):
        context.tell("binding", url=url)
        return kid, key
    raise _refusal(response, answer)


def _address(contact: Sequence[str]) -> str:
    return next((one[len(_MAILTO) :] for one in contact if one.lower().startswith(_MAILTO)), "")


def _answer(response: Response) -> Mapping[str, Any]:
    """Returns the object of the answer. Raises HttpError "status" for a refusal without one, else "malformed"."""
    try:
        return response.json_object()
    except HttpError:
        if response.status < 300:
            raise
    raise problem_error(response)


def _refusal(response: Response, answer: Mapping[str, Any]) -> AcmeError:
    error = answer.get("error")
    told = error if isinstance(error, Mapping) else {}
    code = _code(told.get("code"))
    said_by = (each for each in (told.get("type"), told.get("message"), error) if isinstance(each, str) and each)
    text = clean(masked(clean(next(said_by, ""), 200)), 200)
    cause = f"{shown_url(response.url)} gave no binding for -email"
    said = f": {text} ({code})" if code and text else f": {text}" if text else ""
    details = {} if response.retry_after is None else {"retry_after": math.ceil(response.retry_after)}
    if code in _TOO_MANY or response.status == 429:
        return AcmeError(f"{cause}{said}; {_OTHERWISE}", "rateLimited", response.status, details)
    if code in _DOWN or response.status >= 500:
        return AcmeError(f"{cause}{said}; try again later, or {_OTHERWISE}", "serverInternal", response.status, details)
    return AcmeError(f"{cause}{said}; {_OTHERWISE}", "externalAccountRequired", response.status, details)


def _code(value: object) -> int:
    """Returns an error's number; 0 without one."""
    text = "" if isinstance(value, bool) else str(value)[: _MOST_CODE_CHARS + 1]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_CODE_CHARS else 0
