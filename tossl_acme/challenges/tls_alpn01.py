"""tls-alpn-01 (RFC 8737), and for IP addresses RFC 8738, by an own small TLS server."""

from __future__ import annotations

import hashlib
import ipaddress
import selectors
import socket
import ssl
import tempfile
import threading
from pathlib import Path

from ..identifiers import parse_identifier
from ..pki.self_signed import challenge_certificate
from .listener import Listener
from .presented import RESPONDERS
from .responders import ResponderPool, ResponderSolver, Shown
from .solver import ChallengeType, SolverOptions

PROTOCOL = "acme-tls/1"


def server_name(domain: str) -> str:
    """The SNI by which a CA asks for the domain; for an IP address its reverse name (RFC 8738 section 6)."""
    try:
        return ipaddress.ip_address(domain).reverse_pointer
    except ValueError:
        return domain.lower()


class TlsResponder:
    """A TLS server that speaks acme-tls/1 alone and shows the certificate of the name that is asked for.

    Raises ArgumentError("port") where it cannot listen; port 0 chooses one.
    """

    def __init__(self, port: int) -> None:
        self._shown = Shown()
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self._front = _context()
        self._front.sni_callback = self._choose
        self._listener = Listener(port, lambda sock: _TlsConnection(sock, self._front))
        self.port = self._listener.port

    def show(self, key: str, value: str) -> None:
        """Shows the key authorization's certificate for the domain or IP address."""
        name = server_name(key)
        context = _context()
        digest = hashlib.sha256(value.encode()).digest()
        _load(context, *challenge_certificate(parse_identifier(key), digest))
        with self._lock:
            self._contexts.setdefault((name, value), context)
            self._shown.put(name, value)

    def hide(self, key: str, value: str) -> None:
        """Undoes one show()."""
        name = server_name(key)
        with self._lock:
            self._shown.take(name, value)
            if not self._shown.holds(name, value):
                self._contexts.pop((name, value), None)

    @property
    def is_idle(self) -> bool:
        return self._shown.is_empty

    def close(self) -> None:
        """Stops; the port is free when this returns."""
        self._listener.close()

    def leave_to_parent(self) -> None:
        """In a forked child: closes its descriptors."""
        self._listener.leave_to_parent()

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _front: ssl.SSLContext
    ) -> int | None:
        asked = (name or "").lower()
        with self._lock:
            value = self._shown.get(asked)
            context = None if value is None else self._contexts.get((asked, value))
        if context is None:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        connection.context = context
        return None


class TlsAlpn01(ResponderSolver):
    """Answers by an own TLS server on a port. Of two challenges for one name only the later is shown."""

    challenge_type = "tls-alpn-01"

    def __init__(self, responders: ResponderPool, port: int = 443) -> None:
        super().__init__(responders, TlsResponder, lambda challenge: challenge.identifier.value, port)


def tls_alpn01_solver(options: SolverOptions) -> TlsAlpn01:
    """The solver for a port. Raises ArgumentError("port")."""
    return TlsAlpn01(RESPONDERS, options.tls_port)


TYPE = ChallengeType("tls-alpn-01", tls_alpn01_solver)


class _TlsConnection:
    """One handshake; no application data is ever exchanged (RFC 8737 section 4)."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext) -> None:
        self.sock = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        self._handshaken = False

    def advance(self) -> int:
        try:
            if not self._handshaken:
                self.sock.do_handshake()
                self._handshaken = True
            if self.sock.selected_alpn_protocol() == PROTOCOL:
                # Only the client's closing is to come. Closing first could cut what is on its way to it.
                self.sock.recv(1)
        except ssl.SSLWantReadError:
            return selectors.EVENT_READ
        except ssl.SSLWantWriteError:
            return selectors.EVENT_WRITE
        return 0


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # Python's ssl reads certificates from files alone; the key is good for nothing but this challenge.
    with tempfile.TemporaryDirectory(prefix="tossl-") as folder:
        path = Path(folder, "challenge.pem")
        path.touch(mode=0o600)
        path.write_text(certificate + key, encoding="ascii")
        context.load_cert_chain(path)
