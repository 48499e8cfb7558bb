"""The solver protocol, the options that a solver is made from, and the declaration of a challenge type."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, TypeGuard

from ..context import Context
from ..dns.options import ProviderOptions
from ..files import FilePath
from .ports import Port, check_port

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge
    from ..dns.provider import AccountKeeper
    from .seen import AskedAt, Seen


class Solver(Protocol):
    """Presents challenges to a CA. Several may be presented before the first is cleaned up, from several threads."""

    @property
    def challenge_type(self) -> str: ...

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        """Returns where it presents the challenge, as plain data, which tells it from another of its type.

        Empty where nothing outlives the process.
        """

    def present(self, context: Context, challenge: Challenge) -> None:
        """Presents the challenge. After an error clean_up() must still be called."""

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Waits until the CA can be expected to see it."""

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns the place of the presented challenge, for people and scripts: a file, a record or a port."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Removes exactly the result of present(). Succeeds if that is gone already."""


class StandingSolver(Solver, Protocol):
    """A solver whose proof stands before there is an order, so that it can be looked at."""

    @property
    def ends(self) -> int:
        """Returns when the first of the proofs ends that were seen, epoch seconds; 0 if none ends."""

    def check_standing(self, context: Context, challenge: Challenge) -> None:
        """Returns if the proof may serve, or that is not known. Raises DnsError "record" if it will not.

        The challenge is made from the order to come: `issuers` are the names in the CA's directory.
        """


class TogetherSolver(Solver, Protocol):
    """A solver that does more for several challenges together than for each."""

    def prepare(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Looks up what place_of() and present() need for these challenges. Presents nothing."""

    def wait_all(self, context: Context, challenges: Sequence[Challenge]) -> None:
        """Waits until the CA can be expected to see all of them."""

    def width(self, challenge: Challenge) -> int:
        """Returns how many challenges may be presented at the same time, by threads, where this one is."""

    def at(self, place: Mapping[str, str]) -> Solver | None:
        """Returns a solver that cleans up at a place of place_of(); None if this one has no access to it."""


class ServingSolver(Solver, Protocol):
    """A solver with a server of this process, which can answer what other nodes present as well."""

    @property
    def place(self) -> tuple[object, ...]:
        """Returns what tells its server from another."""

    @property
    def address(self) -> tuple[str, int]:
        """Returns where its server listens: the address, empty for every one, and the port's number."""

    def hold(self) -> int:
        """Keeps the server open until release(); returns its port. Raises ArgumentError "port"."""

    def release(self) -> None:
        """Undoes one hold()."""


def is_serving(solver: Solver) -> TypeGuard[ServingSolver]:
    """Returns whether it is a ServingSolver."""
    return hasattr(solver, "hold")


def is_standing(solver: Solver) -> TypeGuard[StandingSolver]:
    """Returns whether it is a StandingSolver; isinstance() of a Protocol takes 300 microseconds."""
    return hasattr(solver, "check_standing")


def is_together(solver: Solver) -> TypeGuard[TogetherSolver]:
    """Returns whether it is a TogetherSolver."""
    return hasattr(solver, "wait_all")


def keeps_accounts(solver: Solver) -> TypeGuard[AccountKeeper]:
    """Returns whether it is an AccountKeeper, as a solver through a DNS provider is."""
    return hasattr(solver, "keep_accounts")


@dataclass(frozen=True, repr=False)
class Aliases:
    """How CNAME records at records' names are found. follow: whether they are followed."""

    resolvers: tuple[str, ...] = ()
    follow: bool = True


@dataclass(frozen=True, repr=False)
class Propagation:
    """How a published record is waited for. mode: of PropagationCheck, "none", or "" for the usual one."""

    aliases: Aliases
    mode: str = ""
    timeout: float = 0.0

    @property
    def looks(self) -> bool:
        """Returns whether the DNS is asked for the record."""
        return self.timeout > 0 and self.mode != "none"


@dataclass(frozen=True, repr=False)
class SolverOptions:
    """How challenges can be presented, plain data.

    challenge: the words of -challenge. port: of the built-in http-01 server, None for no server. tls_port: of the
    built-in tls-alpn-01 server. propagation_timeout: seconds; 0 does not check. http01_response: whether the script's
    own web server answers http-01. propagation: a mode of PropagationCheck, or "none"; "" for the usual one.
    follow_cname: whether records are published where CNAME records at their names lead. check_caa: whether the CAA
    records of the names are looked at before an order.
    """

    challenge: tuple[str, ...] = ()
    webroot: FilePath | None = None
    port: Port | None = None
    tls_port: Port = 443
    provider: ProviderOptions | None = None
    resolvers: tuple[str, ...] = ()
    propagation_timeout: float = 300.0
    http01_response: bool = False
    propagation: str = ""
    follow_cname: bool = True
    check_caa: bool = True

    def __post_init__(self) -> None:
        """Raises ArgumentError("port") for what is no port."""
        for port in (self.port, self.tls_port):
            if port is not None:
                check_port(port)

    @property
    def propagating(self) -> Propagation:
        """Returns the options of the wait."""
        return Propagation(Aliases(self.resolvers, self.follow_cname), self.propagation, self.propagation_timeout)

    @classmethod
    def proving(cls, provider: ProviderOptions, propagation: Propagation) -> SolverOptions:
        """Returns the options for proving names through the DNS."""
        return cls(provider=provider).waiting(propagation)

    def waiting(self, propagation: Propagation) -> SolverOptions:
        """Returns these options with those of the wait."""
        return replace(
            self,
            resolvers=propagation.aliases.resolvers,
            follow_cname=propagation.aliases.follow,
            propagation=propagation.mode,
            propagation_timeout=propagation.timeout,
        )


@dataclass(frozen=True, eq=False, repr=False)
class ChallengeType:
    """The declaration of a challenge type, in its file.

    from_options: returns a solver; raises ArgumentError with the missing or wrong option.
    dns_label: for a type that a DNS record proves, a regular expression of the labels before the domain.
    at_place: returns a solver that can clean up at a place without credentials; None for a type that needs some.
    asked_by: how the CA asks a server for it, as elsewhere.py has it; empty for a type that no server answers.
    see: asks for the response as a CA does, at one address; None for a type that no address of the name proves.
    scheme: of the port at which CAs ask, in seen.PORTS.
    """

    name: str
    from_options: Callable[[SolverOptions], Solver]
    dns_label: str = ""
    at_place: Callable[[Mapping[str, str]], Solver] | None = None
    asked_by: str = ""
    see: Callable[[Context, Challenge, AskedAt], Seen] | None = None
    scheme: str = ""
