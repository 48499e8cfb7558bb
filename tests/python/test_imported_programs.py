"""Trees that certbot, lego and dehydrated make at a real CA, taken over: `make import-programs`, a minute."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Sequence
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.foreign_trees import WELL_KNOWN, sent
from tests.killing import ALL
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.pebble import Pebble
from tests.tclhost import Tcl
from tossl_acme.acme import clients

pytestmark = pytest.mark.skipif(not ALL, reason="make import-programs runs it")
_TRUSTED = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "LEGO_CA_CERTIFICATES", "SSL_CERT_FILE")
_SECONDS = 120


@pytest.fixture
def ari_proxy(newest_pebble: Pebble, certificates: Certificates) -> Iterator[FaultProxy]:
    with FaultProxy(newest_pebble.directory, certificates) as server:
        yield server


@pytest.fixture
def webroot(newest_pebble: Pebble, tmp_path: Path) -> Iterator[Path]:
    """A folder that a web server shows where the CA looks."""
    folder = tmp_path / "webroot"
    (folder / WELL_KNOWN).mkdir(parents=True)

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", newest_pebble.http_port), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield folder
        server.shutdown()


def _run(certificates: Certificates, argv: Sequence[object]) -> None:
    environment = os.environ | dict.fromkeys(_TRUSTED, str(certificates.ca_bundle))
    done = subprocess.run(
        list(map(str, argv)),
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_SECONDS,
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]


def _taken_over(tcl: Tcl, proxy: FaultProxy, program: str, tree: Path, **options: object) -> None:
    """Imports, lists and renews; looks at what was sent."""
    store = tree.parent / "store"
    before = {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}
    proxy.clear()
    clients.reset()
    found = tcl.dict("import_certificate", program, tree, store=store, **options)
    assert found["skipped"] == ""
    (taken,) = tcl.dicts(found["imported"])
    assert not proxy.requests
    (listed,) = tcl.dicts(tcl.acme("list_certificates", store=store))
    held = tcl.dict("get_certificate", listed["name"], store=store)
    replaced = tcl.dict("renewal_info", taken["directory"], held["fullchain"])["cert_id"]
    clients.reset()
    assert tcl.dict("renew_certificate", listed["name"], store=store, force=1)["issued"] == "1"
    assert not sent(proxy, "newAccount")
    ((head, order),) = sent(proxy, "newOrder")
    assert head["kid"] == taken["account"]
    assert order["replaces"] == replaced
    assert {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_certbot(
    kind: str, tcl: Tcl, ari_proxy: FaultProxy, certificates: Certificates, webroot: Path, tmp_path: Path
) -> None:
    folders = [word for name in ("config", "work", "logs") for word in (f"--{name}-dir", tmp_path / "tree" / name)]
    way = ["--webroot", "-w", webroot, "--key-type", kind, "-d", f"{kind}.example", "-d", f"www.{kind}.example"]
    agreed = ["--agree-tos", "--register-unsafely-without-email", "--server", ari_proxy.directory]
    _run(certificates, ["certbot", "certonly", "-n", *agreed, *way, *folders])
    _taken_over(tcl, ari_proxy, "certbot", tmp_path / "tree" / "config")


def test_lego(tcl: Tcl, ari_proxy: FaultProxy, certificates: Certificates, webroot: Path, tmp_path: Path) -> None:
    account = ["--accept-tos", "--email", "me@example.com", "--path", tmp_path / "tree"]
    way = ["--server", ari_proxy.directory, "--http", "--http.webroot", webroot, "-d", "lego.example"]
    _run(certificates, ["lego", *account, *way, "run"])
    _taken_over(tcl, ari_proxy, "lego", tmp_path / "tree", directory=ari_proxy.directory, webroot=webroot)


def test_dehydrated(tcl: Tcl, ari_proxy: FaultProxy, certificates: Certificates, webroot: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    lines = (f"CA={ari_proxy.directory}", f"BASEDIR={tree}", f"WELLKNOWN={webroot}/{WELL_KNOWN}", "")
    (tree / "config").write_text("\n".join((*lines, "KEY_ALGO=prime256v1", "CHALLENGETYPE=http-01", "")))
    words = ["dehydrated", "--config", tree / "config"]
    _run(certificates, [*words, "--register", "--accept-terms"])
    _run(certificates, [*words, "--cron", "--domain", "dehydrated.example"])
    _taken_over(tcl, ari_proxy, "dehydrated", tree)
