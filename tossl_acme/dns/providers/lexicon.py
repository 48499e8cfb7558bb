"""The providers of dns-lexicon, about 90: `lexicon:NAME`. Needs the extra `lexicon`.

https://dns-lexicon.github.io/dns-lexicon/providers_options.html (2026-11-26)

The library waits in its own sockets, without a limit. It runs in a thread, which is left behind at the deadline of the
call: what it began may still be done then. -ca_bundle, -proxy and -verify_ssl do not reach it.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn, TypeVar

from ...context import Context
from ...errors import ArgumentError, DnsError, HttpError, TosslError, before_change
from ...http.response import retry_after
from ...text import clean
from ..api import CREATING, DELETING, context_of, may_pass
from ..hosted import NAME_LOCKS, CandidateZones, check_record_name
from ..library import call_library, load_library
from ..provider import Credential, Habits, ProviderAccess
from ..txt import txt_value

_T = TypeVar("_T")

#: Characters of the library's or of a server's text in a message.
_MOST_WORDS_CHARS = 300
#: Variables of the library with these in their names are not shown.
_SECRET = re.compile(r"TOKEN|PASS|SECRET|KEY|AUTH")
_WHAT = "provider"
_ANY_ZONE = "example.com"
#: Seconds before another attempt; the service's Retry-After makes them longer.
PAUSES_SECONDS = (0.5, 1.0, 2.0)


class Lexicon:
    """The credentials are the options of the library's provider, with underscores: auth_token, auth_username, ...

    A missing one is taken from the library's own variables: LEXICON_NAME_AUTH_TOKEN. api_key stands for auth_token.
    """

    name = "lexicon"
    credentials: tuple[Credential, ...] = ()
    has_variants = True
    # Many of its providers read and write a whole zone at once.
    habits = Habits(side_by_side=False)

    def __init__(self, access: ProviderAccess) -> None:
        if access.endpoint:
            raise ArgumentError("endpoint", "lexicon takes no -endpoint; some of its providers have an option for it")
        self._variant = access.variant
        self.name = f"lexicon:{access.variant}"
        self.endpoint = self.name
        self._access = access
        self._module = _provider_module(self.name, access.variant)
        self._options = _options_of(self._module)
        self._given = self._given_options(access.values)
        self._check_options()
        self._candidates = CandidateZones(access.resolvers)
        self._zones: dict[str, str] = {}

    def publish(self, context: Context, fqdn: str, value: str) -> None:
        """Adds one TXT value beside the existing ones. Succeeds if the value exists already."""

        def add(service: Any) -> None:
            if value not in map(txt_value, self._contents(service, fqdn)):
                done = service.create_record("TXT", fqdn, value)
                if not done:
                    raise DnsError(self.name, "refused", f"{self.name} did not create the record, and gave no reason")

        with context_of(CREATING):
            self._run(context, fqdn, add)

    def remove(self, context: Context, fqdn: str, value: str | None) -> list[str]:
        """Deletes this TXT value, or with None every TXT value at the name. Returns the deleted values."""

        def delete(service: Any) -> list[str]:
            chosen = [one for one in self._contents(service, fqdn) if value is None or txt_value(one) == value]
            for content in chosen:
                service.delete_record(None, "TXT", fqdn, content)
            left = {*map(txt_value, self._contents(service, fqdn))} & {*map(txt_value, chosen)} if chosen else ()
            if left:
                raise DnsError(self.name, "refused", f"{self.name} did not delete the record, and gave no reason")
            return [txt_value(one) for one in chosen]

        with context_of(DELETING):
            return self._run(context, fqdn, delete)

    def _run(self, context: Context, fqdn: str, work: Callable[[Any], _T]) -> _T:
        """Returns the outcome of work on the service of the name's zone, in a thread of its own."""
        with before_change():
            check_record_name(self.name, fqdn)
            candidates = self._candidate_zones(context, fqdn)
        with NAME_LOCKS.held(context, self.name, *fqdn.split(".")[-2:]):
            for pause in (*PAUSES_SECONDS, 0.0):
                try:
                    return call_library(context, self.name, lambda: self._worked(fqdn, candidates, work))
                except (DnsError, HttpError) as error:
                    seconds = max(pause, float(str(error.details.get("retry_after", 0))))
                    if not pause or not may_pass(error) or seconds >= context.remaining():
                        raise
                context.tell("dns_retry", seconds=round(seconds, 3))
                context.sleep(seconds, _WHAT)
            raise AssertionError("the last attempt returned nothing")

    def _candidate_zones(self, context: Context, fqdn: str) -> list[str]:
        if self._access.zone_id:
            return [self._access.zone_id]
        known = self._zones.get(fqdn)
        return [known] if known else self._candidates.names(context, fqdn)

    def _worked(self, fqdn: str, candidates: list[str], work: Callable[[Any], _T]) -> _T:
        try:
            service = self._service(fqdn, candidates)
            try:
                return work(service)
            finally:
                service.cleanup()
        except TosslError:
            raise
        except Exception as error:  # noqa: BLE001 - the library's providers raise whatever they like
            raise self._failure(error) from None

    def _service(self, fqdn: str, candidates: list[str]) -> Any:
        """Returns the library's provider, authenticated for the first zone that the account has."""
        failures: list[Exception] = []
        for zone in candidates:
            service = self._opened(zone)
            try:
                service.authenticate()
            except Exception as error:
                # It says in any way that it has no such zone.
                if _status(error) in (401, 429) or _status(error) >= 500 or _is_lost(error):
                    raise
                failures.append(error)
                continue
            self._zones[fqdn] = zone
            return service
        first = self._failure(failures[0])
        if _status(failures[0]) == 403:
            raise first
        asked = ", ".join(candidates)
        raise DnsError(self.name, "zone", f"no zone for {fqdn} (looked for {asked}): {first.message}")

    def _check_options(self) -> None:
        """Raises ArgumentError "credentials" for options with which the library's provider cannot be made."""
        cause = ""
        if not self._given.get("ttl", "1").isdigit():
            cause = "ttl is not a number of seconds"
        else:
            try:
                self._module.Provider(self._config(_ANY_ZONE))
            except Exception as error:  # noqa: BLE001 - as above; it sends nothing yet
                cause = self._words(error)
        if cause:
            takes = ", ".join(self._options)
            raise ArgumentError("credentials", f"{self.name} refuses its credentials: {cause}; it takes {takes}")

    def _opened(self, zone: str) -> Any:
        return self._module.Provider(self._config(zone))

    def _config(self, zone: str) -> Any:
        config = importlib.import_module("lexicon.config").ConfigResolver()
        # ddns looks for the domain among its own options.
        own = {"domain": zone, **{name: value for name, value in self._given.items() if name != "ttl"}}
        common = {"provider_name": self._variant, "domain": zone}
        ttl = {"ttl": int(self._given["ttl"])} if self._given.get("ttl", "").isdigit() else {}
        defaults = {name: value for name, value in self._options.items() if value is not None}
        return config.with_dict({**common, **ttl, self._variant: own}).with_env().with_dict({self._variant: defaults})

    def _contents(self, service: Any, fqdn: str) -> list[str]:
        found = service.list_records("TXT", fqdn)
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise DnsError(self.name, "answer", f"{self.name} returned no list of records")
        return [str(one.get("content", "")) for one in found]

    def _given_options(self, values: Mapping[str, str]) -> dict[str, str]:
        """Returns the given options by the library's names. Raises ArgumentError for one that there is not."""
        given = {}
        for key, value in values.items():
            name = key.lower().removeprefix("lexicon_").removeprefix(f"{self._variant}_")
            if name == "api_key" and name not in self._options:
                name = "auth_token"
            if name in (*self._options, "ttl"):
                given[name] = value
            elif value and key not in ("zone_id", "endpoint") and not key.isupper():  # a file has those of others too
                field = key if re.fullmatch(r"[a-z][a-z0-9_]{0,40}", key) else "credentials"
                takes = ", ".join(self._options)
                raise ArgumentError(field, f"the DNS provider {self.name} takes no {field}; it takes {takes}")
        return given

    def _failure(self, error: Exception) -> TosslError:
        """Returns our error for the library's, without a secret."""
        status = _status(error)
        words = self._words(error)
        if status:
            said = clean(self._hidden(str(getattr(_response(error), "text", ""))), _MOST_WORDS_CHARS)
            cause = f"its service answered {status}: {said or 'no reason given'}"
            refusal = DnsError(self.name, "credentials" if status in (401, 403) else "refused", f"{self.name}: {cause}")
            refusal.details["status"] = status
            if wanted := retry_after(getattr(_response(error), "headers", {})):
                refusal.details["retry_after"] = round(wanted)
            return refusal
        if _is_lost(error):
            return HttpError("connect", f"{self.name}: {words}")
        is_denied = type(error).__name__ == "AuthenticationError"
        return DnsError(self.name, "credentials" if is_denied else "refused", f"{self.name}: {words}")

    def _words(self, error: Exception) -> str:
        return clean(self._hidden(str(error)), _MOST_WORDS_CHARS) or type(error).__name__

    def _hidden(self, text: str) -> str:
        text = self._access.hidden(text)
        for variable, value in os.environ.items():
            if variable.startswith("LEXICON_") and _SECRET.search(variable) and len(value) >= 4:
                text = text.replace(value, "(hidden)")
        return text


def _provider_module(name: str, variant: str) -> ModuleType:
    """Returns the library's module of a provider. Raises DnsError "unsupported"."""
    discovery = load_library(name, "lexicon._private.discovery", "lexicon")
    available = discovery.find_providers()
    if not re.fullmatch(r"[a-z0-9_-]{1,24}", variant):
        name = "lexicon:unknown"  # a token in the name's place must not be shown
    # The library's `auto` guesses a provider from the DNS.
    names = sorted(set(available) - {"auto"})
    if variant not in names:
        raise DnsError(name, "unsupported", f"Provider not supported: {name} (lexicon has {', '.join(names)})")
    # It warns on standard error where nobody listens.
    logging.getLogger("lexicon").addHandler(logging.NullHandler())
    try:
        if not available[variant]:
            raise ImportError
        module: ModuleType = discovery.load_provider_module(variant)
    except ImportError:
        advice = f"pip install 'dns-lexicon[{variant}]'"
        raise DnsError(name, "unsupported", f"Provider not supported: {name} needs more packages: {advice}") from None
    _keep_offline(module)
    return module


def _keep_offline(module: ModuleType) -> None:
    """Gives a module that splits names at public suffixes the list that came with tldextract.

    By itself, tldextract downloads the list and keeps it in HOME.
    """
    if isinstance(getattr(module, "tldextract", None), ModuleType):
        extract = importlib.import_module("tldextract").TLDExtract(suffix_list_urls=(), cache_dir=None)
        module.tldextract = SimpleNamespace(extract=extract)  # type: ignore[attr-defined]


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def _options_of(module: ModuleType) -> dict[str, Any]:
    """Returns the options of a provider, with their default values."""
    parser = _Options(add_help=False)
    module.Provider.configure_parser(parser)
    return dict(vars(parser.parse_args([])))


def _response(error: Exception) -> Any:
    return getattr(error, "response", None)


def _is_lost(error: Exception) -> bool:
    """Returns whether an exchange brought no answer; requests' errors are OSErrors."""
    return isinstance(error, OSError) and _response(error) is None


def _status(error: Exception) -> int:
    """Returns the HTTP status of an error of requests, 0 if it has none."""
    status = getattr(_response(error), "status_code", 0)
    return status if isinstance(status, int) else 0


PROVIDER = Lexicon
