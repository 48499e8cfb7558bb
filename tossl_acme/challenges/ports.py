"""Where an own server listens: on a port of every address of the machine, or on one of its addresses."""

from __future__ import annotations

import ipaddress
import re
import socket

from ..errors import ArgumentError

#: 8080, on every address; "127.0.0.1:8080" or "[::1]:8080", on that one.
Port = int | str

_AT_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,50})?)\]|([0-9.]{7,15})):([0-9]{1,5})")


def check_port(port: Port) -> None:
    """Raises ArgumentError("port") for a port outside 0 to 65535, and for what is no address; 0: the system chooses."""
    address_of(port)


def address_of(port: Port) -> tuple[str, int]:
    """Returns the address, empty for every one, and the number. Raises ArgumentError("port")."""
    host, number = "", port
    if isinstance(port, str):
        match = _AT_ADDRESS.fullmatch(port)
        host, number = (match[1] or match[2], int(match[3])) if match else ("", -1)
        if not _is_address(host, is_bracketed=bool(match and match[1])):
            raise ArgumentError("port", f"{port} is not a port; use 8080, 127.0.0.1:8080 or [::1]:8080")
    if not isinstance(number, int) or not 0 <= number <= 65535:
        raise ArgumentError("port", f"{port} is not a port; use 0 to 65535")
    return host, number


def socket_address(host: str, number: int) -> tuple[int, tuple[object, ...]]:
    """Returns the family and the address for bind(). Raises OSError."""
    family, _type, _protocol, _name, address = socket.getaddrinfo(
        host, number, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
    )[0]
    return family, address


def _is_address(host: str, *, is_bracketed: bool) -> bool:
    try:
        return ipaddress.ip_address(host).version == (6 if is_bracketed else 4)
    except ValueError:
        return False
