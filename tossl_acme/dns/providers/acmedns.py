"""acme-dns: a DNS server for validation records alone, to which CNAME records delegate the names.

https://github.com/joohoi/acme-dns/blob/master/README.md (2026-11-26)

An account holds the last two TXT values, and no value can be removed: the next ones take their place. So a name and its
wildcard are proven together, and two machines with one name need an account each.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import deque
from collections.abc import Iterator, MutableMapping
from dataclasses import asdict, dataclass
from typing import Any

from ...context import Backoff, Context
from ...errors import ArgumentError, DnsError, HttpError
from ...files import absolute, read_secret
from ...http.client import HttpRequest
from ...http.response import Response
from ...http.retry import MAX_RETRY_AFTER_SECONDS
from ...text import clean
from ..api import CREATING, DELETING, context_of, endpoint_url, may_pass, provider_refusal
from ..delegation import delegations
from ..hosted import NAME_LOCKS
from ..provider import Credential, Habits, ProviderAccess, canonical_name
from ..resolver import resolver_for
from ..zones import Zones

#: Attempts after a temporary failure, and the seconds before the first and the last of them.
_ATTEMPTS, _PAUSES_SECONDS = 4, (0.25, 2.0)
_MOST_FILE_BYTES, _FILE_SECONDS = 2**20, 5.0
_MOST_KEY_CHARS = 180
_WORD = r"[\x21-\x7e]{1,255}"


@dataclass(frozen=True)
class _Account:
    """An account. fulldomain: where its values are; empty if only its first label is known, which is subdomain."""

    username: str
    password: str
    subdomain: str
    fulldomain: str = ""

    @classmethod
    def read(cls, data: Any) -> _Account | None:
        """Returns the account in an answer or in a file, None for anything else."""
        words = [data.get(name) for name in ("username", "password", "subdomain", "fulldomain")] if data else []
        if len(words) != 4 or not all(isinstance(word, str) and re.fullmatch(_WORD, word) for word in words):
            return None
        return cls(words[0], words[1], words[2], canonical_name(words[3]))

    def is_at(self, fqdn: str) -> bool:
        """Returns whether the name is where its values are."""
        return fqdn == self.fulldomain if self.fulldomain else fqdn.startswith(f"{self.subdomain.lower()}.")


class AcmeDns:
    """Without an account it registers one for each domain, keeps that in the store, and says which CNAME to set.

    It asks for the CNAME record itself, so that a certificate is not ordered in vain.
    """

    name = "acmedns"
    credentials = (
        Credential(
            "endpoint", "the server's URL", ("ACME_DNS_API_BASE", "ACMEDNS_BASE_URL"), secret=False
        ),
        Credential("username", "an account's username", ("ACMEDNS_USERNAME",), required=False),
        Credential("password", "its password", ("ACMEDNS_PASSWORD",), required=False),
        Credential("subdomain", "its subdomain", ("ACMEDNS_SUBDOMAIN",), secret=False, required=False),
        Credential(
            "accounts_file", "lego's file of accounts, which is only read", ("ACME_DNS_STORAGE_PATH",),
            secret=False, required=False, is_path=True, pattern=r"[^\0\n]*",
        ),
        Credential(
            "allow_from", "addresses from which a new account may be updated, as 192.0.2.0/24,2001:db8::/32",
            ("ACME_DNS_ALLOWLIST",), secret=False, required=False, pattern=r"[0-9A-Fa-f:./, ]*",
        ),
    )  # fmt: skip
    habits = Habits(side_by_side=True)

    def __init__(self, access: ProviderAccess) -> None:
        self._access = access
        self.endpoint = endpoint_url(access.endpoint)
        self._given = _given(access)
        self._of_file = _read_file(access.values["accounts_file"])
        self._accounts: MutableMapping[str, str] | None = None
        #: The values that stand at each account, as far as it is known.
        self._standing: dict[str, deque[str]] = {}

    def keep_accounts(self, accounts: MutableMapping[str, str]) -> None:
        """Keeps new accounts there, and looks for them there."""
        self._accounts = accounts

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value, in the place of the one before the last. Registers an account if there is none."""
        # A name and its wildcard have one account.
        with context_of(CREATING), NAME_LOCKS.held(context, self.name, self.endpoint, fqdn):
            account = self._account(context, fqdn)
            standing = self._standing.setdefault(account.subdomain, deque(maxlen=2))
            if value not in standing:
                self._update(context, account, value)
                standing.append(value)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Sends nothing: acme-dns removes no value, the next ones take its place. Returns the given value."""
        if value is None:
            cause = f"{DELETING}: acme-dns cannot list or remove values; the next ones take their place"
            raise DnsError(self.name, "unsupported", cause)
        return [value]

    def _account(self, context: Context, fqdn: str) -> _Account:
        """Returns the account to which the name leads. Raises DnsError "record" that names a missing CNAME record."""
        for known in self._known():
            if known.is_at(fqdn):
                return known
        account = self._account_of(fqdn) or self._registered(context, fqdn)
        self._check_alias(context, fqdn, account)
        return account

    def _known(self) -> Iterator[_Account]:
        if self._given is not None:
            yield self._given
        yield from self._of_file.values()
        for key in self._accounts or ():
            if (kept := self._kept(key)) is not None:
                yield kept

    def _account_of(self, fqdn: str) -> _Account | None:
        """Returns the account that the record's own name has."""
        domain = _domain_of(fqdn)
        return self._given or self._of_file.get(domain) or self._kept(self._key(domain))

    def _kept(self, key: str) -> _Account | None:
        text = (self._accounts or {}).get(key, "")
        try:
            kept = json.loads(text) if text else {}
        except ValueError:
            return None
        return _Account.read(kept) if isinstance(kept, dict) and kept.get("server") == self.endpoint else None

    def _key(self, domain: str) -> str:
        digest = hashlib.sha256(f"{self.endpoint} {domain}".encode()).hexdigest()
        readable = re.sub("[^a-z0-9.-]", "_", domain)[:_MOST_KEY_CHARS].strip(".-")
        return f"{readable}-{digest[:8]}.json"

    def _registered(self, context: Context, fqdn: str) -> _Account:
        """Registers an account and keeps it; of two at the same time the first counts."""
        if self._accounts is None:
            cause = f"no account is known for {fqdn}, and there is no store to keep a new one in"
            raise DnsError(self.name, "credentials", f"{cause}; give username, password and subdomain")
        networks = [one.strip() for one in self._access.values["allow_from"].split(",") if one.strip()]
        answer = self._post(context, "register", {}, {"allowfrom": networks} if networks else {})
        account = _Account.read(answer)
        if account is None:
            raise DnsError(self.name, "answer", f"{self.endpoint} answered to the registration with no account")
        key = self._key(_domain_of(fqdn))
        text = json.dumps({"server": self.endpoint, "record": fqdn, **asdict(account)})
        self._accounts.setdefault(key, text)
        context.tell("dns_registered", record=fqdn, cname=account.fulldomain)
        return self._kept(key) or account

    def _check_alias(self, context: Context, fqdn: str, account: _Account) -> None:
        """Raises DnsError "record" if the DNS says that the name does not lead to the account."""
        target = account.fulldomain or f"the account's name, which begins with {account.subdomain}"
        try:
            found = delegations(context, Zones(resolver_for(self._access.resolvers)), [fqdn])[fqdn]
        except DnsError:
            return  # this machine has no resolver; the CA decides
        if found.trouble or account.is_at(found.published_name):
            return
        leads = f", not to {found.published_name}" if found.published_name != fqdn else ""
        cause = f"{fqdn} must lead to the account at acme-dns{leads}: set the record {fqdn}. CNAME {target}"
        error = DnsError(self.name, "record", cause + ("." if account.fulldomain else ""))
        error.details |= {"cname_name": fqdn, "cname_target": account.fulldomain}
        raise error

    def _update(self, context: Context, account: _Account, value: str) -> None:
        headers = {"X-Api-User": account.username, "X-Api-Key": account.password}
        self._post(context, "update", headers, {"subdomain": account.subdomain, "txt": value}, account)

    def _post(
        self, context: Context, action: str, headers: dict[str, str], body: dict[str, Any],
        account: _Account | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Returns the answer. Sends again only what was refused for now: a second update would remove a value."""
        request = HttpRequest(
            "POST", f"{self.endpoint}/{action}", {**headers, "Content-Type": "application/json"},
            json.dumps(body).encode(),
        )  # fmt: skip
        backoff = Backoff(*_PAUSES_SECONDS)
        for left in range(_ATTEMPTS - 1, -1, -1):
            response = self._access.http.exchange(context, request)
            if 200 <= response.status < 300:
                return self._object(response)
            error = self._refusal(response, account)
            pause = max(backoff.next(), response.retry_after or 0.0)
            if not left or not may_pass(error) or pause >= min(context.remaining(), MAX_RETRY_AFTER_SECONDS):
                raise error
            context.tell("dns_retry", message=error.message)
            context.sleep(pause, "provider")
        raise AssertionError

    def _object(self, response: Response) -> dict[str, Any]:
        try:
            return response.json_object()
        except HttpError as error:
            raise DnsError(self.name, "answer", error.cause) from None

    def _refusal(self, response: Response, account: _Account | None) -> DnsError:
        said = response.body.decode("utf-8", "replace")
        for secret in (account.username, account.password) if account is not None else ():
            said = said.replace(secret, "(hidden)")
        return provider_refusal(self._access, self.name, self.endpoint, response, said)


def _domain_of(fqdn: str) -> str:
    """Returns the domain that a validation record proves: the record's name without the labels with an underscore."""
    labels = fqdn.split(".")
    while len(labels) > 1 and labels[0].startswith("_"):
        del labels[0]
    return ".".join(labels)


def _given(access: ProviderAccess) -> _Account | None:
    """Returns the account of the options. Raises ArgumentError with the part that is missing."""
    words = {field: access.values[field] for field in ("username", "password", "subdomain")}
    if not any(words.values()):
        return None
    for field, value in words.items():
        if not value:
            raise ArgumentError(field, f"acmedns needs {field} beside the other parts of an account")
    return _Account(**words)


def _read_file(path: str) -> dict[str, _Account]:
    """Returns the accounts of lego's file by domain. Raises ArgumentError "accounts_file"."""
    if not path:
        return {}
    named = absolute(path)
    try:
        data = json.loads(read_secret(named, _MOST_FILE_BYTES, _FILE_SECONDS))
    except FileNotFoundError:
        return {}  # lego makes it at its first registration
    except (OSError, ValueError) as error:
        cause = clean(getattr(error, "strerror", "") or "it is not lego's file of accounts")
        raise ArgumentError("accounts_file", f"cannot read {named.shown}: {cause}") from None
    entries = data.items() if isinstance(data, dict) else ()
    found = {canonical_name(domain): _Account.read(entry) for domain, entry in entries if isinstance(entry, dict)}
    return {domain: account for domain, account in found.items() if account is not None}


PROVIDER = AcmeDns
