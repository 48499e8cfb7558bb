"""Adds the commands ::tossl::probe::* to those of the package; the tests' own Python environment imports this."""

from __future__ import annotations

import tossl_acme.commands
from tossl_acme.commands import groups

tossl_acme.commands.__path__.append(__file__.rpartition("/")[0])
tossl_acme.commands.PACKAGES["tossl"] += ("tossl_acme.commands.probe",)


def place(*, shift: int = 0) -> Place:  # type: ignore[name-defined] # noqa: F821 - asks for the group by its text
    """Where this group's object is made."""
    from threading import get_ident

    return get_ident() + shift


groups.GROUPS["Place"] = place
