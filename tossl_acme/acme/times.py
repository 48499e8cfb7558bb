"""Times as CAs write them (RFC 3339)."""

from __future__ import annotations

import datetime
import re

#: "T" and "Z" may be small letters, and a second may be a leap second (sections 5.6 and 5.7).
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d):(\d\d)(\.\d{1,20})?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)


def epoch_seconds(text: str) -> float:
    """Returns epoch seconds for a time in RFC 3339; a leap second is the last moment of its minute.

    A time without its zone is in UTC. Raises ValueError for another text, OverflowError for a time that no clock shows.
    """
    found = _TIME.fullmatch(text)
    if found is None:
        raise ValueError("no RFC 3339 time")
    day, minute, second, fraction, zone = found.groups()
    if second == "60":
        second, fraction = "59", ".999999"
    zone = "+00:00" if zone in ("Z", "z", None) else zone
    return datetime.datetime.fromisoformat(f"{day}T{minute}:{second}{(fraction or '')[:7]}{zone}").timestamp()
