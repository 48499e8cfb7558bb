"""Servers under a loop of connections while their certificate changes: `make tls-load`, in short."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.bench import tls_load
from tests.servers.pebble import Pebble

TCLSH = os.environ.get("TCLSH", "tclsh")
TCLTLS = subprocess.run([TCLSH], input="exit [catch {package require tls}]", text=True).returncode == 0


@pytest.mark.skipif(not TCLTLS, reason="needs tcltls")
@pytest.mark.parametrize("example", [False, True], ids=["socket", "example"])
def test_no_connection_is_dropped_while_certificates_change(
    calm_pebble: Pebble, tmp_path: Path, example: bool
) -> None:
    root = tmp_path / "root.pem"
    root.write_text(calm_pebble.root())
    load, said = tls_load.run(2, 20, calm_pebble, root, tmp_path, browse=False, example=example)
    assert load.failures == []
    assert said == [*(f"swap {number}" for number in range(1, 3)), "curl: seen", "openssl: seen"]
    assert len(load.seen) > 1


def test_a_server_that_ends_is_quoted() -> None:
    words = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with (
        subprocess.Popen(["sh", "-c", "echo listening; echo usage: SERVER NAMES; exit 2"], **words) as server,
        pytest.raises(RuntimeError, match=r"It said: listening\nusage: SERVER NAMES$"),
    ):
        tls_load.awaited_port(server)
