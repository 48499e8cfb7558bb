"""One DNS address in front of several servers: the first that has an answer gives it."""

from __future__ import annotations

import socketserver
import struct
import threading
from collections.abc import Sequence

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from .process import Server, free_port

_TIMEOUT = 2.0


class DnsFront(Server):
    """Asks BIND first and the mock DNS server after it, so that Pebble sees the records of both."""

    def __init__(self, servers: Sequence[str]) -> None:
        self._servers = [(host, int(port)) for host, port in (address.split(":") for address in servers)]
        self.port = free_port()
        front = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                data, sock = self.request
                sock.sendto(front.answer(data), self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while len(head := self.rfile.read(2)) == 2:
                    reply = front.answer(self.rfile.read(struct.unpack("!H", head)[0]))
                    self.wfile.write(struct.pack("!H", len(reply)) + reply)

        address = ("127.0.0.1", self.port)
        self._listeners: list[socketserver.BaseServer] = [_UdpServer(address, Udp), _TcpServer(address, Tcp)]
        for listener in self._listeners:
            threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        """The address as HOST:PORT (UDP and TCP)."""
        return f"127.0.0.1:{self.port}"

    def answer(self, packet: bytes) -> bytes:
        """Answer one query packet."""
        query = dns.message.from_wire(packet)
        fallback: dns.message.Message | None = None
        for host, port in self._servers:
            try:
                reply = dns.query.udp(query, host, port=port, timeout=_TIMEOUT)
            except (dns.exception.DNSException, OSError):
                continue
            if reply.answer:
                return reply.to_wire()
            # Nobody has it: an authoritative "no" tells more than a refusal.
            if fallback is None or fallback.rcode() == dns.rcode.REFUSED:
                fallback = reply
        return (fallback or _failure(query)).to_wire()

    def stop(self) -> None:
        """Stop listening."""
        for listener in self._listeners:
            listener.shutdown()
            listener.server_close()


class _UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    max_packet_size = 65535


class _TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def _failure(query: dns.message.Message) -> dns.message.Message:
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply
