"""Run a program in a network of its own, which has loopback alone: python alone.py WORD ...

TOSSL_OUTSIDE names the process whose network it left, for what has to download.
"""

import ctypes
import fcntl
import os
import socket
import struct
import sys

NEW_NETWORK = 0x40000000
SET_FLAGS, UP = 0x8914, 1

libc = ctypes.CDLL(None, use_errno=True)
if libc.unshare(NEW_NETWORK):
    sys.exit(f"tossl: cannot leave the network: {os.strerror(ctypes.get_errno())}")
with socket.socket() as sock:
    fcntl.ioctl(sock, SET_FLAGS, struct.pack("16sh14x", b"lo", UP))
os.environ["TOSSL_OUTSIDE"] = str(os.getppid())
os.execvp(sys.argv[1], sys.argv[1:])
