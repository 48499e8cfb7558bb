"""http-01 (RFC 8555 section 8.3): through the folder of a web server, or by a small server of this process."""

from __future__ import annotations

from ..errors import ArgumentError
from .http_server import HttpResponder
from .presented import RESPONDERS
from .responders import ResponderPool, ResponderSolver
from .solver import ChallengeType, SolverOptions
from .webroot import Webroot


class HttpServerSolver(ResponderSolver):
    """Answers with a small http server on a port."""

    challenge_type = "http-01"

    def __init__(self, responders: ResponderPool, port: int = 80) -> None:
        super().__init__(responders, HttpResponder, lambda challenge: challenge.token, port)


def http01_solver(options: SolverOptions) -> Webroot | HttpServerSolver:
    """Returns the solver for either a folder or a port. Raises ArgumentError("webroot") or ("port")."""
    if bool(options.webroot) == (options.port is not None):
        raise ArgumentError("webroot", "http-01 needs either -webroot or -port")
    if options.webroot:
        return Webroot(options.webroot)
    return HttpServerSolver(RESPONDERS, options.port or 0)


TYPE = ChallengeType("http-01", http01_solver, at_place=Webroot.at_place)
