"""TLS servers under load while their certificate changes: python -m tests.bench.tls_load ?SWAPS? ?RATE? ?EXAMPLE?

The server is tossl::tls::socket, or with EXAMPLE examples/https_server.tcl. Connects RATE times a second and verifies
each handshake against the CA's root, with the name; then asks curl, openssl and a headless Chromium, which trust that
root alone. Exit status 1 if a connection was dropped or is not verified.
"""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.certs import make_certificates
from tests.servers.pebble import ChallTestSrv, Pebble

NAME = "load.example.com"
_PAGE = "hello"
#: Seconds for one connection on a busy machine.
_WITHIN = 60.0
#: Seconds to wait for the second certificate once all renewals are over.
_LAST_SECONDS = 10.0
_CLIENTS = 16


@dataclass
class Load:
    """What became of the connections: how many saw each serial number, and each failure."""

    seen: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def count(self) -> int:
        return sum(self.seen.values()) + len(self.failures)


def connect(port: int, trust: ssl.SSLContext, load: Load) -> None:
    """One connection: its handshake verified, its page read."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_WITHIN) as plain, trust.wrap_socket(
            plain, server_hostname=NAME
        ) as secure:
            certificate = secure.getpeercert() or {}
            secure.sendall(b"GET / HTTP/1.1\r\n\r\n")
            answer = b""
            try:
                while piece := secure.recv(4096):
                    answer += piece
            except ssl.SSLEOFError:  # tcltls closes without the alert
                pass
        if _PAGE.encode() not in answer:
            raise OSError(f"the answer is {answer!r}")
        load.seen[str(certificate.get("serialNumber"))] += 1
    except OSError as error:
        load.failures.append(f"{type(error).__name__}: {error}")


def press(port: int, root: Path, rate: float, over: threading.Event) -> Load:
    """Connects `rate` times a second until `over`, or as often as the machine can.

    Then until it has seen two certificates: a few renewals may be over before the second connection.
    """
    trust = ssl.create_default_context(cafile=str(root))
    load, begun, started = Load(), 0, time.monotonic()
    with ThreadPoolExecutor(_CLIENTS) as pool:
        while not over.is_set():
            pool.submit(connect, port, trust, load)
            begun += 1
            over.wait(max(0.0, started + begun / rate - time.monotonic()))
        pool.shutdown(cancel_futures=True)
    load.seconds = time.monotonic() - started
    while len(load.seen) < 2 and time.monotonic() < started + load.seconds + _LAST_SECONDS:
        connect(port, trust, load)
    return load


def run(
    swaps: int, rate: float, pebble: Pebble, root: Path, home: Path, *, browse: bool = True, example: bool = False
) -> tuple[Load, list[str]]:
    """Runs the server and the load; returns what became of the connections, and what server and visitors say."""
    environment = os.environ | {
        "TOSSL_TEST_DIRECTORY": pebble.directory,
        "TOSSL_TEST_CA_BUNDLE": str(pebble.ca_bundle),
        "TOSSL_TEST_HTTP_PORT": str(pebble.http_port),
        "TOSSL_STORE": str(home / "store"),
        "TCLLIBPATH": f"{{{Path(__file__).parents[2]}}}",
        # Else tcltls reads all of the system's CAs for each connection.
        "SSL_CERT_FILE": os.devnull,
    }
    command = [os.environ.get("TCLSH", "tclsh"), str(Path(__file__).with_suffix(".tcl")), str(swaps)]
    command += ["example"] if example else []
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, env=environment, text=True, **pipes) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        port = awaited_port(server)
        over, said, loads = threading.Event(), [], []
        presser = threading.Thread(target=lambda: loads.append(press(port, root, rate, over)))
        presser.start()
        for line in server.stdout:
            said.append(line.strip())
            if said[-1] == f"swap {swaps}" or said[-1].startswith("failed"):
                break
        over.set()
        presser.join()
        said += [f"{name}: {verdict}" for name, verdict in visits(port, root, home, browse=browse)]
        server.stdin.close()
        said += [line.strip() for line in server.stdout]
    return loads[0], [line for line in said if not line.startswith("certificate: issued by ")]


def faults(said: Sequence[str]) -> list[str]:
    """The lines that `run` returns and that no working server and visitor says."""
    return [line for line in said if not line.startswith("swap ") and not line.endswith(": seen")]


def awaited_port(server: subprocess.Popen[str]) -> int:
    """The port on which the server shows the CA's certificate; raises RuntimeError that quotes the server otherwise."""
    assert server.stdout is not None
    said: list[str] = []
    limit = threading.Timer(_WITHIN, server.kill)
    limit.start()
    try:
        for line in server.stdout:
            said.append(line)
            if line.startswith("port "):
                return int(line.split()[1])
    finally:
        limit.cancel()
    words = "".join(said).strip() or "nothing"
    raise RuntimeError(f"the server ended, or was without a certificate for {_WITHIN:.0f} s. It said: {words}")


def visits(port: int, root: Path, home: Path, *, browse: bool) -> list[tuple[str, str]]:
    """What other clients say that trust the root alone: each has "seen" if it verified the chain and got the page."""
    url = f"https://{NAME}:{port}/"
    clients: dict[str, Sequence[str]] = {
        "curl": ["curl", "-sS", "--noproxy", "*", "--cacert", str(root), "--resolve", f"{NAME}:{port}:127.0.0.1", url],
        "openssl": [
            "openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(root), "-verify_hostname", NAME,
            "-verify_return_error", "-quiet", "-ign_eof",
        ],
    }  # fmt: skip
    if browse:
        browser = shutil.which("chromium") or "chromium"
        trust_in_browser(home, root)
        clients["chromium"] = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={home / 'profile'}",
            f"--host-resolver-rules=MAP {NAME} 127.0.0.1", "--no-proxy-server", "--dump-dom", url,
        ]  # fmt: skip
    found = []
    for name, command in clients.items():
        done = subprocess.run(
            command, input="GET / HTTP/1.1\r\n\r\n", capture_output=True, text=True, timeout=_WITHIN,
            env=os.environ | {"HOME": str(home)},
        )  # fmt: skip
        found.append((name, "seen" if _PAGE in done.stdout else f"not seen: {(done.stdout + done.stderr)[-2000:]}"))
    return found


def trust_in_browser(home: Path, root: Path) -> None:
    """Makes Chromium trust the root: it reads the user's NSS database."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for words in (["-N", "--empty-password"], ["-A", "-n", "root", "-t", "C,,", "-i", str(root)]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *words], check=True)


def main(swaps: str = "200", rate: str = "200", example: str = "") -> int:
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        certificates = make_certificates(home)
        with ChallTestSrv() as dns, Pebble(
            dns=dns.dns, certificates=certificates, nonce_reject=0, authz_reuse=0
        ) as pebble:
            root = home / "root.pem"
            root.write_text(pebble.root())
            load, said = run(int(swaps), float(rate), pebble, root, home, example=bool(example))
    print(*[line for line in said if not line.startswith("swap ")], sep="\n")
    print(f"{load.count} connections, {load.count / load.seconds:.0f} a second; {len(load.seen)} certificates seen")
    print(f"{len(load.failures)} dropped", *load.failures[:10], sep="\n")
    return 1 if load.failures or faults(said) or len(load.seen) < 2 else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
