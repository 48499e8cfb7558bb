"""The commands as a Tcl script meets them, called from a test."""

from __future__ import annotations

import tkinter
from collections.abc import Callable
from dataclasses import dataclass

import tossl_acme
from tossl_acme.pki.keys import generate_private_key, private_pem

#: Commands without -ca_bundle: they speak to nobody, or as they did before.
_LOCAL = (
    "http01_challenge", "tls_alpn01_challenge", "cleanup_challenge", "list_certificates", "get_certificate",
    "check_certificates", "forget_certificate", "renew_certificate", "renew_certificates",
)  # fmt: skip


@dataclass(frozen=True)
class Failure:
    """A Tcl error: its message, its errorcode as a list, and the dict of its -tossl return option."""

    message: str
    code: tuple[str, ...]
    details: dict[str, str]
    info: str


class Tcl:
    """A Tcl interpreter. Every command gets -ca_bundle by itself, where it has such an option."""

    def __init__(self, ca_bundle: str = "") -> None:
        self._tk = tkinter.Tcl().tk
        self._ca_bundle = ca_bundle
        tossl_acme.register(self._tk)

    def acme(self, name: str, /, *arguments: object, **options: object) -> str:
        """What the command returns; a Failure is raised as AssertionError."""
        result = self.try_acme(name, *arguments, **options)
        assert isinstance(result, str), result
        return result

    def dict(self, name: str, /, *arguments: object, **options: object) -> dict[str, str]:
        """The dict that the command returns."""
        return self.as_dict(self.acme(name, *arguments, **options))

    def failure(self, name: str, /, *arguments: object, **options: object) -> Failure:
        """How the command fails."""
        result = self.try_acme(name, *arguments, **options)
        assert isinstance(result, Failure), f"it succeeded: {result}"
        return result

    def try_acme(self, name: str, /, *arguments: object, **options: object) -> str | Failure:
        """Calls ::tossl::acme::name."""
        if self._ca_bundle and name not in _LOCAL:
            options.setdefault("ca_bundle", self._ca_bundle)
        words = [f"::tossl::acme::{name}", *arguments]
        words += [word for key, value in options.items() for word in (f"-{key}", value)]
        failed = self._tk.call("catch", tuple(map(_word, words)), "::result", "::options")
        result = str(self._tk.eval("set ::result"))
        if not int(failed):
            return result
        tossl = self._tk.eval("if {[dict exists $::options -tossl]} {dict get $::options -tossl}")
        code = self.as_list(self._tk.eval("dict get $::options -errorcode"))
        return Failure(result, tuple(code), self.as_dict(tossl), self._tk.eval("dict get $::options -errorinfo"))

    def create(self, name: str, command: Callable[..., object]) -> None:
        """Makes a Tcl command of a Python function."""
        self._tk.createcommand(name, command)

    def eval(self, script: str) -> str:
        """The result of a script."""
        return str(self._tk.eval(script))

    def as_list(self, text: str) -> list[str]:
        """The elements of a Tcl list."""
        return [str(word) for word in self._tk.splitlist(text)]

    def as_dict(self, text: str) -> dict[str, str]:
        """A Tcl dict; values stay texts."""
        words = self.as_list(text)
        return dict(zip(words[::2], words[1::2], strict=True))

    def dicts(self, text: str) -> list[dict[str, str]]:
        """A Tcl list of dicts."""
        return [self.as_dict(word) for word in self.as_list(text)]


def new_key(kind: str = "ec", bits: int | None = None) -> str:
    """A private key in PEM."""
    return private_pem(generate_private_key(kind, bits))


def _word(value: object) -> object:
    if isinstance(value, list | tuple):
        return tuple(map(_word, value))
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)
