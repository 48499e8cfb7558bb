"""Many threads, many certificates, a CA that refuses every fifth nonce: python -m tests.bench.soak ?THREADS? ?COUNT?

Debian's Pebble deadlocks now and then when many order at once; it is started again when its clients say so.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.servers.certs import make_certificates
from tests.servers.pebble import ChallTestSrv, Pebble

#: Seconds in which several threads report the same silence.
_ONE_SILENCE = 16.0


def main(threads: str = "8", count: str = "200") -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with ChallTestSrv() as dns, Pebble(
            dns=dns.dns, certificates=make_certificates(folder), nonce_reject=20, authz_reuse=0
        ) as pebble:
            environment = os.environ | {
                "TOSSL_TEST_DIRECTORY": pebble.directory,
                "TOSSL_TEST_CA_BUNDLE": str(pebble.ca_bundle),
                "TOSSL_TEST_HTTP_PORT": str(pebble.http_port),
            }
            command = [os.environ.get("TCLSH", "tclsh"), str(Path(__file__).with_suffix(".tcl")), threads, count]
            with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as client:
                _keep(pebble, client)
            return client.returncode


def _keep(pebble: Pebble, client: subprocess.Popen[str]) -> None:
    restarted = 0.0
    for line in client.stdout or ():
        print(line, end="", flush=True)
        if line.startswith("stuck") and time.monotonic() - restarted > _ONE_SILENCE:
            pebble.restart()
            restarted = time.monotonic()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
