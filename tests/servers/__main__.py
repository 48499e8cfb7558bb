"""Run a command beside the test servers: ``python -m tests.servers --pebble -- COMMAND ARG...``."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from .process import ServerError
from .stack import Stack

_EPILOG = """\
The command finds the servers in its environment:

  TOSSL_TEST_CA_BUNDLE          PEM file that verifies every https server here
  TOSSL_TEST_DIRECTORY          Pebble's directory URL
  TOSSL_TEST_PEBBLE_MANAGEMENT  Pebble's management URL: /roots/0, /cert-status-by-serial/HEX
  TOSSL_TEST_HTTP_PORT          where Pebble connects to for http-01
  TOSSL_TEST_TLS_PORT           where Pebble connects to for tls-alpn-01
  TOSSL_TEST_DNS                HOST:PORT of the DNS server that Pebble asks (all of them behind one address)
  TOSSL_TEST_CHALLTESTSRV       management URL of the mock DNS server: POST /set-txt, /clear-txt, ...
  TOSSL_TEST_BIND               HOST:PORT of BIND, which takes signed updates
  TOSSL_TEST_BIND_ZONES         its zones; _BIND_KEY_NAME, _BIND_KEY_SECRET, _BIND_KEY_ALGORITHM,
                                _BIND_KEY_FILE are its TSIG key
  TOSSL_TEST_CLOUDFLARE         base URL of the look-alike (.../client/v4); it publishes in the mock DNS;
                                _CLOUDFLARE_TOKEN, _CLOUDFLARE_EMAIL, _CLOUDFLARE_KEY, and
                                _CLOUDFLARE_ZONE_ID of example.com. To make it fail:
                                POST ORIGIN/control/fail?what=429|500|403|html&times=N
  TOSSL_TEST_HTTPREQ            URL of the httpreq receiver; _HTTPREQ_TOKEN
  TOSSL_TEST_POSTGRESQL         URL of an empty database of PostgreSQL, without its password; _POSTGRESQL_PASSWORD;
                                _POSTGRESQL_POOLED is the same through pgbouncer, by transactions
  TOSSL_TEST_PROXY              directory URL of the fault proxy in front of Pebble
  TOSSL_TEST_CONNECT_PROXY      HTTP proxy that leads the documented hosts here; it is also the fault
                                proxy's control: POST /control/fault
                                {"action":"drop","path":"newOrder","nth":1,"times":1,"args":{}},
                                POST /control/clear, GET /control/requests

With --impersonate the command also gets HTTPS_PROXY and the CA bundle variables, so that
https://acme-staging-v02.api.letsencrypt.org/directory and https://api.cloudflare.com are these servers.
"""


def main(arguments: Sequence[str]) -> int:
    """Start what the options name, run the command, return its exit status."""
    own, command = _split(arguments)
    parser = _parser()
    options = parser.parse_args(own)
    if not command:
        parser.error("no command: write it after --")
    for name in ("pebble", "bind", "cloudflare", "httpreq", "postgresql", "proxy") if options.all else ():
        setattr(options, name, True)
    options.proxy = options.proxy or options.impersonate
    with tempfile.TemporaryDirectory(prefix="tossl-servers-") as folder:
        try:
            with Stack(options, Path(options.logs or folder)) as stack:
                return _run(command, stack.environment)
        except ServerError as error:
            print(f"tests.servers: {error}", file=sys.stderr)
            return 70


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    if "--" not in arguments:
        return list(arguments), []
    at = arguments.index("--")
    return list(arguments[:at]), list(arguments[at + 1 :])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.servers",
        usage="%(prog)s [options] -- COMMAND [ARG ...]",
        description="Run a command beside the real test servers, all on loopback.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pebble", action="store_true", help="the CA with its mock DNS server")
    parser.add_argument("--bind", action="store_true", help="BIND for example.com and example.org")
    parser.add_argument("--bind-zone", action="append", metavar="ZONE", help="other zones for BIND")
    parser.add_argument("--cloudflare", action="store_true", help="the look-alike of Cloudflare's API")
    parser.add_argument("--httpreq", action="store_true", help="the receiver for httpreq")
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL, and pgbouncer in front of it")
    parser.add_argument("--proxy", action="store_true", help="the fault proxy in front of Pebble")
    parser.add_argument("--impersonate", action="store_true", help="lead documented hosts here (implies --proxy)")
    parser.add_argument("--dns-delay", type=float, default=0, metavar="SECONDS", help="of Cloudflare and httpreq")
    parser.add_argument("--all", action="store_true", help="all of the servers")
    parser.add_argument("--logs", metavar="FOLDER", help="keep the servers' files and logs here")
    pebble = parser.add_argument_group("Pebble")
    pebble.add_argument("--pebble-binary", default="pebble", metavar="PATH")
    pebble.add_argument("--not-strict", action="store_true", help="without Pebble's -strict")
    pebble.add_argument("--nonce-reject", type=int, default=5, metavar="PERCENT")
    pebble.add_argument("--authz-reuse", type=int, default=50, metavar="PERCENT")
    pebble.add_argument("--alternate-roots", type=int, default=0, metavar="N")
    pebble.add_argument("--chain-length", type=int, default=1, metavar="N")
    pebble.add_argument("--eab", action="append", default=[], metavar="KID=KEY", help="require this binding")
    pebble.add_argument("--validity", type=int, metavar="SECONDS", help="of the certificates issued")
    return parser


def _run(command: list[str], environment: dict[str, str]) -> int:
    try:
        child = subprocess.Popen(command, env={**os.environ, **environment})
    except OSError as error:
        print(f"tests.servers: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127

    def forward(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    # Ctrl-C reaches the command by the terminal; here it must not end the servers under it.
    before = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGHUP)}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
