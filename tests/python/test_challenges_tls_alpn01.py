"""tls-alpn-01: what the certificate holds, and whom the responder shows it to."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import random
import socket
import ssl
import time
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.servers.process import free_port
from tossl_acme.acme.authorization import Challenge
from tossl_acme.challenges.responders import ResponderPool
from tossl_acme.challenges.tls_alpn01 import (
    TlsAlpn01,
    TlsResponder,
    server_name,
)
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.identifiers import Identifier
from tossl_acme.pki.self_signed import challenge_certificate
from tossl_acme.pki.signatures import is_issued_by

#: RFC 8737 section 6.1.
ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")

ONE = Challenge("tls-alpn-01", Identifier("dns", "one.example.com"), "token-one", "token-one.thumbprint")
TWO = Challenge("tls-alpn-01", Identifier("dns", "two.example.com"), "token_two", "token_two.thumbprint")


@pytest.fixture
def responder() -> Iterator[TlsResponder]:
    server = TlsResponder(0)
    yield server
    server.close()


def shown(
    port: int, name: str | None, protocols: tuple[str, ...] = ("acme-tls/1",), tls: ssl.TLSVersion | None = None
) -> tuple[x509.Certificate, str | None]:
    """The certificate that a CA sees, and the protocol agreed on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if protocols:
        context.set_alpn_protocols(list(protocols))
    if tls is not None:
        context.maximum_version = tls
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as sock,
        context.wrap_socket(sock, server_hostname=name) as secure,
    ):
        certificate = secure.getpeercert(binary_form=True)
        assert certificate is not None
        return x509.load_der_x509_certificate(certificate), secure.selected_alpn_protocol()


def holds(certificate: x509.Certificate, challenge: Challenge) -> bool:
    extension = certificate.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    assert isinstance(extension.value, x509.UnrecognizedExtension)
    digest = hashlib.sha256(challenge.key_authorization.encode()).digest()
    return extension.critical and extension.value.value == b"\x04\x20" + digest


def test_the_certificate() -> None:
    digest = hashlib.sha256(ONE.key_authorization.encode()).digest()
    certificate = x509.load_pem_x509_certificate(challenge_certificate(ONE.identifier, digest)[0].encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.DNSName(ONE.identifier.value)]
    assert holds(certificate, ONE)
    assert certificate.issuer == certificate.subject
    assert is_issued_by(certificate, certificate)
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.1", "1.2.0.192.in-addr.arpa"),
        ("2001:db8::1", "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"),
    ],
)
def test_addresses(responder: TlsResponder, address: str, name: str) -> None:
    assert server_name(address) == name
    responder.show(address, ONE.key_authorization)
    certificate, _protocol = shown(responder.port, name)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.IPAddress(ipaddress.ip_address(address))]


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_each_name_sees_its_own(responder: TlsResponder, tls: ssl.TLSVersion) -> None:
    for challenge in (ONE, TWO):
        responder.show(challenge.identifier.value, challenge.key_authorization)
    for challenge in (ONE, TWO):
        certificate, protocol = shown(responder.port, challenge.identifier.value.upper(), ("h2", "acme-tls/1"), tls)
        assert holds(certificate, challenge)
        assert protocol == "acme-tls/1"


@pytest.mark.parametrize("name", ["other.example.com", "example.com", None])
def test_other_names_see_nothing(responder: TlsResponder, name: str | None) -> None:
    responder.show(ONE.identifier.value, ONE.key_authorization)
    with pytest.raises(ssl.SSLError):
        shown(responder.port, name)


@pytest.mark.parametrize("protocols", [(), ("h2", "http/1.1")])
def test_no_other_protocol(responder: TlsResponder, protocols: tuple[str, ...]) -> None:
    """A client that is no CA is shown no certificate, by an alert (RFC 7301 section 3.2)."""
    responder.show(ONE.identifier.value, ONE.key_authorization)
    with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
        shown(responder.port, ONE.identifier.value, protocols)


def test_clients_that_speak_no_tls(responder: TlsResponder, capfd: pytest.CaptureFixture[str]) -> None:
    responder.show(ONE.identifier.value, ONE.key_authorization)
    with socket.create_connection(("127.0.0.1", responder.port), timeout=5) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sock.recv(4096):
                pass
    idle = [socket.create_connection(("127.0.0.1", responder.port), timeout=5) for _ in range(250)]
    before = time.monotonic()
    assert holds(shown(responder.port, ONE.identifier.value)[0], ONE)
    assert time.monotonic() - before < 3
    for sock in idle:
        sock.close()
    assert capfd.readouterr() == ("", "")


def test_orders_share_a_port(responders: ResponderPool, context: Context) -> None:
    port = free_port()
    first, second = TlsAlpn01(responders, port), TlsAlpn01(responders, port)
    first.present(context, ONE)
    second.present(context, ONE)
    second.present(context, TWO)
    first.clean_up(context, ONE)
    first.clean_up(context, ONE)
    for challenge in (ONE, TWO):
        assert holds(shown(port, challenge.identifier.value)[0], challenge)
    second.clean_up(context, ONE)
    with pytest.raises(ssl.SSLError):
        shown(port, ONE.identifier.value)
    second.clean_up(context, TWO)
    with pytest.raises(ConnectionRefusedError):
        shown(port, TWO.identifier.value)


def test_the_later_of_two_proofs_for_a_name(responders: ResponderPool, context: Context) -> None:
    solver = TlsAlpn01(responders, 0)
    later = Challenge("tls-alpn-01", ONE.identifier, "later", "later.thumbprint")
    solver.present(context, ONE)
    solver.present(context, later)
    assert holds(shown(solver.port, ONE.identifier.value)[0], later)
    solver.clean_up(context, later)
    assert holds(shown(solver.port, ONE.identifier.value)[0], ONE)


def test_a_port_in_use(responders: ResponderPool, context: Context) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ArgumentError) as caught:
        TlsAlpn01(responders, taken.getsockname()[1]).present(context, ONE)
    assert caught.value.errorcode == ("TOSSL", "VALUE", "port")


def client_hello(name: bytes = b"one.example.com") -> bytes:
    """What a client sends first, asking for that name."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["acme-tls/1"])
    outgoing = ssl.MemoryBIO()
    known = "a" * (len(name) - 8) + ".example"
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=known).do_handshake()
    return outgoing.read().replace(known.encode(), name)


def answer_to(port: int, sent: bytes, piece: int = 1 << 20) -> bytes:
    """What comes back first; the client says no more than that."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock, contextlib.suppress(OSError):
        for at in range(0, len(sent), piece):
            sock.sendall(sent[at : at + piece])
        sock.shutdown(socket.SHUT_WR)
        return sock.recv(4096)
    return b""


ALERT, HANDSHAKE = 21, 22


@pytest.mark.parametrize("name", [b"\xff\xfe.example.com", b"one.example\0com", b"two.example.com", b"-..-.example"])
def test_names_that_nobody_shows(responder: TlsResponder, name: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """Not even a name that is none has anything written to stderr, which a stranger could fill then."""
    responder.show(ONE.identifier.value, ONE.key_authorization)
    assert answer_to(responder.port, client_hello(name))[:1] in (b"", bytes([ALERT]))
    assert holds(shown(responder.port, ONE.identifier.value)[0], ONE)
    assert capfd.readouterr() == ("", "")


def test_a_hello_in_pieces(responder: TlsResponder) -> None:
    """Of the connection, and of records (RFC 8446 section 5.1)."""
    responder.show(ONE.identifier.value, ONE.key_authorization)
    hello = client_hello()
    assert answer_to(responder.port, hello, 7)[0] == HANDSHAKE
    content = hello[5:]
    records = (content[at : at + 100] for at in range(0, len(content), 100))
    assert (
        answer_to(responder.port, b"".join(hello[:3] + len(r).to_bytes(2, "big") + r for r in records))[0] == HANDSHAKE
    )


def test_hellos_of_all_kinds(responder: TlsResponder, capfd: pytest.CaptureFixture[str]) -> None:
    """Whatever is changed in it, it is answered or not, and the next client is."""
    responder.show(ONE.identifier.value, ONE.key_authorization)
    hello, source = client_hello(), random.Random(8737)
    for _ in range(300):
        changed = bytearray(hello)
        for _ in range(source.randrange(1, 4)):
            changed[source.randrange(len(changed))] = source.randrange(256)
        answer_to(responder.port, bytes(changed[: source.randrange(len(changed) + 1)]))
    assert holds(shown(responder.port, ONE.identifier.value)[0], ONE)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "flood",
    [
        b"\x16\x03\x01\x00\x01" + b"\x01" + b"\x16\x03\x01\x00\x01\x00" * 100_000,
        b"\x16\x03\x01\x00\x04\x01\xff\xff\xff" + b"\x16\x03\x01\x40\x00" + b"x" * 1_000_000,
        b"\x16\x03\x01\x00\x00" * 100_000,
    ],
)
def test_a_hello_without_end(responder: TlsResponder, flood: bytes) -> None:
    responder.show(ONE.identifier.value, ONE.key_authorization)
    assert answer_to(responder.port, flood) == b""
    assert holds(shown(responder.port, ONE.identifier.value)[0], ONE)
