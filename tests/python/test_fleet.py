"""Nodes with one store in PostgreSQL: one issues, all serve, and a dead one is taken over.

`make fleet-nodes` has ten nodes ask at once, and kills one at each request of an issuance; `make test` has few of both.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.killing import ALL, Killer, Static, World, opened
from tests.nodes import Node, node
from tests.python.test_answers import managed
from tests.servers import actions
from tests.servers.certs import Certificates
from tests.servers.faults import Rule
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.postgresql import PostgreSQL
from tests.servers.sinks import ChallTestSrvSink
from tests.tclhost import Tcl
from tossl_acme.certificates.served import read_served
from tossl_acme.certificates.serving import AnswerServer
from tossl_acme.errors import TosslError
from tossl_acme.files import FilePath
from tossl_acme.pki.chain import read_chain
from tossl_acme.pki.keys import load_private_key, public_der
from tossl_acme.store.registry import open_store

_NUMBERS = itertools.count(1)
#: The request at which the short form kills a node.
_SHORT = (("finalize", True),)


@pytest.fixture
def database(postgresql: PostgreSQL, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a database of the test's own; a dead node's lease lasts a second in it."""
    monkeypatch.setenv("TOSSL_LEASE_SECONDS", "1")
    return postgresql.create_database(f"fleet{next(_NUMBERS)}")


def wait_for(what: Callable[[], object]) -> None:
    ends = time.monotonic() + 60
    while not what():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.02)


def has_no_files(root: Path) -> bool:
    """Whether no file is left; a folder may go while it is walked."""
    return not [name for _, _, names in os.walk(root) for name in names]


# ---- whichever node the CA asks ----


def test_another_process_issues_and_this_one_answers(
    database: str, calm_pebble: Pebble, challtestsrv: ChallTestSrv, certificates: Certificates, tmp_path: Path
) -> None:
    """By its own servers, and by a web server with a folder. The other has no ports: this one is on its machine."""
    port, tls_port = calm_pebble.http_port, calm_pebble.tls_port
    root = tmp_path / "roots" / "one"
    root.mkdir(parents=True)
    store, failed = open_store(database), list[TosslError]()
    server, static = AnswerServer(failed.append), Static(tmp_path / "roots", port, "127.0.0.24")
    own, tls, folder = (f"{kind}{next(_NUMBERS)}.example" for kind in ("own", "tls", "folder"))
    server.take({
        "own": managed(store, own, port=f"127.0.0.22:{port}"),
        "tls": managed(store, tls, tls_port=f"127.0.0.23:{tls_port}", challenge=("tls-alpn-01",)),
        "folder": managed(store, folder, webroot=FilePath(str(root))),
    })  # fmt: skip
    addresses = {own: "127.0.0.22", tls: "127.0.0.23", folder: "127.0.0.24"}
    for name, address in addresses.items():
        challtestsrv.add_a(name, address)
    try:
        wait_for(lambda: read_served(store))
        issue = (
            f"tossl::acme::obtain_certificate {{{own} {tls} {folder}}} "
            f"-challenge {{{tls} tls-alpn-01 default http-01}} "
            f"-port 127.0.0.22:{port} -tls_port 127.0.0.23:{tls_port} -directory {calm_pebble.directory} "
            f"-store {database} -ca_bundle {certificates.ca_bundle} -progress said"
        )
        with node(tmp_path, "issuer", f"said done [dict get [{issue}] domains]; exit") as issuer:
            assert issuer.wait_for("done")[1].split() == [own, tls, folder]
            assert "not_served" not in str(issuer.told)
        wait_for(lambda: has_no_files(root))
        server.close()
        assert failed == []
        assert store.list("answers") == store.list("served") == []
    finally:
        server.close()
        static.stop()
        for name in addresses:
            challtestsrv.clear_a(name)


@pytest.mark.skipif(not ALL, reason="make fleet-nodes")
def test_the_ca_asks_whichever_node(
    database: str, calm_pebble: Pebble, challtestsrv: ChallTestSrv, certificates: Certificates, tmp_path: Path
) -> None:
    """One issues; the CA asks another's own servers, its web server in Tcl, and its web server with a folder."""
    port, tls_port = calm_pebble.http_port, calm_pebble.tls_port
    addresses = {f"{kind}{next(_NUMBERS)}.example": f"127.0.0.{number}" for number, kind in
                 ((12, "own"), (13, "tcl"), (14, "root"))}  # fmt: skip
    names = " ".join(addresses)
    common = f"-directory {calm_pebble.directory} -store {database} -ca_bundle {certificates.ca_bundle}"
    root = tmp_path / "roots" / "fourteen"
    root.mkdir(parents=True)
    static = Static(tmp_path / "roots", port, "127.0.0.14")
    manage = f"tossl::acme::manage {{trio {{domains {{{names}}}}}}} {common} -on_renewed renewed -on_error failed"
    issue = f"-name trio -port 127.0.0.11:{port} {common}"

    def issued(script: str) -> str:
        with node(tmp_path, "issuer", f"said done [dict get [{script}] serial]; exit") as issuer:
            return issuer.wait_for("done")[1]

    try:
        for name in addresses:
            challtestsrv.add_a(name, "127.0.0.11")
        first = issued(f"tossl::acme::obtain_certificate {{{names}}} {issue}")
        for name, address in addresses.items():
            challtestsrv.clear_a(name)
            challtestsrv.add_a(name, address)
        with contextlib.ExitStack() as nodes:

            def start(name: str, script: str) -> Node:
                return nodes.enter_context(node(tmp_path, name, script))

            own = start("own", f"{manage} -port 127.0.0.12:{port} -tls_port 127.0.0.12:{tls_port} "
                               "-challenge {http-01 tls-alpn-01}")  # fmt: skip
            tcl = start("tcl", f"set env(TOSSL_STORE) {database}; serve 127.0.0.13 {port}")
            folder = start("folder", f"{manage} -webroot {root}")
            for one in (own, tcl, folder):
                one.wait_for("ready")
            store = open_store(database)
            wait_for(lambda: [one.node for one in read_served(store)] == ["folder"])
            second = issued(f"tossl::acme::obtain_certificate {{{names}}} -force 1 {issue}")
            assert second != first
            assert tcl.wait_for("asked") == ["asked", "1"]
            alpn = next(iter(addresses))
            assert issued(f"tossl::acme::obtain_certificate {alpn} -challenge tls-alpn-01 "
                           f"-tls_port 127.0.0.11:{tls_port} {common}")  # fmt: skip
            assert [one.stop() for one in (own, tcl, folder)] == ["", "", ""]
            assert [line for one in (own, tcl, folder) for line in one.told if line[0] == "failed"] == []
        assert [path for path in root.rglob("*") if path.is_file()] == []
        assert store.list("answers") == []
        assert store.list("served") == []
    finally:
        static.stop()
        for name in addresses:
            challtestsrv.clear_a(name)


# ---- one issues, the others take what it got ----


@pytest.fixture(scope="module")
def webroot(calm_pebble: Pebble, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("webroots")
    server = Static(folder, calm_pebble.http_port)
    yield folder
    server.stop()


@dataclass(frozen=True)
class Fleet:
    """Nodes that ask for one certificate, each with a web server of its own, and a killer who sees every request."""

    world: World
    database: str

    def read(self) -> dict[str, str]:
        """The certificate that any node gets from the store."""
        found = Tcl().dict("get_certificate", self.world.name, store=self.database)
        chain = read_chain(found["fullchain"])
        assert public_der(load_private_key(found["private_key"])) == chain.public_key
        return found


@pytest.fixture
def fleet(
    database: str, calm_pebble: Pebble, certificates: Certificates, challtestsrv: ChallTestSrv, tmp_path: Path,
    webroot: Path,
) -> Callable[[Killer], contextlib.AbstractContextManager[Fleet]]:  # fmt: skip
    @contextlib.contextmanager
    def begin(killer: Killer) -> Iterator[Fleet]:
        number = next(_NUMBERS)
        root = webroot / f"node{number}"
        root.mkdir()
        with opened(
            tmp_path / str(number), calm_pebble.directory, certificates, ChallTestSrvSink(challtestsrv), killer,
            webroot=root, **{"-store": database},
        ) as world:  # fmt: skip
            yield Fleet(world, database)

    return begin


@pytest.mark.parametrize("how", ["new", "forced"] if ALL else ["new"])
def test_nodes_that_ask_at_once_place_one_order(
    fleet: Callable[[Killer], contextlib.AbstractContextManager[Fleet]], how: str
) -> None:
    count = 10 if ALL else 2
    with fleet(Killer()) as asked:
        world = asked.world
        orders = 1
        if how == "forced":
            assert world.again().status == 0
            orders = 2
            # All have read what is there before the first is done.
            world.proxy.rules.insert(0, Rule(actions.delay(5), path="newOrder", times=1))
        words = world.command(**({"-force": 1} if how == "forced" else {}))
        children = [world.start(words=words) for _ in range(count)]
        ended = [(child.communicate(timeout=60), child.returncode) for child in children]
        assert [status for _, status in ended] == [0] * count, ended
        results = [Tcl().as_dict(out) for (out, _), _ in ended]
        assert sorted(result["issued"] for result in results) == ["0"] * (count - 1) + ["1"]
        found = asked.read()
        assert {(result["certificate"], result["private_key"]) for result in results} == {
            (found["certificate"], found["private_key"])
        }
        # The killer does not see the order that is held up.
        assert (world.spent("newAccount"), world.spent("newOrder"), world.spent("finalize")) == (1, 1, orders)


def test_a_node_killed_at_every_request_is_taken_over(
    fleet: Callable[[Killer], contextlib.AbstractContextManager[Fleet]],
) -> None:
    """By a node with another folder for its web server, once the dead one's lease is over."""
    points = [(request, 0, after) for request, after in _SHORT]
    if ALL:
        with fleet(Killer()) as whole:
            assert whole.world.run().status == 0
            asked = whole.world.killer.asked
        points = [(request, nth, after) for nth, request in enumerate(asked, 1) for after in (False, True)]
    rows, wrong = [], []
    for request, nth, after in points:
        killer = Killer(nth, after=after)
        with fleet(killer) as dying:
            world = dying.world
            if not nth:
                killer.kill_at(request, after=after)
            assert world.run().status == -9
            killer.stop()
            other = world.webroot.parent / f"{world.webroot.name}b" if world.webroot else None
            assert other is not None
            other.mkdir()
            again = replace(world, webroot=other).again()
            spent = world.spent("newOrder"), world.spent("finalize")
            rows.append(f"{request:<18} {'after' if after else 'before':<6} newOrder {spent[0]} finalize {spent[1]}")
            if again.status or spent != (1, 1) or open_store(dying.database).list("answers") or world.left:
                wrong.append(f"{rows[-1]}: {again.err} left: {world.left}")
            else:
                dying.read()
    print("", *rows, sep="\n")
    assert not wrong, "\n".join(wrong)


@pytest.mark.skipif(not ALL, reason="make fleet-nodes")
@pytest.mark.parametrize("request_", ["newOrder", "challenge", "finalize"])
def test_a_node_that_slept_longer_than_its_lease_does_nothing_more(
    fleet: Callable[[Killer], contextlib.AbstractContextManager[Fleet]], request_: str
) -> None:
    killer = Killer(by=signal.SIGSTOP)
    with fleet(killer) as sleeping:
        world = sleeping.world
        killer.kill_at(request_, after=True)
        child = world.start()
        killer.watch(child.pid)
        wait_for(lambda: Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        killer.stop()
        again = world.again()
        assert again.status == 0, again
        found = sleeping.read()
        spent = world.spent("newOrder"), world.spent("finalize")
        assert spent == (1, 1)
        child.send_signal(signal.SIGCONT)
        _, err = child.communicate(timeout=60)
        assert child.returncode == 1
        assert "is lost" in err
        # An order whose answer was lost is asked for once more, and goes no further.
        assert (world.spent("newOrder"), world.spent("finalize")) == (2 if request_ == "newOrder" else 1, 1)
        assert sleeping.read() == found
        assert open_store(sleeping.database).list("answers") == []


@pytest.mark.skipif(not ALL, reason="make fleet-nodes")
def test_managing_nodes_take_over_from_one_that_is_killed(
    fleet: Callable[[Killer], contextlib.AbstractContextManager[Fleet]], tmp_path: Path, webroot: Path
) -> None:
    """Each with a folder of its own for its web server; the CA sees all of them."""
    killer = Killer()
    killer.kill_at("challenge", after=True)
    with fleet(killer) as managed_by_all, contextlib.ExitStack() as nodes:
        world = managed_by_all.world
        running = []
        for name in ("first", "second", "third"):
            root = webroot / f"{name}{next(_NUMBERS)}"
            root.mkdir()
            script = (
                f"tossl::acme::manage {{web {{domains {world.name}}}}} -directory {world.proxy.directory} "
                f"-ca_bundle {world.ca_bundle} -store {managed_by_all.database} -webroot {root} "
                "-on_renewed renewed -on_error failed"
            )
            running.append(nodes.enter_context(node(tmp_path, name, script, TOSSL_LEASE_SECONDS="1")))
            if name == "first":
                killer.watch(running[0].process.pid)
                running[0].wait_for("ready")
        assert running[0].process.wait(60) == -signal.SIGKILL
        killer.stop()
        told = [one.wait_for("renewed") for one in running[1:]]
        assert len({serial for _, _, serial in told}) == 1
        assert sorted(issued for _, issued, _ in told) == ["0", "1"]
        assert (world.spent("newOrder"), world.spent("finalize")) == (1, 1)
        assert open_store(managed_by_all.database).list("answers") == []
        assert [one.stop() for one in running[1:]] == ["", ""]
        assert [line for one in running[1:] for line in one.told if line[0] == "failed"] == []
        # The one that was killed removes its file when it comes back.
        root = next(root for root in webroot.iterdir() if root.name.startswith("first"))
        with node(tmp_path, "first", script) as again:
            again.wait_for("ready")
            wait_for(lambda: has_no_files(root))
        assert [path for path in webroot.rglob("*") if path.is_file()] == []
