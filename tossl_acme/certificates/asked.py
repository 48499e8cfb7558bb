"""What a certificate was asked with, of what Issuance.as_json() returned: read without what issues certificates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ArgumentError
from ..files import FilePath
from ..http.options import ConnectionOptions
from .deploy import DEPLOY_SECONDS, kept_hook
from .plain import read_plain


def connection_of(data: Any) -> ConnectionOptions:
    """Returns how the CA is reached; the usual way where that does not say.

    No secret is read.
    """
    try:
        found = read_plain(ConnectionOptions, data["connection"])
    except (TypeError, ValueError, KeyError, OverflowError, ArgumentError):
        return ConnectionOptions()
    assert isinstance(found, ConnectionOptions)
    return found


def pem_file_of(data: Any) -> FilePath | None:
    """Returns where key and certificates are in one file besides."""
    try:
        found = read_plain(FilePath, data["pem_file"])
    except (TypeError, ValueError, KeyError):
        return None
    return found if isinstance(found, FilePath) else None


def needs_own_server(data: Any) -> bool:
    """Returns whether http-01 needs the web server of the program itself."""
    solvers = data.get("solvers") if isinstance(data, Mapping) else None
    if not isinstance(solvers, Mapping) or solvers.get("http01_response") is not True:
        return False
    from ..challenges.choice import may_be_http01

    return may_be_http01(list(map(str, solvers.get("challenge") or ())), has_provider=bool(solvers.get("provider")))


def deployment_of(data: Any) -> tuple[str, float]:
    """Returns the deploy command and how long it may take."""
    return kept_hook(data) if isinstance(data, Mapping) else ("", DEPLOY_SECONDS)
