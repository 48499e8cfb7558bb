"""A certificate in one call."""

from __future__ import annotations

from ...errors import ArgumentError, shown
from ...scope import Scope
from .challenge import http01_solver
from .shared import client_for, leading, provider_for, required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...certificates.store import Store
    from ...challenges.solver import Solver


def obtain_certificate(
    domains: list[str],
    *,
    directory: str = "",
    email: str = "",
    challenge: str = "",
    webroot: str = "",
    port: int | None = None,
    provider: str = "",
    api_key: str = "",
    zone_id: str = "",
    endpoint: str = "",
    resolvers: list[str] = [],  # noqa: B006 - only read
    propagation_timeout: float = 300,
    account_key: str = "",
    key_type: str = "ec",
    store: str | None = None,
    ca_bundle: str = "",
    proxy: str = "",
    scope: Scope = Scope(600),
) -> dict[str, object]:
    """Gets a certificate: account, order, challenges, certificate, files. What it presents it cleans up.

    -directory is a URL or a CA's short name. -challenge http-01 takes -webroot or -port; dns-01 takes -provider,
    -api_key, -zone_id, -endpoint, -resolvers, -propagation_timeout as dns01_challenge does.
    -account_key (PEM): else the store's for this CA, else a new one. -key_type: ec (P-256), ec384, ec521, rsa (2048),
    rsa3072, rsa4096, rsa8192, ed25519. -store: a folder, else TOSSL_HOME or the XDG data home; empty stores nothing.
    Returns a dict domains certificate chain fullchain private_key not_before not_after (epoch seconds) issuer serial
    directory files; files is a dict of paths, empty where nothing is stored.
    Errors: those of the single steps, led by "Certificate not obtained".
    """
    from ...acme.account import contact_urls
    from ...acme.directory import directory_url
    from ...acme.identifiers import parse_identifiers
    from ...certificates.obtain import Plan, account_key_for, obtain

    identifiers = parse_identifiers(domains)
    url = directory_url(required("directory", directory, "a directory URL or a CA's short name"))
    contacts = contact_urls(email)
    solver = _solver(challenge, webroot, port, provider, api_key, zone_id, endpoint, resolvers, propagation_timeout,
                     ca_bundle, proxy)  # fmt: skip
    plan = Plan(identifiers, contacts, key_type)
    folder = _store(store)
    client = client_for(url, account_key_for(folder, url, account_key), ca_bundle, proxy)
    with leading("Certificate not obtained"):
        return obtain(client, scope, plan, [solver], folder).as_dict()


def _store(folder: str | None) -> Store | None:
    from pathlib import Path

    from ...certificates.store import Store, default_folder

    if folder == "":
        return None
    return Store(default_folder() if folder is None else Path(folder))


def _solver(
    challenge: str,
    webroot: str,
    port: int | None,
    provider: str,
    api_key: str,
    zone_id: str,
    endpoint: str,
    resolvers: list[str],
    propagation_timeout: float,
    ca_bundle: str,
    proxy: str,
) -> Solver:
    kind = challenge or ("dns-01" if provider else "http-01")
    if kind == "http-01":
        return http01_solver(webroot, port)
    if kind == "dns-01":
        from ...challenges.dns01 import Dns01
        from ...dns.propagation import PropagationCheck

        service = provider_for(
            required("provider", provider, "dns-01 needs a DNS provider"), api_key, zone_id, endpoint, ca_bundle, proxy
        )
        return Dns01(service, PropagationCheck(resolvers, propagation_timeout) if propagation_timeout > 0 else None)
    raise ArgumentError("challenge", f"challenge must be http-01 or dns-01, not {shown(challenge)}")
