"""tls-alpn-01 (RFC 8737), and for IP addresses RFC 8738, by an own small TLS server."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import selectors
import socket
import ssl
import tempfile
import threading
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from .listener import Listener
from .responders import ResponderPool, ResponderSolver, Shown

PROTOCOL = "acme-tls/1"
#: acmeIdentifier, RFC 8737 section 6.1.
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")

_DER_OCTET_STRING = b"\x04"


def server_name(domain: str) -> str:
    """The SNI by which a CA asks for the domain; for an IP address its reverse name (RFC 8738 section 6)."""
    try:
        return ipaddress.ip_address(domain).reverse_pointer
    except ValueError:
        return domain.lower()


def challenge_certificate(domain: str, key_authorization: str) -> tuple[bytes, bytes]:
    """The self-signed certificate that proves control of exactly this name, and its new key, both as PEM."""
    digest = hashlib.sha256(key_authorization.encode()).digest()
    proof = _DER_OCTET_STRING + bytes([len(digest)]) + digest
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ACME challenge")])
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clocks of this machine and of the CA need not agree.
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=7))
        .add_extension(x509.SubjectAlternativeName([_general_name(domain)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, proof), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), key_pem


class TlsResponder:
    """A TLS server that speaks acme-tls/1 alone and shows the certificate of the name that is asked for.

    Raises ArgumentError("port") or ("host") where it cannot listen; port 0 chooses one.
    """

    def __init__(self, port: int, host: str = "") -> None:
        self._shown = Shown()
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self._front = _context()
        self._front.sni_callback = self._choose
        self._listener = Listener(port, host, lambda sock: _TlsConnection(sock, self._front))
        self.port = self._listener.port

    def show(self, key: str, value: str) -> None:
        """Shows the key authorization's certificate for the domain or IP address."""
        name = server_name(key)
        context = _context()
        _load(context, *challenge_certificate(key, value))
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

    def __init__(self, responders: ResponderPool, port: int = 443, host: str = "") -> None:
        super().__init__(responders, TlsResponder, lambda challenge: challenge.identifier.value, port, host)


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


def _load(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # Python's ssl reads certificates from files alone; the key is good for nothing but this challenge.
    with tempfile.TemporaryDirectory(prefix="tossl-") as folder:
        path = Path(folder, "challenge.pem")
        path.touch(mode=0o600)
        path.write_bytes(certificate + key)
        context.load_cert_chain(path)


def _general_name(domain: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(domain))
    except ValueError:
        return x509.DNSName(domain)
