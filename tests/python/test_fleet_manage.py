"""manage on every node: one order, all have files and hooks; also a node that was killed, once it is back.

Ten nodes in `make fleet-nodes`: each looks every 30 s what others have done.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.killing import ALL
from tests.nodes import Node, node
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.postgresql import PostgreSQL
from tossl_acme.certificates.listed import all_told
from tossl_acme.store.registry import open_store

NODES, NAME = 10, "web"
pytestmark = pytest.mark.skipif(not ALL, reason="make fleet-nodes")


def test_all_nodes_keep_one_certificate(
    postgresql: PostgreSQL, calm_pebble: Pebble, challtestsrv: ChallTestSrv, certificates: Certificates, tmp_path: Path
) -> None:
    database, port = postgresql.create_database("fleetmanage"), calm_pebble.http_port
    domain = "fleetmanage.example"
    challtestsrv.add_a(domain, "127.0.0.40")
    with FaultProxy(calm_pebble.directory, certificates) as ca, contextlib.ExitStack() as nodes:

        def start(number: int) -> Node:
            log = tmp_path / f"hooks{number}"
            script = (
                f"tossl::acme::manage {{{NAME} {{domains {domain}}}}} -directory {ca.directory} -store {database} "
                f"-ca_bundle {certificates.ca_bundle} -port 127.0.0.{40 + number}:{port} "
                f"-files {tmp_path / str(number)} -deploy_command {{echo $TOSSL_SERIAL >> {log}}} "
                "-on_renewed renewed -on_error failed"
            )
            return nodes.enter_context(node(tmp_path, f"www{number}", script))

        def orders() -> int:
            return sum(request.path.endswith(("/order-plz", "/new-order")) for request in ca.requests)

        def serials(number: int) -> list[str]:
            return (tmp_path / f"hooks{number}").read_text().split()

        started = [start(number) for number in range(NODES)]
        told = [one.wait_for("renewed") for one in started]
        first = told[0][2]
        assert {serial for _, _, serial in told} == {first}
        assert sorted(issued for _, issued, _ in told) == ["0"] * (NODES - 1) + ["1"]
        assert orders() == 1
        assert all(serials(number) == [first] for number in range(NODES))
        chains = {(tmp_path / str(number) / NAME / "fullchain.pem").read_text() for number in range(NODES)}
        assert len(chains) == 1

        started[3].kill()
        issue = (
            f"tossl::acme::obtain_certificate {domain} -name {NAME} -force 1 -directory {ca.directory} "
            f"-store {database} -ca_bundle {certificates.ca_bundle} -port 127.0.0.50:{port}"
        )
        with node(tmp_path, "by-hand", f"said done [dict get [{issue}] serial]; exit") as hand:
            second = hand.wait_for("done")[1]
        assert second != first
        for one in started[:3] + started[4:]:
            assert one.wait_for("renewed")[1:] == ["0", second]
        assert serials(3) == [first]
        back = start(3)
        assert back.wait_for("renewed")[1:] == ["0", second]
        assert serials(3) == [first, second]
        assert orders() == 2
        (listed,) = all_told(open_store(database))
        states = listed["nodes"]
        assert isinstance(states, list)
        assert listed["node"] == "by-hand"
        assert [state["node"] for state in states if state["has"]] == sorted(f"www{number}" for number in range(NODES))
        assert not [state for state in states if state["deploy_owed"]]
