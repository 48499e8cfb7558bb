"""What every challenge type has in common."""

from __future__ import annotations

from typing import Protocol

from ..acme.authorization import Challenge
from ..context import Context


class Solver(Protocol):
    """Presents challenges to a CA. Several may be presented before the first is cleaned up, from several threads."""

    @property
    def challenge_type(self) -> str: ...

    def present(self, context: Context, challenge: Challenge) -> None:
        """Presents the challenge. Where it raises, clean_up() is still to be called."""

    def where(self, challenge: Challenge) -> dict[str, object]:
        """Returns where it is presented, for people and their scripts: a file, a record or a port."""

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Waits until the CA can be expected to see it."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes exactly what present() made; nothing where that is gone already."""
