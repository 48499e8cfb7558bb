"""Out of the words of obtain_certificate's -challenge and what goes with it: who proves which name."""

from __future__ import annotations

from dataclasses import dataclass, field

from ...errors import ArgumentError
from ...text import quoted
from .challenge import http01_solver, tls_alpn01_solver
from .dns_challenge import propagation_check
from .shared import provider_for, required

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...certificates.solve import Choice
    from ...challenges.dns01 import Dns01
    from ...challenges.solver import Solver
    from ...files import FilePath
    from ...identifiers import Identifier

KINDS = ("http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01")
_DEFAULT = "default"


@dataclass(frozen=True)
class Means:
    """The options that say how challenges can be shown."""

    webroot: FilePath | None
    port: int | None
    tls_port: int
    provider: str
    api_key: str = field(repr=False)
    zone_id: str
    endpoint: str
    resolvers: list[str]
    propagation_timeout: float
    ca_bundle: str
    proxy: str


def choose(words: Sequence[str], identifiers: Sequence[Identifier], means: Means) -> Choice:
    """Solvers for all names as -challenge says: a list of types in order of preference, or a dict by name.

    It is a list if its first word is a challenge type: no name that a certificate can have looks like that. A dict's
    values are such lists, its keys are names of the certificate, and "default" stands for those not in it.
    """
    from ...certificates.solve import Choice

    if not words:
        words = ["dns-01" if means.provider else "http-01"]
    opened: dict[str, Solver] = {}
    if words[0] in KINDS:
        return Choice(_solvers(words, means, opened))
    by_name = _by_name(words, identifiers)
    chosen = {name: _solvers(kinds, means, opened) for name, kinds in by_name.items()}
    return Choice(chosen.pop(_DEFAULT, ()), chosen)


def _by_name(words: Sequence[str], identifiers: Sequence[Identifier]) -> dict[str, list[str]]:
    """Challenge types by the name as it stands in the order."""
    from ...identifiers import parse_identifiers

    if len(words) % 2:
        raise _neither(words[0])
    wanted = [identifier.value for identifier in identifiers]
    found: dict[str, list[str]] = {}
    for key, kinds in zip(words[::2], words[1::2], strict=True):
        if "." not in key and ":" not in key and key != _DEFAULT and key not in wanted:
            raise _neither(key)
        name = key if key == _DEFAULT else parse_identifiers([key])[0].value
        if name != _DEFAULT and name not in wanted:
            raise ArgumentError("challenge", f"challenge names {quoted(key)}, which is not one of the domains")
        found[name] = kinds.split()
    for name in wanted:
        if name not in found and _DEFAULT not in found:
            raise ArgumentError("challenge", f"challenge says nothing of {quoted(name)}, and has no {_DEFAULT}")
    return found


def _neither(word: str) -> ArgumentError:
    return ArgumentError("challenge", f"challenge: {quoted(word)} is none of {', '.join(KINDS)}, and no domain")


def _solvers(kinds: Sequence[str], means: Means, opened: dict[str, Solver]) -> tuple[Solver, ...]:
    if not kinds:
        raise ArgumentError("challenge", "challenge: a domain has an empty list of challenge types")
    return tuple(opened.get(kind) or opened.setdefault(kind, _solver(kind, means)) for kind in dict.fromkeys(kinds))


def _solver(kind: str, means: Means) -> Solver:
    if kind == "http-01":
        return http01_solver(means.webroot, means.port)
    if kind == "tls-alpn-01":
        return tls_alpn01_solver(means.tls_port)
    if kind == "dns-persist-01":
        from ...challenges.dns_persist01 import DnsPersist01

        return DnsPersist01()
    if kind in ("dns-01", "dns-account-01"):
        return _dns_solver(kind, means)
    raise _neither(kind)


def _dns_solver(kind: str, means: Means) -> Dns01:
    from ...challenges.dns01 import Dns01
    from ...challenges.dns_account01 import DnsAccount01
    from ...dns.published import PUBLISHED

    name = required("provider", means.provider, f"{kind} needs a DNS provider")
    service = provider_for(name, means.api_key, means.zone_id, means.endpoint, means.ca_bundle, means.proxy)
    check = propagation_check(means.resolvers, means.propagation_timeout)
    return (Dns01 if kind == "dns-01" else DnsAccount01)(service, check, PUBLISHED)
