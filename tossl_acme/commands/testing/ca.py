"""::tossl::testing::ca: throw-away CAs, with certificates of every kind, and with an ACME server."""

from __future__ import annotations

from ...context import Context, seconds
from . import _place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ...files import FilePath
    from ...tcl.interpreter import Interpreter

#: Part of another namespace, as an ensemble.
NAMESPACE = "testing::ca"
_NAMES = ["localhost", "127.0.0.1", "::1"]


def start(
    *, names: list[str] = _NAMES, acme: bool = False, key_type: str = "ec",
    folder: FilePath = _place,  # type: ignore[assignment] # asked at the time of the call
    interpreter: Interpreter, context: Context = seconds(30),
) -> dict[str, object]:  # fmt: skip
    """Makes a CA with certificates of every kind, in a temporary folder; with -acme 1 an ACME server, too.

    All of it ends with ca stop, with the interpreter, or with the process, in whatever way that ends, SIGKILL included:
    the server is ended and the folder removed. Several may exist at a time, in this process and in others.

    -acme 1  starts Pebble, Let's Encrypt's ACME server for tests, on free ports of 127.0.0.1. It takes every challenge
             as fulfilled, without looking: obtain_certificate works at once, for any name, offline. The kinds below are
             made by the CA of this package; Pebble's own issues what is ordered

    Returns a dict:

    directory       the URL of the ACME server's directory; empty without -acme
    ca_bundle       a file with the roots to trust, for -ca_bundle and TLS clients: that of the certificates below, of
                    the ACME server itself, and of what that issues
    store           an empty folder, for -store
    webroot         an empty folder, for -webroot
    folder          the temporary folder that has all of these
    crl             a file with the root's list of revoked certificates (CRL)
    root            the dict of the root, as tossl::testing::certificate returns it, with the paths in its files
    intermediate    likewise: a CA that the root certifies
    server          likewise: a certificate for TLS servers, with -names
    client          for TLS clients, with the name client
    expired         as server, but over since yesterday
    not_yet_valid   as server, but it begins tomorrow
    wrong_name      as server, with a name that is none of -names
    revoked         as server, and in the CRL
    chain_of_three  as server, issued by the intermediate

    Errors:
    TOSSL PACKAGE pebble    -acme 1, and Pebble is not installed; the message says how
    TOSSL RESOURCE pebble   Pebble does not start; the message is its own
    TOSSL RESOURCE files    the temporary folder cannot be made or written to
    TOSSL RESOURCE processes
                            no process can be started
    TOSSL TIMEOUT Pebble    the time was over before it answered
    TOSSL TIMEOUT CA        the time was over while keys were made
    """
    from ...certificates.testing.bench import Bench
    from ...certificates.testing.ca import start_ca

    bench = interpreter.belonging(Bench)
    ca = start_ca(names, acme=acme, key_type=key_type, folder=folder, context=context)
    bench.add(ca)
    return ca.as_dict()


def stop(ca: dict[str, str] = {}, *, interpreter: Interpreter) -> None:  # noqa: B006 - it is never changed
    """Ends a CA: its ACME server, and its folder with all that is in it.

    ca  the dict that ca start returned; without it each CA that this interpreter has started

    Errors:
    TOSSL VALUE ca  no such dict, or the CA is stopped already
    """
    from ...certificates.testing.bench import Bench

    interpreter.belonging(Bench).stop(ca)


COMMANDS = (start, stop)
