"""The versions of all that this process consists of, and the machine, for a bug report."""

from __future__ import annotations

import os
import platform
import sys
import time
from importlib import metadata
from pathlib import Path

from ..pki.openssl import openssl_of_cryptography
from ..version import __version__

_PACKAGES = (
    "cryptography", "requests", "urllib3", "dnspython", "idna", "certifi", "psycopg", "boto3", "dns-lexicon", "PySocks",
)  # fmt: skip


def version_lines() -> list[str]:
    """Returns a line for each: what it is, and its version."""
    return [
        f"tossl {__version__}, in {Path(__file__).parents[1]}",
        f"Python {sys.version.split()[0]}, {sys.executable or 'embedded'}, {sys.prefix}",
        *(f"{package} {_version(package)}" for package in _PACKAGES),
        f"OpenSSL of Python: {_openssl()}",
        f"OpenSSL of cryptography: {openssl_of_cryptography()}",
        f"{platform.platform()}, {_distribution()}, {' '.join(platform.libc_ver())}",
        f"user {_user()}, umask {_umask()}, encoding {sys.getfilesystemencoding()}",
        f"time {time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}, zone {time.strftime('%z')}",
    ]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "is not installed"


def _openssl() -> str:
    try:
        import ssl
    except ImportError as error:
        return str(error)
    return ssl.OPENSSL_VERSION


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "unnamed")
    except OSError:
        return "unknown"


def _user() -> str:
    return "root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "not root"


def _umask() -> str:
    """Returns the mask, without changing it for other threads even for a moment where the system tells it."""
    try:
        lines = Path("/proc/self/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return "unknown"
    return next((line.split()[1] for line in lines if line.startswith("Umask:")), "unknown")
