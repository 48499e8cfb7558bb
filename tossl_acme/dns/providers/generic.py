"""Any HTTP service that takes the two requests of lego's httpreq provider: https://go-acme.github.io/lego/dns/httpreq/"""

from __future__ import annotations

import json

from ...context import Context
from ...errors import ArgumentError, DnsError
from ...http.client import HttpClient
from ...text import clean
from ..api import CREATING, DELETING, MOST_WORDS, exchange, leading
from ..credentials import Credentials, check_endpoint
from ..names import normal_name


class Generic:
    """POSTs {"fqdn", "value"} to ENDPOINT/present and ENDPOINT/cleanup, with the API key as a bearer token."""

    name = "generic"

    def __init__(self, credentials: Credentials, http: HttpClient) -> None:
        if not credentials.endpoint:
            raise ArgumentError("endpoint", "the generic DNS provider needs an endpoint")
        self._credentials = credentials
        self.endpoint = check_endpoint(credentials.endpoint)
        self._headers = {"Content-Type": "application/json"}
        if credentials.api_key:
            self._headers["Authorization"] = f"Bearer {credentials.api_key}"
        self._http = http

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Asks for one TXT value beside those that are there."""
        with leading(CREATING):
            self._post(context, "present", fqdn, value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Asks to delete this TXT value. The service cannot list values, so one must be named."""
        if value is None:
            cause = "the generic DNS provider cannot list what is there: the value to delete must be named"
            raise DnsError(self.name, "unsupported", f"{DELETING}: {cause}")
        with leading(DELETING):
            self._post(context, "cleanup", fqdn, value)
        return [value]

    def _post(self, context: Context, action: str, fqdn: str, value: str) -> None:
        url = f"{self.endpoint}/{action}"
        # lego sends the name with its final dot.
        data = json.dumps({"fqdn": normal_name(fqdn) + ".", "value": value}).encode()
        response = exchange(self._http, context, "POST", url, self._headers, data)
        if 200 <= response.status < 300:
            return
        kind = "credentials" if response.status in (401, 403) else "refused"
        said = self._credentials.hidden(response.body.decode("utf-8", "replace"))
        cause = clean(said, MOST_WORDS) or "no reason given"
        raise DnsError(self.name, kind, f"{url} answered {response.status}: {cause}")
