"""What tossl costs, side by side with what a user would take instead: `make bench`.

Every figure is of whole processes, run in turn with what it is compared to; the median counts, and the ratio says more
than the milliseconds. certbot, lego and acme-tiny are compared where they are installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import managed

HERE = Path(__file__).parent
TCLSH = os.environ.get("TCLSH", "tclsh")
DIRECTORY = os.environ["TOSSL_TEST_DIRECTORY"]
CA_BUNDLE = os.environ["TOSSL_TEST_CA_BUNDLE"]
HTTP_PORT = os.environ["TOSSL_TEST_HTTP_PORT"]
CONTROL = os.environ["TOSSL_TEST_CONNECT_PROXY"]


@dataclass(frozen=True)
class Contender:
    """A command; where `webroot` is given, a web server that is not counted serves that folder meanwhile."""

    name: str
    command: Sequence[str]
    webroot: Path | None = None


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["TOSSL_HOME"] = str(folder / "store")
        loading(folder)
        print(output([TCLSH, str(HERE / "dispatcher.tcl")]))
        issuing(folder)
        further()
        holding(folder)
        managing(folder)
        counting()
        print(output([sys.executable, "-m", "tests.bench.names"]))


def loading(folder: Path) -> None:
    scripts = {"bare tclsh": "", "tossl": "package require tossl", "tls": "catch {package require tls}"}
    # What Tcl itself takes to look through the packages of this machine is no package's own cost.
    scripts["no such package"] = "catch {package require no-such-package}"
    contenders = []
    for name, text in scripts.items():
        path = folder / f"{name}.tcl"
        path.write_text(text)
        contenders.append(Contender(name, [TCLSH, str(path)]))
    table("package require", paired(contenders, 15))


def issuing(folder: Path) -> None:
    """One certificate by http-01, a whole process each, nothing known before."""
    found = [contender for contender in contenders(folder) if shutil.which(contender.command[0])]
    table("one certificate, cold", paired(found, 5))


def contenders(folder: Path) -> Iterator[Contender]:
    reference = [sys.executable, "-m", "tests.bench.reference", DIRECTORY, CA_BUNDLE, HTTP_PORT, "1"]
    yield Contender("bare protocol", reference)
    yield Contender("tossl", [TCLSH, str(HERE / "issue.tcl"), "1", "-store", ""])
    yield Contender("tossl, stored", [TCLSH, str(HERE / "issue.tcl"), "1"])
    yield acme_tiny(folder)
    folders = [word for kind in ("config", "work", "logs") for word in (f"--{kind}-dir", f"{folder}/{kind}")]
    standalone = ["--standalone", "--http-01-port", HTTP_PORT, "--server", DIRECTORY, "-d", "certbot.example.com"]
    agreed = ["-n", "--agree-tos", "--register-unsafely-without-email", "--force-renewal"]
    yield Contender("certbot", ["certbot", "certonly", *standalone, *agreed, *folders])
    account = ["--accept-tos", "--email", "me@example.com", "--path", f"{folder}/lego"]
    way = ["--server", DIRECTORY, "--http", "--http.port", f":{HTTP_PORT}", "-d", "lego.example.com"]
    yield Contender("lego", ["lego", *account, *way, "run"])


def acme_tiny(folder: Path) -> Contender:
    key, csr, root = folder / "account.key", folder / "request.csr", folder / "webroot"
    answers = root / ".well-known" / "acme-challenge"
    answers.mkdir(parents=True)
    output(["openssl", "genrsa", "-out", str(key), "2048"])
    names = ["-subj", "/", "-addext", "subjectAltName=DNS:tiny.example.com"]
    output(["openssl", "req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{folder}/leaf.key", *names,
            "-out", str(csr)])  # fmt: skip
    files = ["--account-key", str(key), "--csr", str(csr), "--acme-dir", str(answers)]
    return Contender(
        "acme-tiny", ["acme-tiny", *files, "--directory-url", DIRECTORY, "--disable-check", "--quiet"], root
    )


def paired(contenders: Sequence[Contender], runs: int) -> dict[str, list[float]]:
    """Seconds of each, all in turn, after one round that does not count."""
    times: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    trusting = {"REQUESTS_CA_BUNDLE": CA_BUNDLE, "LEGO_CA_CERTIFICATES": CA_BUNDLE, "SSL_CERT_FILE": CA_BUNDLE}
    environment = os.environ | trusting
    for round_ in range(runs + 1):
        for contender in contenders:
            with served(contender.webroot):
                began = time.perf_counter()
                output(contender.command, environment)
                took = time.perf_counter() - began
            if round_:
                times[contender.name].append(took)
    return times


@contextlib.contextmanager
def served(webroot: Path | None) -> Iterator[None]:
    if webroot is None:
        yield
        return
    command = [TCLSH, str(HERE.parent / "tcl" / "webroot.tcl"), HTTP_PORT, str(webroot)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        server.stdout.readline()
        yield
        server.terminate()


def table(title: str, times: dict[str, list[float]]) -> None:
    """The first row is what the others are compared with, pair by pair."""
    base = next(iter(times.values()))
    print(f"\n{title}")
    for name, runs in times.items():
        ratio = statistics.median(mine / other for mine, other in zip(runs, base, strict=True))
        print(f"  {name:24}{statistics.median(runs) * 1000:9.1f} ms {ratio:8.2f} x")


def further() -> None:
    """The tenth certificate of one process."""
    print("\none more certificate in the same process, the tenth")
    for name, command in {
        "bare protocol": [sys.executable, "-m", "tests.bench.reference", DIRECTORY, CA_BUNDLE, HTTP_PORT, "10"],
        "tossl": [TCLSH, str(HERE / "issue.tcl"), "10", "-store", ""],
    }.items():
        print(f"  {name:24}{output(command).splitlines()[-1]}")


def counting() -> None:
    """Requests of one certificate on a new account and of one more, as a proxy before the CA sees them."""
    directory = os.environ["TOSSL_TEST_PROXY"]
    environment = os.environ | {"TOSSL_TEST_DIRECTORY": directory}
    counts = []
    for count in (1, 2):
        control("POST", "/control/clear")
        output([TCLSH, str(HERE / "issue.tcl"), str(count), "-store", ""], environment)
        counts.append(len(json.loads(control("GET", "/control/requests"))["requests"]))
    print(f"\nrequests: {counts[0]} for the first certificate, {counts[1] - counts[0]} for one more")


def holding(folder: Path) -> None:
    """A process that finds its certificate held and asks nobody; and many certificates in one store."""
    held = [TCLSH, str(HERE / "held.tcl")]
    words = [DIRECTORY, HTTP_PORT]
    environment = os.environ | {"REQUESTS_CA_BUNDLE": CA_BUNDLE}
    output([*held, "obtain", *words], environment)
    script = folder / "bare.tcl"
    script.write_text("package require tossl")
    contenders = [
        Contender("package require", [TCLSH, str(script)]),
        Contender("obtain, held", [*held, "obtain", *words]),
    ]
    table("a certificate that is held", paired(contenders, 15))
    print("\nseconds for all certificates of a store, and milliseconds for each")
    for count in (100, 1000, 10000):
        print(f"  {count:6}  {output([*held, 'many', str(count), str(folder / f'many{count}')], environment)}")


def managing(folder: Path) -> None:
    """10,000 certificates of which none is due; and the event loop while a CA takes 3 seconds for an order."""
    os.environ["REQUESTS_CA_BUNDLE"] = CA_BUNDLE
    print("\nmanage")
    fault = json.dumps({"action": "delay", "path": "newOrder", "nth": 2, "times": 1, "args": {"seconds": 3.0}})
    control("POST", "/control/clear")
    control("POST", "/control/fault", fault.encode())
    print(f"  {managed.gap(folder, TCLSH, os.environ['TOSSL_TEST_PROXY'], HTTP_PORT)}")
    print(f"  {managed.idle(folder, TCLSH, 10000, 60)}")


def control(method: str, path: str, body: bytes = b"") -> bytes:
    request = urllib.request.Request(CONTROL + path, method=method, data=body if method == "POST" else None)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as reply:
        return bytes(reply.read())


def output(command: Sequence[str], environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout.strip()


main()
