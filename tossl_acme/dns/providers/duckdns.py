"""Duck DNS.

https://www.duckdns.org/spec.jsp (2026-11-26)

A domain has one TXT value, which all names below it show. A second one replaces the first: a name and its wildcard
cannot be proven in one order.
"""

from __future__ import annotations

import threading
from urllib.parse import urlencode

from ...context import Context, in_forked_child
from ...errors import DnsError
from ...http.client import HttpRequest
from ..api import CREATING, DELETING, context_of, endpoint_url, exchange, provider_refusal
from ..failure import LookupFailed
from ..hosted import NAME_LOCKS, check_record_name, is_within
from ..provider import Credential, Habits, ProviderAccess
from ..texts import seen_texts

ENDPOINT = "https://www.duckdns.org"
_ZONE = "duckdns.org"


class StandingValues:
    """The TXT value that this process published in each domain; Duck DNS does not tell it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, str], str] = {}

    def get(self, place: tuple[str, str]) -> str:
        """Returns the value, empty if none was published."""
        with self._lock:
            return self._values.get(place, "")

    def set(self, place: tuple[str, str], value: str) -> None:
        """Remembers a value; an empty one is forgotten."""
        with self._lock:
            self._values[place] = value
            if not value:
                del self._values[place]

    def reset(self) -> None:
        """Forgets every value. The records stay."""
        with self._lock:
            self._values.clear()

    def renew_lock(self) -> None:
        """Makes a new lock in a forked child, where no thread is left to release the old one."""
        self._lock = threading.Lock()


#: Those of this process.
STANDING = StandingValues()
in_forked_child(STANDING.renew_lock)


class DuckDns:
    """api_key is the account's token."""

    name = "duckdns"
    credentials = (Credential("api_key", "the account's token", ("DUCKDNS_TOKEN",)),)
    habits = Habits(side_by_side=False)

    def __init__(self, access: ProviderAccess) -> None:
        self._access = access
        self.endpoint = endpoint_url(access.endpoint or ENDPOINT)

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Sets the TXT value of the domain.

        Raises DnsError "record" while another value stands that this process published: it would be lost.
        """
        with context_of(CREATING):
            domain = self._domain(fqdn)
            with NAME_LOCKS.held(context, self.name, self.endpoint, domain):
                standing = STANDING.get((self.endpoint, domain))
                if standing not in ("", value):
                    cause = f"Duck DNS has one TXT value for {domain}.{_ZONE}, and another challenge needs it now"
                    advice = "prove a name and its wildcard one after the other, in orders of their own"
                    raise DnsError(self.name, "record", f"{cause}: {advice}")
                self._update(context, domain, txt=value)
                STANDING.set((self.endpoint, domain), value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Clears the TXT value of the domain, unless it is another one. Returns the removed values."""
        with context_of(DELETING):
            domain = self._domain(fqdn)
            with NAME_LOCKS.held(context, self.name, self.endpoint, domain):
                standing = STANDING.get((self.endpoint, domain))
                if value and self._has_other(context, fqdn, value, standing):
                    return []
                # Clears the TXT value alone: a request with txt does not touch the addresses.
                self._update(context, domain, txt="", clear="true")
                STANDING.set((self.endpoint, domain), "")
                return [one for one in (value or standing,) if one]

    def _has_other(self, context: Context, fqdn: str, value: str, standing: str) -> bool:
        """Returns whether another value stands. Asks the DNS where this process has published none."""
        if standing:
            return standing != value
        try:
            seen = seen_texts(context, fqdn, self._access.resolvers)
        except (LookupFailed, DnsError):
            return False
        return bool(seen) and value not in seen

    def _domain(self, fqdn: str) -> str:
        """Returns the label below duckdns.org."""
        check_record_name(self.name, fqdn)
        if not is_within(fqdn, _ZONE) or fqdn == _ZONE:
            raise DnsError(self.name, "zone", f"{fqdn} is not below {_ZONE}")
        return fqdn.removesuffix(f".{_ZONE}").rpartition(".")[2]

    def _update(self, context: Context, domain: str, **change: str) -> None:
        query = urlencode({"domains": domain, "token": self._access.values["api_key"], **change})
        response = exchange(self._access.http, context, HttpRequest("GET", f"{self.endpoint}/update?{query}"))
        said = response.body[:200].decode("utf-8", "replace").strip()
        if response.status == 200 and said.split()[:1] == ["OK"]:
            return
        is_denied = response.status == 200 and said.split()[:1] == ["KO"]
        if response.status == 200 and not is_denied:
            raise DnsError(self.name, "answer", f"{self.endpoint} answered neither OK nor KO")
        if is_denied:
            said = f"KO: the token is wrong, or its account does not have {domain}.{_ZONE}"
        raise provider_refusal(self._access, self.name, "Duck DNS", response, said, is_unauthorised=is_denied)


PROVIDER = DuckDns
