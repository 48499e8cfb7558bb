"""What is no plain file, in the place of each file that an option names: a clear error within the call's time."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tclhost import Tcl, new_key

#: Each option that names a file to read, with what it needs beside it.
_READ: dict[str, dict[str, object]] = {
    "account_key_file": {},
    "private_key_file": {},
    "eab_hmac_key_file": {"eab_kid": "k"},
    "api_key_file": {"provider": "cloudflare"},
    "credentials_file": {"provider": "cloudflare"},
    "key_file": {"provider": "rfc2136", "credentials": "server 127.0.0.1:1 key_file {file}"},
    "accounts_file": {"provider": "acmedns", "endpoint": "https://127.0.0.1:9", "credentials": "accounts_file {file}"},
    "ca_bundle": {},
    "pem_file": {},
}
_KINDS = ("pipe", "/dev/zero", "socket", "folder", "huge", "loop", "long")
_SECONDS = 0.5


@pytest.fixture(params=_KINDS)
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The path of such a file."""
    path = tmp_path / "file"
    kind = request.param
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        # A name that is short enough whatever the folder's is.
        with socket.socket(socket.AF_UNIX) as listening:
            folder = os.open(tmp_path, os.O_PATH)
            listening.bind(f"/proc/self/fd/{folder}/file")
            os.close(folder)
            yield str(path)
        return
    elif kind == "folder":
        path.mkdir()
    elif kind == "huge":
        with path.open("wb") as file:
            file.truncate(1 << 40)
    elif kind == "loop":
        path.symlink_to(path)
    yield {"/dev/zero": "/dev/zero", "long": f"{tmp_path}/{'n' * 256}"}.get(kind, str(path))


@pytest.mark.parametrize("option", _READ)
def test_no_file_that_an_option_names_is_waited_for(tcl: Tcl, tmp_path: Path, option: str, special: str) -> None:
    """Nor is it read whole, nor is anything sent before."""
    if option == "pem_file" and special.endswith("file") and Path(special).is_file():
        pytest.skip("a plain file may be replaced")
    options: dict[str, object] = {
        "directory": "https://127.0.0.1:9/directory", "store": "", "timeout": _SECONDS, "port": 0,
        "account_key": new_key(), **_READ[option],
    }  # fmt: skip
    if "credentials" in options:
        options["credentials"] = str(options["credentials"]).format(file=special)
    else:
        options[option] = special
    if "provider" in options:
        del options["port"]
    if option == "account_key_file":
        del options["account_key"]
    begun = time.monotonic()
    failure = tcl.failure("obtain_certificate", ["a.example"], **options)
    assert time.monotonic() - begun < _SECONDS + 3
    assert failure.code[:2] == ("TOSSL", "VALUE")
    assert failure.code[2] == option
    assert Path(special).name[:80] in failure.message
