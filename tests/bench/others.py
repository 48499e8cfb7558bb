"""What is measured with servers of its own: a DNS provider's records, a TLS server, and a program that manages."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.servers.actions import ACTIONS
from tests.servers.certs import make_certificates
from tests.servers.faults import FaultProxy
from tests.servers.pebble import ChallTestSrv, Pebble

from . import managed, names, tls_load
from .clients import TCLSH
from .table import Table, times

_SLOW_SECONDS = 3.0


def many_names() -> Table:
    """One name and forty names of one certificate at a DNS provider."""
    took = names.measure()
    one = next(iter(took.values()))
    rows = [(str(count), f"{seconds * 1000:.0f}", times(seconds / one)) for count, seconds in took.items()]
    text = (
        "Until the zone's servers show all records. The provider takes 100 ms for each request, and its servers show a "
        "record after a second; the best of three."
    )
    return Table("Names of one certificate by dns-01", text, ("names", "wall, ms", "beside one"), rows)


def connections(swaps: int, rate: float) -> Table:
    """A TLS server whose certificate changes while it serves; `make tls-load` is the long form."""
    with tempfile.TemporaryDirectory() as name, ChallTestSrv() as dns:
        home = Path(name)
        with Pebble(dns=dns.dns, certificates=make_certificates(home), nonce_reject=0, authz_reuse=0) as pebble:
            root = home / "root.pem"
            root.write_text(pebble.root())
            load, said = tls_load.run(swaps, rate, pebble, root, home, browse=False)
    if found := tls_load.faults(said):
        raise RuntimeError("; ".join(found))
    row = (str(swaps), str(load.count), f"{load.count / load.seconds:.0f}", str(len(load.failures)))
    head = ("renewals", "connections", "connections a second", "dropped")
    return Table("tossl::tls::socket under load", "Renewed one after the other; tcltls.", head, [row])


def managing(count: int, seconds: int) -> Table:
    """A program whose event loop manages certificates: while nothing is due, and while a CA is slow."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [("none is due", managed.idle(folder, TCLSH, count, seconds))]
        certificates = make_certificates(folder / "tls")
        with (
            ChallTestSrv() as dns,
            Pebble(dns=dns.dns, certificates=certificates, nonce_reject=0, authz_reuse=0) as pebble,
            FaultProxy(pebble.directory, certificates) as proxy,
        ):
            proxy.fault(ACTIONS["delay"](seconds=_SLOW_SECONDS), path="newOrder", nth=2)
            words = proxy.directory, str(pebble.http_port), pebble.ca_bundle
            rows.append(("one is renewed", managed.gap(folder, TCLSH, *words)))
    text = f"tossl::acme::manage in one process; in the second row the CA takes {_SLOW_SECONDS:.0f} s for an order."
    return Table("A program that manages certificates", text, ("while", "measured"), rows)
