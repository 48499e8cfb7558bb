"""What other nodes present: where this process looks for an answer that it does not show itself.

Whoever has such a place registers it here. A web server may ask at every request, so this imports neither requests nor
cryptography.
"""

from __future__ import annotations

from ..context import in_forked_child

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol
else:
    Protocol = object  # typing loads slowly

#: What a CA asks by: the token in a request, or the name in a TLS handshake.
BY_TOKEN, BY_NAME = "token", "server_name"
_TOKEN_CHARS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
_NAME_CHARS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-.")
#: Characters of a token, and of a name, that are looked for: no CA's are longer.
_MOST_CHARS = 255


class ElsewhereAnswer:
    """An answer to a challenge that another node presents, or another process. asked_by: what a CA asks by."""

    __slots__ = ("asked_by", "domain", "key_authorization", "token")

    def __init__(self, asked_by: str, domain: str, token: str, key_authorization: str) -> None:
        self.asked_by = asked_by
        self.domain = domain
        self.token = token
        self.key_authorization = key_authorization

    @property
    def key(self) -> tuple[str, str]:
        """Returns what a CA asks by, and for."""
        return self.asked_by, self.token if self.asked_by == BY_TOKEN else server_name(self.domain)

    @property
    def is_sound(self) -> bool:
        """Returns whether a CA may ask for this, and be given that (RFC 8555 section 8.1): a store may say anything."""
        token, _, thumbprint = self.key_authorization.partition(".")
        is_name = len(self.domain) <= _MOST_CHARS and is_asked_for(BY_NAME, server_name(self.domain))
        return is_name and token == self.token and all(is_asked_for(BY_TOKEN, one) for one in (token, thumbprint))


class Elsewhere(Protocol):
    """A place where other nodes leave their answers. Its methods may be called from any thread."""

    def find(self, asked_by: str, key: str) -> ElsewhereAnswer | None:
        """Returns the answer to what a CA asks for; None without one, or where none is known within 2 seconds."""


_places: tuple[Elsewhere, ...] = ()


def look_in(place: Elsewhere) -> None:
    """Has the responders of this process look there, until look_away(); may be called several times."""
    global _places
    _places = (*_places, place)


def look_away(place: Elsewhere) -> None:
    """Undoes one look_in()."""
    global _places
    places = list(_places)
    if place in places:
        places.remove(place)
    _places = tuple(places)


def find_elsewhere(asked_by: str, key: str) -> ElsewhereAnswer | None:
    """Returns the answer that another node presents to what a CA asks for.

    None for what no CA asks for: a scanner's paths and names cost nothing.
    """
    if _places and is_asked_for(asked_by, key):
        for place in dict.fromkeys(_places):
            if found := place.find(asked_by, key):
                return found
    return None


def is_asked_for(asked_by: str, key: str) -> bool:
    """Returns whether a CA may ask for this: a token that is base64url, or a name."""
    chars = _TOKEN_CHARS if asked_by == BY_TOKEN else _NAME_CHARS
    return 0 < len(key) <= _MOST_CHARS and chars.issuperset(key)


def server_name(domain: str) -> str:
    """Returns the SNI with which a CA asks for the domain: for an IP address its reverse name (RFC 8738 section 6)."""
    import ipaddress  # loads slowly

    try:
        return ipaddress.ip_address(domain).reverse_pointer
    except ValueError:
        return domain.lower()


def reset() -> None:
    """Forgets all places; a child process registers its own."""
    global _places
    _places = ()


in_forked_child(reset)
