"""The responses to http-01 that a web server of the script's own gives: key authorizations by token, process-wide.

A web server may ask at every request, so this imports neither requests nor cryptography.
"""

from __future__ import annotations

from ..context import in_forked_child
from .elsewhere import BY_TOKEN, find_elsewhere
from .shown import Shown

_shown = Shown()
#: The tokens shown that anybody has asked for.
_asked: set[str] = set()


def show_response(token: str, key_authorization: str) -> None:
    """Answers the token from now on, in every thread and interpreter of the process."""
    _shown.put(token, key_authorization)


def hide_response(token: str, key_authorization: str) -> None:
    """Undoes one show_response()."""
    _shown.take(token, key_authorization)
    if _shown.get(token) is None:
        _asked.discard(token)


def response_to(token: str) -> str:
    """Returns the key authorization that answers the token now, here or on another node; empty for other texts."""
    found = _shown.get(token)
    if found is None:
        other = find_elsewhere(BY_TOKEN, token)
        return other.key_authorization if other is not None else ""
    _asked.add(token)
    return found


def unasked_hint(token: str) -> str:
    """Returns why a CA cannot have had the response, for a message; empty if anybody has asked for it."""
    if _shown.get(token) is None or token in _asked:
        return ""
    return (
        "nothing in this process has asked tossl::acme::http01_response for the token: its web server must answer "
        "/.well-known/acme-challenge/ on port 80 while this call is at work; a call without -command does not enter "
        "the event loop meanwhile"
    )


def reset() -> None:
    """Forgets every response; in a child process they are the parent's."""
    global _shown
    _shown = Shown()
    _asked.clear()


in_forked_child(reset)
