"""http-01 (RFC 8555 section 8.3): through a web server's folder, a small server, or the script's own web server."""

from __future__ import annotations

from collections.abc import Mapping

from ..context import Context
from ..errors import ArgumentError
from .elsewhere import BY_TOKEN
from .http_server import HttpResponder
from .ports import Port
from .presented import RESPONDERS
from .responders import ResponderPool, ResponderSolver
from .responses import hide_response, show_response
from .solver import ChallengeType, SolverOptions
from .webroot import Webroot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge
    from .seen import AskedAt, Seen


class HttpServerSolver(ResponderSolver):
    """Answers with a small http server on a port."""

    challenge_type = "http-01"

    def __init__(self, responders: ResponderPool, port: Port = 80) -> None:
        super().__init__(responders, HttpResponder, lambda challenge: challenge.token, port)


class OwnServerSolver:
    """Hands the response to the script's own web server, which asks for it. Nothing listens, no file is written."""

    challenge_type = "http-01"

    def __init__(self) -> None:
        self._presented: set[Challenge] = set()

    def place_of(self, challenge: Challenge) -> Mapping[str, str]:
        """Returns nothing: it ends with the process."""
        return {}

    def present(self, context: Context, challenge: Challenge) -> None:
        """Answers the token from now on."""
        if challenge not in self._presented:
            self._presented.add(challenge)
            show_response(challenge.token, challenge.key_authorization)

    def describe(self, challenge: Challenge) -> dict[str, object]:
        """Returns nothing: only the script knows where its server listens."""
        return {}

    def wait(self, context: Context, challenge: Challenge) -> None:
        """Returns at once: the server can ask as soon as present() returns."""

    def clean_up(self, context: Context, challenge: Challenge) -> None:
        """Undoes one present()."""
        # Another order may show the same response: a second clean_up() must not remove that.
        if challenge in self._presented:
            self._presented.discard(challenge)
            hide_response(challenge.token, challenge.key_authorization)


def http01_solver(options: SolverOptions) -> Webroot | HttpServerSolver | OwnServerSolver:
    """Returns the solver for a folder, a port or the script's server. Raises ArgumentError("webroot") or ("port")."""
    if (bool(options.webroot), options.port is not None, options.http01_response).count(True) != 1:
        raise ArgumentError("webroot", "http-01 needs one of -webroot, -port and -http01_response")
    if options.webroot:
        return Webroot(options.webroot)
    return OwnServerSolver() if options.http01_response else HttpServerSolver(RESPONDERS, options.port or 0)


def _see(context: Context, challenge: Challenge, at: AskedAt) -> Seen:
    from .seen import see_by_http  # no issuance looks

    return see_by_http(context, challenge, at)


TYPE = ChallengeType(
    "http-01", http01_solver, at_place=Webroot.at_place, asked_by=BY_TOKEN, see=_see, scheme="http"
)
