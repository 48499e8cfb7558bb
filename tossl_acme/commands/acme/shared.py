"""What the adapters share: the client of an account, and errors led by what was being done."""

from __future__ import annotations

from ...errors import AcmeError, ArgumentError
from ...text import path_default

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ...acme.account import ExternalAccountBinding
    from ...acme.authorization import Challenge
    from ...acme.client import Client
    from ...acme.order import OrderOptions
    from ...dns.provider import ProviderOptions
    from ...files import FilePath
    from ...identifiers import Identifier
    from ...store.folder import FolderStore


def client_for(directory_url: str, account_key: str, ca_bundle: str, proxy: str) -> Client:
    """The process's client of this account key at this CA; nothing is sent."""
    from ...acme import clients
    from ...http.options import ConnectionOptions

    return clients.client_for(directory_url, account_key, ConnectionOptions(ca_bundle, proxy))


def binding_for(directory_url: str, eab_kid: str, eab_hmac_key: str, eab_alg: str) -> ExternalAccountBinding | None:
    """The external account binding that the options say; nothing is sent.

    None without any of them. ArgumentError "eab_kid" where the CA is known to take no account without.
    """
    from ...acme.account import ExternalAccountBinding, unbound
    from ...acme.public_cas import directory_url as url_of
    from ...acme.public_cas import needs_binding

    url = url_of(directory_url)
    if eab_kid or eab_hmac_key:
        return ExternalAccountBinding.parse(eab_kid, eab_hmac_key, eab_alg)
    if needs_binding(url):
        raise unbound(url)
    return None


def order_options(not_before: str, not_after: str, profile: str = "", replaces: str = "") -> OrderOptions:
    """What an order says beside its names. ArgumentError not_before, not_after, replaces."""
    from ...acme.order import OrderOptions, replaced_id, rfc3339_time

    start, end = rfc3339_time(not_before, "not_before"), rfc3339_time(not_after, "not_after")
    if start and end and start >= end:
        raise ArgumentError("not_after", "not_after must be later than not_before")
    return OrderOptions(start, end, profile, _cert_id(replaces) if "-----BEGIN" in replaces else replaced_id(replaces))


def _cert_id(certificate: str) -> str:
    from ...pki.chain import cert_id, read_certificate

    return cert_id(read_certificate(certificate))


def object_url(url: str, argument: str) -> str:
    """The https URL of an object at the CA. ArgumentError names the argument."""
    from ...acme.urls import https_url

    return https_url(url, argument)


def one_identifier(domain: str) -> Identifier:
    """What one name is to the CA. Raises ArgumentError domains."""
    from ...identifiers import parse_identifier

    return parse_identifier(domain, "domains")


def challenge_for(kind: str, domain: str, token: str, account_key: str, account_url: str = "") -> Challenge:
    """A challenge as the user describes it. Raises ArgumentError domains or token, or KeyFormatError."""
    from ...acme.authorization import Challenge
    from ...acme.clients import account_key_of

    return Challenge.from_words(kind, domain, token, account_key_of(account_key), account_url, "domains")


def provider_options(
    name: str, api_key: str, zone_id: str, endpoint: str, ca_bundle: str, proxy: str
) -> ProviderOptions:
    """What a script says about its DNS provider."""
    from ...dns.provider import ProviderOptions
    from ...http.options import ConnectionOptions
    from ...text import Secret

    credentials = {"api_key": Secret(api_key)}
    return ProviderOptions(name, credentials, zone_id, endpoint, ConnectionOptions(ca_bundle, proxy))


class leading:
    """What the CA refuses is raised as "<context>: <the CA's words>"."""

    def __init__(self, context: str) -> None:
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, AcmeError):
            error.within(self._context)


def required(argument: str, value: str, hint: str) -> str:
    """An option that has no default. ArgumentError names it."""
    if not value:
        raise ArgumentError(argument, f"-{argument} is required: {hint}")
    return value


def _folder_of_environment() -> tuple[str, str]:
    from ...store.folder import folder_of_environment

    return folder_of_environment()


#: What -store is where it is not given.
DEFAULT_STORE = path_default(_folder_of_environment)


def store_in(folder: FilePath) -> FolderStore | None:
    """The store in that folder; None for the empty path."""
    from ...store.folder import FolderStore

    return FolderStore(folder) if folder else None
