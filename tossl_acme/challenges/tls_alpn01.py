"""tls-alpn-01 (RFC 8737; RFC 8738 for IP addresses) with a small TLS server of this process."""

from __future__ import annotations

import hashlib
import selectors
import socket
import ssl
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from ..errors import ResourceError
from ..identifiers import parse_identifier
from ..pki.self_signed import challenge_certificate
from .client_hello import ClientHello
from .elsewhere import BY_NAME, ElsewhereAnswer, find_elsewhere, server_name
from .ports import Port
from .presented import RESPONDERS
from .responders import Responder, ResponderPool, ResponderSolver
from .solver import ChallengeType, SolverOptions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ..acme.authorization import Challenge
    from ..context import Context
    from .seen import AskedAt, Seen

PROTOCOL = "acme-tls/1"

#: Certificates for other nodes' names that are kept: a CA asks for each from several places.
_MOST_OTHERS = 100
#: Bytes from a client; a handshake has a few thousand.
_MOST_BYTES = 1 << 16
#: Fatal alerts (RFC 8446 section 6), as the first record of an answer.
_UNRECOGNIZED_NAME = bytes((21, 3, 3, 0, 2, 2, ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME))
_NO_APPLICATION_PROTOCOL = bytes((21, 3, 3, 0, 2, 2, 120))


class TlsResponder(Responder):
    """A TLS server that speaks only acme-tls/1 and shows the certificate of the requested name.

    It makes those of the names that other nodes present, from their key authorizations.

    Raises ArgumentError("port") if it cannot listen. Port 0: the system chooses a port.
    """

    def __init__(self, port: Port) -> None:
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        #: The last of those that other nodes present.
        self._others: dict[tuple[str, str], ssl.SSLContext] = {}
        super().__init__(port, lambda sock: _Handshake(sock, self._context_of))

    def show(self, key: str, value: str) -> None:
        """Shows the key authorization's certificate for the domain or IP address."""
        name = server_name(key)
        context = _context_for(key, value)
        with self._lock:
            self._contexts.setdefault((name, value), context)
            super().show(name, value)

    def hide(self, key: str, value: str) -> None:
        """Undoes one show()."""
        name = server_name(key)
        with self._lock:
            super().hide(name, value)
            if not self._shown.holds(name, value):
                self._contexts.pop((name, value), None)

    def _context_of(self, name: str) -> ssl.SSLContext | None:
        with self._lock:
            value = self._shown.get(name)
            if value is not None:
                return self._contexts.get((name, value))
        other = find_elsewhere(BY_NAME, name)
        return None if other is None else self._context_of_other(name, other)

    def _context_of_other(self, name: str, other: ElsewhereAnswer) -> ssl.SSLContext:
        """Returns the context for a name that another node presents. For the server's one thread."""
        made = self._others.get((name, other.key_authorization))
        if made is None:
            made = _context_for(other.domain, other.key_authorization)
            while len(self._others) >= _MOST_OTHERS:
                self._others.pop(next(iter(self._others)))
            self._others[name, other.key_authorization] = made
        return made


class TlsAlpn01(ResponderSolver):
    """Answers with a small TLS server on a port. Of two challenges for one name it shows the later."""

    challenge_type = "tls-alpn-01"

    def __init__(self, responders: ResponderPool, port: Port = 443) -> None:
        super().__init__(responders, TlsResponder, lambda challenge: challenge.identifier.value, port)


def tls_alpn01_solver(options: SolverOptions) -> TlsAlpn01:
    """Returns the solver for a port. Raises ArgumentError("port")."""
    return TlsAlpn01(RESPONDERS, options.tls_port)


def _see(context: Context, challenge: Challenge, at: AskedAt) -> Seen:
    from .seen import see_by_tls  # no issuance looks

    return see_by_tls(context, challenge, at)


TYPE = ChallengeType("tls-alpn-01", tls_alpn01_solver, asked_by=BY_NAME, see=_see, scheme="https")


class _Handshake:
    """One handshake; no application data is ever exchanged (RFC 8737 section 4)."""

    def __init__(self, sock: socket.socket, context_of: Callable[[str], ssl.SSLContext | None]) -> None:
        self.sock = sock
        self._context_of = context_of
        self._hello = ClientHello()
        self._tls: ssl.SSLObject | None = None
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._to_send = b""
        self._handshaken = False
        self._is_over = False
        self._left = _MOST_BYTES

    def advance(self) -> int:
        try:
            while self._to_send or not self._is_over:
                if self._to_send:
                    self._to_send = self._to_send[self.sock.send(self._to_send) :]
                    continue
                piece = self.sock.recv(4096)
                self._left -= len(piece)
                if not piece or self._left < 0:
                    return 0
                self._take(piece)
        except BlockingIOError:
            return selectors.EVENT_WRITE if self._to_send else selectors.EVENT_READ
        return 0

    def _take(self, piece: bytes) -> None:
        if self._tls is None:
            try:
                name = self._hello.name_after(piece)
            except ValueError:
                self._is_over = True
                return
            if name is None:
                return
            if PROTOCOL.encode() not in self._hello.protocols:
                # OpenSSL would go on without a protocol, and show the certificate to any browser.
                self._to_send, self._is_over = _NO_APPLICATION_PROTOCOL, True
                return
            context = self._context_of(name)
            if context is None:
                self._to_send, self._is_over = _UNRECOGNIZED_NAME, True
                return
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
            piece = bytes(self._hello.received)
        self._incoming.write(piece)
        try:
            self._go_on(self._tls)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._is_over = True
        self._to_send = self._outgoing.read()

    def _go_on(self, tls: ssl.SSLObject) -> None:
        if not self._handshaken:
            tls.do_handshake()
            self._handshaken = True
        if tls.selected_alpn_protocol() == PROTOCOL:
            # Only the client's closing can follow. Closing first could cut the answer on its way.
            tls.read(1)
        self._is_over = True


def _context_for(domain: str, key_authorization: str) -> ssl.SSLContext:
    """Returns the context with a domain's certificate (RFC 8737 section 3)."""
    context = _context()
    digest = hashlib.sha256(key_authorization.encode()).digest()
    _load(context, *challenge_certificate(parse_identifier(domain), digest))
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([PROTOCOL])
    return context


def _load(context: ssl.SSLContext, certificate: str, key: str) -> None:
    # Python's ssl reads certificates only from files; the key serves only this challenge.
    try:
        with tempfile.TemporaryDirectory(prefix="tossl-") as folder:
            path = Path(folder, "challenge.pem")
            path.touch(mode=0o600)
            path.write_text(certificate + key, encoding="ascii")
            context.load_cert_chain(path)
    except OSError as error:
        cause = error.strerror or type(error).__name__
        raise ResourceError("files", f"cannot write the challenge's certificate to a temporary file: {cause}") from None
