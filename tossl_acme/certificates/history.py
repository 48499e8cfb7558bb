"""When the certificates of a name were issued lately, kept in the record of the last: CAs limit how many they issue."""

from __future__ import annotations

from . import due

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .record import KeptCertificate

#: Seconds for which that is kept: the longest time over which Let's Encrypt counts.
HISTORY_SECONDS = 168 * 3600
_MOST_KEPT = 100


def issuances_before(kept: KeptCertificate | None) -> list[dict[str, object]]:
    """Returns the issuances of this name before the next: dicts at (epoch seconds), directory, domains, exempt.

    exempt: whether it took the place of another by its name in renewal information (RFC 9773 section 5), which Let's
    Encrypt does not count.
    """
    return issuances_of(kept)[-_MOST_KEPT:] if kept is not None else []


def issuances_of(kept: KeptCertificate) -> list[dict[str, object]]:
    """Returns the known issuances of this name, the last one included, that are not too long ago.

    What no CA has issued, but stands in for the first, is none.
    """
    found = [_read(one) for one in _listed(kept.record.get("history"))]
    about = {"directory": kept.directory, "domains": kept.domains, "exempt": bool(kept.record.get("exempt"))}
    last = [] if kept.is_self_signed else [{"at": kept.record["issued_at"], **about}]
    recent = due.now() - HISTORY_SECONDS
    return [one for one in (*found, *last) if one is not None and float(str(one["at"])) > recent]


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _read(one: object) -> dict[str, object] | None:
    if not isinstance(one, dict) or not due.is_time(one.get("at")) or not isinstance(one.get("domains"), list):
        return None
    about = {"directory": str(one.get("directory")), "exempt": one.get("exempt") is True}
    return {"at": one["at"], "domains": list(map(str, one["domains"])), **about}
