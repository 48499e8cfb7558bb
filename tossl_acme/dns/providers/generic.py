"""Any HTTP service with the two requests of lego's httpreq provider.

https://go-acme.github.io/lego/dns/httpreq/ (2026-11-26)
"""

from __future__ import annotations

import json

from ...context import Context
from ...errors import ArgumentError, DnsError
from ...http.client import HttpRequest
from ..api import CREATING, DELETING, context_of, endpoint_url, exchange, provider_refusal
from ..provider import Credential, Habits, ProviderAccess


class Generic:
    """POSTs {"fqdn", "value"} to ENDPOINT/present and ENDPOINT/cleanup, with the API key as a bearer token."""

    name = "generic"
    credentials = (
        Credential("api_key", "a bearer token for the service", required=False),
        Credential("endpoint", "the service's URL", ("HTTPREQ_ENDPOINT",), secret=False, required=False),
    )
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        if not access.endpoint:
            raise ArgumentError("endpoint", "the DNS provider generic needs -endpoint, the service's URL")
        self._access = access
        self.endpoint = endpoint_url(access.endpoint)
        self._headers = {"Content-Type": "application/json"}
        if access.values["api_key"]:
            self._headers["Authorization"] = f"Bearer {access.values['api_key']}"

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Asks the service to add one TXT value beside the existing ones."""
        with context_of(CREATING):
            self._post(context, "present", fqdn, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Asks the service to delete this TXT value. It cannot list values, so a value must be given."""
        if value is None:
            cause = "the generic DNS provider cannot list records; give the value to delete with -value"
            raise DnsError(self.name, "unsupported", f"{DELETING}: {cause}")
        with context_of(DELETING):
            self._post(context, "cleanup", fqdn, value)
        return [value]

    def _post(self, context: Context, action: str, fqdn: str, value: str) -> None:
        url = f"{self.endpoint}/{action}"
        # lego sends the name with its final dot.
        data = json.dumps({"fqdn": f"{fqdn}.", "value": value}).encode()
        response = exchange(self._access.http, context, HttpRequest("POST", url, self._headers, data))
        if 200 <= response.status < 300:
            return
        raise provider_refusal(self._access, self.name, url, response, response.body.decode("utf-8", "replace"))


PROVIDER = Generic
