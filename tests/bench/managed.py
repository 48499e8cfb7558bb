"""What manage costs the program around it: a share of a core when nothing is due, and gaps in its event loop.

The CA of the first is the scripted one, for it has renewal information: it is asked every six hours, per certificate.
`python -m tests.bench.managed CERTIFICATES SECONDS` prints the first alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.servers.certs import make_certificates
from tests.servers.scripted_ca import Script, ScriptedCa
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.obtain import obtain
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import seconds
from tossl_acme.files import FilePath
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.store.folder import FolderStore

from .timing import RunFailed

HERE = Path(__file__).parent
NAME = "n0.example.com"


def idle(folder: Path, tclsh: str, count: int, for_seconds: int) -> str:
    """What a process with so many certificates takes while it waits."""
    certificates = make_certificates(folder / "tls")
    with ScriptedCa(certificates, Script(order="ready", finalized="valid", retry_after="21600")) as ca:
        store = folder / "store"
        fill(store, ca, str(certificates.ca_bundle), count)
        declared = folder / "set"
        options = f"-challenge dns-persist-01 -directory {ca.directory} -ca_bundle {certificates.ca_bundle}"
        names = [f"n{number}.example.com" for number in range(count)]
        declared.write_text("\n".join(f"{name} {{domains {name} {options}}}" for name in names))
        ca.requests.clear()
        said = output([tclsh, str(HERE / "managed.tcl"), "idle", str(declared), str(store), str(for_seconds)])
        asked = sum(request.path.startswith("/renewal/") for request in ca.requests)
    return f"{count} certificates: {said}; {asked} questions to the CA in all"


def fill(folder: Path, ca: ScriptedCa, bundle: str, count: int) -> None:
    """A store with a certificate, and copies of it with other names."""
    store = FolderStore(FilePath(str(folder)))
    issuance = Issuance(
        tuple(parse_identifiers([NAME])), ca.directory, solvers=SolverOptions(("dns-persist-01",)),
        connection=ConnectionOptions(bundle),
    )  # fmt: skip
    obtain(seconds(60).begin(), issuance, store, name=NAME)
    one = folder / "certificates" / NAME
    for number in range(1, count):
        name = f"n{number}.example.com"
        copy = one.with_name(name)
        shutil.copytree(one, copy, symlinks=True)
        record = copy / "..data" / "certificate.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"domains": [name]}))


def gap(folder: Path, tclsh: str, directory: str, port: str, bundle: str) -> str:
    """The largest gap of the event loop, alone and beside a renewal."""
    words = ["gap", directory, port, str(folder / "gap")]
    return output([tclsh, str(HERE / "managed.tcl"), *words], {"REQUESTS_CA_BUNDLE": bundle})


def output(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    given = {**os.environ, "TCLLIBPATH": f"{{{HERE.parents[1]}}}", **(environment or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=given)
    if done.returncode or done.stderr:
        raise RunFailed(f"{command[0]} failed: {done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(idle(Path(name), os.environ.get("TCLSH", "tclsh"), int(sys.argv[1]), int(sys.argv[2])))
