"""The error of a look-up, apart from what looks up: that imports a DNS library, which few certificates need."""

from __future__ import annotations


class LookupFailed(Exception):
    """The DNS gives no usable answer now; it may later.

    no_route: this machine has no route to the server. silent_resolver: the recursive servers, where none of them
    answered, or all refused; empty where one told of trouble behind it.
    """

    def __init__(self, cause: str, *, no_route: bool = False, silent_resolver: str = "") -> None:
        super().__init__(cause)
        self.no_route = no_route
        self.silent_resolver = silent_resolver
