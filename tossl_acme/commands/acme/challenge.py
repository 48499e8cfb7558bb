"""Challenges through a built-in server, the folder of a web server, or the script's own web server."""

from __future__ import annotations

import os

from ...context import Context
from ...errors import ArgumentError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...acme.jws import AccountKey
    from ...challenges.ports import Port
    from ...files import FilePath
    from ..groups import FilePathOrUrl


def http01_challenge(
    domain: str,
    token: str,
    account_key: AccountKey,
    *,
    webroot: FilePath | None = None,
    port: Port | None = None,
    http01_response: bool = False,
) -> dict[str, object]:
    """Presents an http-01 challenge: as a file of a web server, by the built-in server, or by your own web server.

    Needs one of -webroot, -port and -http01_response. The built-in server, and http01_response, answer until
    cleanup_challenge. The CA sends its request to port 80. RFC 8555 section 8.3.

    domain           the DNS name or IP address to prove
    -webroot folder  the folder from which a web server serves the domain; the file is in .well-known/acme-challenge/
                     below it. A link there is followed only if root or your own user made it
    -port number     port for the built-in server, also behind an address, as 127.0.0.1:8080 or [::1]:8080; without
                     an address it listens on every one; 0: the system chooses
    -http01_response boolean
                     1: this program's own web server answers, with http01_response

    Returns a dict:

    type               http-01
    token              as given
    key_authorization  the answer that the CA expects
    url                the URL of the CA's request
    file               the file, with -webroot
    port               the port, with -port

    Errors:
    TOSSL VALUE webroot  not a writable folder; none or several of -webroot, -port and -http01_response
    TOSSL VALUE port     not a free port
    TOSSL RESOURCE kind  no descriptor, thread or temporary file is left for the server: descriptors, threads, files
    TOSSL VALUE token    not base64url
    TOSSL VALUE domain   not a name
    """
    from ...acme.authorization import Challenge
    from ...challenges.http01 import http01_solver
    from ...challenges.presented import present
    from ...challenges.solver import SolverOptions

    challenge = Challenge.from_words("http-01", domain, token, account_key)
    solver = http01_solver(SolverOptions(webroot=webroot, port=port, http01_response=http01_response))
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


def http01_response(token: str, *, store: FilePathOrUrl = "") -> str:
    """Returns the response to an http-01 token, for a web server that answers /.well-known/acme-challenge/ itself.

    It is there while obtain_certificate, a renewal or http01_challenge presents the token with -http01_response 1, in
    every thread and every interpreter of the process; a child process has none. Another process or machine presents it
    as well where both use a store in a database, with whatever option: the store is asked for a token that this process
    does not present, for 2 seconds at most and ten times a second at most. The server sends it as the body, with
    status 200 and the type application/octet-stream, to a GET of /.well-known/acme-challenge/ and the token; and its
    own 404 where it is empty. The CA sends its request to port 80. RFC 8555 section 8.3.

    No token is wrong: a text with slashes, spaces or NUL characters, as a request may have it, has an empty response.

    token       the last part of the path of the request
    -store url  the store in a database that other nodes use; default: TOSSL_STORE of the environment, and those of
                manage in this process. In a folder nothing is looked for

    Returns the key authorization; empty for a token that is not presented now.

    Errors:
    TOSSL VALUE store  the URL of no database, or the extra for it is not installed
    """
    from ...challenges.responses import response_to

    found, word = response_to(token), str(store) or os.environ.get("TOSSL_STORE", "")
    if found or not word:
        return found
    from ...challenges.elsewhere import BY_TOKEN, is_asked_for

    if not is_asked_for(BY_TOKEN, token):
        return ""
    from ...certificates.answers import answers_of

    place = answers_of(word)
    other = place.find(BY_TOKEN, token) if place is not None else None
    return other.key_authorization if other is not None else ""


def tls_alpn01_challenge(domain: str, token: str, account_key: AccountKey, *, port: Port = 443) -> dict[str, object]:
    """Presents a tls-alpn-01 challenge by the built-in TLS server, for a DNS name or an IP address.

    The server speaks only acme-tls/1 and shows the certificate of the requested name, in the background, until
    cleanup_challenge. RFC 8737; RFC 8738 section 6.

    domain        the DNS name or IP address to prove
    -port number  port for the server, also behind an address, as 127.0.0.1:8443; port 443 of the domain must reach
                  it; 0: the system chooses

    Returns a dict:

    type               tls-alpn-01
    token              as given
    key_authorization  the certificate contains its digest
    server_name        the name in the CA's request
    port               the port

    Errors:
    TOSSL VALUE port     not a free port
    TOSSL RESOURCE kind  no descriptor, thread or temporary file is left for the server: descriptors, threads, files
    TOSSL VALUE token    not base64url
    TOSSL VALUE domain   not a name
    """
    from ...acme.authorization import Challenge
    from ...challenges.elsewhere import server_name
    from ...challenges.presented import present
    from ...challenges.solver import SolverOptions
    from ...challenges.tls_alpn01 import tls_alpn01_solver

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
    """Removes a challenge of http01_challenge or tls_alpn01_challenge, and stops its built-in server.

    domain           as in the command that presented it
    -webroot folder  the folder, for a challenge that another process presented there

    Returns "Challenge cleaned up successfully".

    Errors:
    TOSSL VALUE token    this process did not present it, and -webroot is not given; or not base64url
    TOSSL VALUE webroot  not a writable folder
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


COMMANDS = (http01_challenge, http01_response, tls_alpn01_challenge, cleanup_challenge)
