"""tossl::tls::socket under a loop of connections while its certificate changes: `make tls-load`, in short."""

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
def test_no_connection_is_dropped_while_certificates_change(calm_pebble: Pebble, tmp_path: Path) -> None:
    root = tmp_path / "root.pem"
    root.write_text(calm_pebble.root())
    load, said = tls_load.run(3, 20, calm_pebble, root, tmp_path, browse=False)
    assert load.failures == []
    assert said == [*(f"swap {number}" for number in range(1, 4)), "curl: seen", "openssl: seen"]
    assert len(load.seen) > 1
