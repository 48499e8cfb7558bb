"""The error of a look-up, apart from what looks up: that imports a DNS library, which few certificates need."""

from __future__ import annotations


class LookupFailed(Exception):
    """The DNS gives no usable answer now; it may later. no_route: this machine has no route to the server."""

    def __init__(self, cause: str, *, no_route: bool = False) -> None:
        super().__init__(cause)
        self.no_route = no_route
