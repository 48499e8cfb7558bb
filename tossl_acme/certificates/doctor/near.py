"""This machine's own addresses, and its ways to others. Nothing is sent."""

from __future__ import annotations

import errno
import ipaddress
import socket

from ...files import socket_beyond_standard


def is_of_the_internet(address: str) -> bool:
    """Returns whether the address can be one of a server in the Internet: no private, loopback or multicast one."""
    found = ipaddress.ip_address(address)
    return found.is_global and not found.is_multicast


def belongs_to_nobody(address: str) -> bool:
    """Returns whether the address can name no server for anybody else: link-local, unspecified or multicast."""
    found = ipaddress.ip_address(address)
    return found.is_link_local or found.is_unspecified or found.is_multicast


def has_route(address: str) -> bool:
    """Returns whether this machine has a way to the address. UDP connects without a packet."""
    try:
        with _new_socket(address, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
    except OSError as error:
        return error.errno not in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
    return True


def has_address(address: str) -> bool:
    """Returns whether an interface of this machine has the address."""
    try:
        with _new_socket(address, socket.SOCK_STREAM) as sock:
            sock.bind((address, 0))
    except OSError:
        return False
    return True


def own_address(address: str) -> str:
    """Returns the address of this machine from which it reaches another; empty where it does not."""
    try:
        with _new_socket(address, socket.SOCK_DGRAM) as sock:
            sock.connect((address, 9))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


def _new_socket(address: str, kind: int) -> socket.socket:
    return socket_beyond_standard(socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind))
