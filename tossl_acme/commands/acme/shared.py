"""What the adapters share: the client of an account, and errors led by what was being done."""

from __future__ import annotations

from ...errors import AcmeError, ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from ...acme.client import Client
    from ...challenges.solver import Proof
    from ...dns.provider import Provider


def client_for(directory_url: str, account_key: str, ca_bundle: str, proxy: str) -> Client:
    """The process's client of this account key at this CA; nothing is sent."""
    from ...wire import Route
    from ..session import SESSION

    return SESSION.client(directory_url, account_key, Route(ca_bundle, proxy))


def object_url(url: str, argument: str) -> str:
    """The https URL of an object at the CA. ArgumentError names the argument."""
    from ...acme.directory import check_url

    return check_url(url, argument)


def proof_for(domain: str, token: str, account_key: str) -> Proof:
    """What is to be shown for a name. Raises ArgumentError domains or token, or KeyFormatError."""
    from ...acme.identifiers import parse_identifiers
    from ...certificates.prove import key_authorization
    from ...challenges.solver import Proof
    from ..session import SESSION

    name = parse_identifiers([domain])[0].value
    authorization = key_authorization(token, SESSION.account_key(account_key).thumbprint)
    return Proof(name.removeprefix("*."), name.startswith("*."), token, authorization)


def provider_for(
    name: str, api_key: str, zone_id: str, endpoint: str, ca_bundle: str, proxy: str
) -> Provider:
    """The DNS provider of that name; nothing is sent."""
    from ...dns.provider import Credentials, open_provider
    from ...wire import Route
    from ..session import SESSION

    return open_provider(name, Credentials(api_key, zone_id, endpoint), SESSION.web(Route(ca_bundle, proxy)))


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
