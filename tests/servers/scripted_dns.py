"""A DNS server that says what a test wants."""

from __future__ import annotations

import socket
import socketserver
import struct
import threading
from collections.abc import Callable

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

from .process import free_port

Answers = Callable[[dns.message.Message, bool], dns.message.Message | bytes | None]


class ScriptedDns:
    """Answers as told, by UDP and TCP (the second argument of `answers`); None is silence, b"" ends a connection."""

    def __init__(self, answers: Answers, host: str = "127.0.0.1", port: int = 0) -> None:
        self.port = port or free_port()
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"
        self.asked = threading.Event()
        script = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                response = script.response_of(answers, self.request[0], False)
                if response is not None:
                    self.request[1].sendto(response, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                head = self.rfile.read(2)
                if len(head) < 2:
                    return
                (length,) = struct.unpack("!H", head)
                response = script.response_of(answers, self.rfile.read(length), True)
                if response:
                    self.wfile.write(struct.pack("!H", len(response)) + response)

        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        udp = type("UdpServer", (socketserver.ThreadingUDPServer,), {"address_family": family})
        tcp = type("TcpServer", (socketserver.ThreadingTCPServer,), {"address_family": family})
        self._servers = (udp((host, self.port), Udp), tcp((host, self.port), Tcp))
        for server in self._servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def response_of(self, answers: Answers, packet: bytes, by_tcp: bool) -> bytes | None:
        response = answers(dns.message.from_wire(packet), by_tcp)
        self.asked.set()
        return response.to_wire(max_size=65535) if isinstance(response, dns.message.Message) else response

    def __enter__(self) -> ScriptedDns:
        return self

    def __exit__(self, *_error: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


def shows(query: dns.message.Message, *values: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(rcode)
    if values:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 1, "IN", "TXT", *(f'"{v}"' for v in values)))
    return response


def of_zone(query: dns.message.Message, zone: str = "example.com.") -> dns.message.Message:
    """The answers that lead to the servers of a zone, which all are this one; nothing else is there."""
    question, response = query.question[0], dns.message.make_response(query)
    response.flags |= dns.flags.AA
    soa = dns.rrset.from_text(zone, 0, "IN", "SOA", "ns. h. 1 2 3 4 5")
    if (question.name, question.rdtype) == (soa.name, dns.rdatatype.SOA):
        response.answer.append(soa)
    elif (question.name, question.rdtype) == (soa.name, dns.rdatatype.NS):
        response.answer.append(dns.rrset.from_text(zone, 0, "IN", "NS", f"ns.{zone}"))
    elif question.rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(question.name, 0, "IN", "A", "127.0.0.1"))
    else:
        response.authority.append(soa)
    return response


def lame(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
    """A resolver that names itself and 127.0.0.2 as servers of example.com, and does not know that zone."""
    question = query.question[0]
    if not query.flags & dns.flags.RD:
        return dns.message.make_response(query)
    response = of_zone(query)
    if question.rdtype == dns.rdatatype.NS:
        names = (f"ns{number}.example.com." for number in (1, 2))
        response.answer[:] = [dns.rrset.from_text("example.com.", 0, "IN", "NS", *names)]
    elif question.rdtype == dns.rdatatype.A:
        address = "127.0.0.2" if question.name.labels[0] == b"ns2" else "127.0.0.1"
        response.answer[:] = [dns.rrset.from_text(question.name, 0, "IN", "A", address)]
    return response
