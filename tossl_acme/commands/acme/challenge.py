"""Presenting challenges by a server of this process, or in a folder of another."""

from __future__ import annotations

from ...context import Context
from ...errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.jws import AccountKey
    from ...files import FilePath


def http01_challenge(
    domain: str, token: str, account_key: AccountKey, *, webroot: FilePath | None = None, port: int | None = None
) -> dict[str, object]:
    """Presents an http-01 challenge: as a file of a web server, or by a responder of its own.

    It needs one of -webroot and -port. The responder answers while Tcl does anything else, until cleanup_challenge. The
    CA asks at port 80. RFC 8555 section 8.3.

    domain           the DNS name or IP address that is to be proven
    -webroot folder  the folder from which a web server serves the domain; below it .well-known/acme-challenge/ is made.
                     A link there is followed only if root or your own user made it
    -port number     the port for a responder of its own; 0 chooses one

    Returns a dict:

    type               http-01
    token              as given
    key_authorization  what the CA is to find
    url                where it looks for it
    file               the file, with -webroot
    port               the port, with -port

    Errors:
    TOSSL VALUE webroot  not a folder that can be written to; neither or both of -webroot and -port
    TOSSL VALUE port     not a port that is free here
    TOSSL RESOURCE kind  no descriptor, thread or temporary file is left for the server: descriptors, threads, files
    TOSSL VALUE token    not base64url
    TOSSL VALUE domain   not a name
    """
    from ...acme.authorization import Challenge
    from ...challenges.http01 import http01_solver
    from ...challenges.presented import present
    from ...challenges.solver import SolverOptions

    challenge = Challenge.from_words("http-01", domain, token, account_key)
    solver = http01_solver(SolverOptions(webroot=webroot, port=port))
    present(solver, challenge)
    name = challenge.identifier.value
    host = f"[{name}]" if ":" in name else name
    return {
        "type": "http-01",
        "token": token,
        "key_authorization": challenge.key_authorization,
        "url": f"http://{host}/.well-known/acme-challenge/{token}",
        **solver.describe(challenge),
    }


def tls_alpn01_challenge(domain: str, token: str, account_key: AccountKey, *, port: int = 443) -> dict[str, object]:
    """Presents a tls-alpn-01 challenge by a TLS server of its own, for a DNS name or an IP address.

    It speaks acme-tls/1 alone and shows the certificate of the name that is asked for, while Tcl does anything else,
    until cleanup_challenge. RFC 8737; RFC 8738 section 6.

    domain        the DNS name or IP address that is to be proven
    -port number  where the server listens; 0 chooses a port

    Returns a dict:

    type               tls-alpn-01
    token              as given
    key_authorization  what its certificate holds the digest of
    server_name        the name under which the CA asks
    port               the port

    Errors:
    TOSSL VALUE port     not a port that is free here
    TOSSL RESOURCE kind  no descriptor, thread or temporary file is left for the server: descriptors, threads, files
    TOSSL VALUE token    not base64url
    TOSSL VALUE domain   not a name
    """
    from ...acme.authorization import Challenge
    from ...challenges.presented import present
    from ...challenges.solver import SolverOptions
    from ...challenges.tls_alpn01 import server_name, tls_alpn01_solver

    challenge = Challenge.from_words("tls-alpn-01", domain, token, account_key)
    solver = tls_alpn01_solver(SolverOptions(tls_port=port))
    present(solver, challenge)
    return {
        "type": "tls-alpn-01",
        "token": token,
        "key_authorization": challenge.key_authorization,
        "server_name": server_name(challenge.identifier.value),
        **solver.describe(challenge),
    }


def cleanup_challenge(domain: str, token: str, account_key: AccountKey, *, webroot: FilePath | None = None) -> str:
    """Removes what http01_challenge or tls_alpn01_challenge presented, and ends its responder.

    domain           as it was presented
    -webroot folder  the folder, where another process presented it there

    Returns "Challenge cleaned up successfully".

    Errors:
    TOSSL VALUE token    this process presented nothing for it and there is no -webroot; or not base64url
    TOSSL VALUE webroot  not a folder that can be written to
    TOSSL VALUE domain   not a name
    """
    from ...acme.authorization import Challenge
    from ...challenges.http01 import http01_solver
    from ...challenges.presented import clean_up
    from ...challenges.solver import SolverOptions

    challenge = Challenge.from_words("http-01", domain, token, account_key)
    if not clean_up(challenge):
        if not webroot:
            raise ArgumentError("token", f"no challenge with this token is presented for {challenge.identifier.value}")
        http01_solver(SolverOptions(webroot=webroot)).clean_up(Context(30).begin(), challenge)
    return "Challenge cleaned up successfully"
