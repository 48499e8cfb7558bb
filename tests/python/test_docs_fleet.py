"""The examples of docs/fleet.md, run: the configuration, the declaration, and the grants of a node's role."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.killing import ALL, Static
from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble
from tests.servers.postgresql import PostgreSQL
from tossl_acme.certificates.nodes import Node, write_node
from tossl_acme.context import Context
from tossl_acme.store.registry import open_store

TREE = Path(__file__).parents[2]
PAGE = (TREE / "docs" / "fleet.md").read_text("utf-8")


def block(kind: str) -> str:
    """The page's only example of a kind."""
    (found,) = re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)
    assert isinstance(found, str)
    return found


@dataclass
class Machine:
    """A node as the page sets it up, with this test's servers in the place of those that it names."""

    folder: Path
    environment: dict[str, str]

    def argv(self, *words: str) -> list[str]:
        return [os.environ.get("TCLSH", "tclsh"), str(TREE / "bin" / "tossl"), *words]

    def run(self, *words: str) -> str:
        done = subprocess.run(
            self.argv(*words), capture_output=True, text=True, env=self.environment, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def machine(
    postgresql: PostgreSQL, calm_pebble: Pebble, certificates: Certificates, tmp_path: Path
) -> Iterator[Machine]:
    """Its database is the owner's, who has made the tables; its role has the page's grants."""
    url = postgresql.create_database("docsfleet")
    owner, context = open_store(url), Context(30).begin()
    write_node(owner, context, Node("owner"))
    with owner.locked(context, "nodes/owner") as lock:
        owner.delete(lock)
    postgresql.run("DROP ROLE IF EXISTS node")
    postgresql.run(f"CREATE ROLE node LOGIN PASSWORD '{postgresql.password}'")
    postgresql.run(block("sql"), "docsfleet")
    served = tmp_path / "served" / "html"
    served.mkdir(parents=True)
    said = {
        "postgresql://tossl@db.example/tossl?sslmode=verify-full": postgresql.url_of("docsfleet", "node"),
        "letsencrypt": calm_pebble.directory,
        "/var/www/html": str(served),
        "/etc/tossl": str(tmp_path),
    }
    conf = block("conf")
    for word, real in said.items():
        assert word in conf
        conf = conf.replace(word, real)
    (tmp_path / "tossl.conf").write_text(f"{conf}ca-bundle = {certificates.ca_bundle}\n")
    given = {"TOSSL_CONF": str(tmp_path / "tossl.conf"), "TOSSL_NODE": "www1", "HOME": str(tmp_path)}
    static = Static(tmp_path / "served", calm_pebble.http_port)
    try:
        yield Machine(tmp_path, {**os.environ, **given})
    finally:
        static.stop()
        postgresql.run('DROP DATABASE "docsfleet" WITH (FORCE)')
        postgresql.run("DROP ROLE node")


def test_a_node_s_role_and_configuration_are_enough(machine: Machine) -> None:
    """Those of the page; the files are where it says."""
    hook = machine.folder / "told"
    machine.run("obtain", "docsfleet.example", "--deploy-command", f'echo "$TOSSL_FULLCHAIN" >> {hook}')
    fullchain = machine.folder / "live" / "docsfleet.example" / "fullchain.pem"
    assert fullchain.read_text().startswith("-----BEGIN CERTIFICATE-----")
    assert hook.read_text() == f"{fullchain}\n"
    assert re.search(r"^docsfleet\.example .* valid$", machine.run("list"), re.MULTILINE)


@pytest.mark.skipif(not ALL, reason="make fleet-nodes")
def test_manage_keeps_what_the_page_declares(machine: Machine) -> None:
    commands = re.compile(r"-deploy_command \{systemctl reload (\w+)\}")
    declared = commands.sub(rf"-deploy_command {{echo \1 >> {machine.folder}/told}}", block("declaration"))
    assert declared.count(">>") == 2
    (machine.folder / "certificates").write_text(declared)
    argv = machine.argv("manage", str(machine.folder / "certificates"))
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=machine.environment)
    late = threading.Timer(60, process.kill)
    late.start()
    said: list[str] = []
    assert process.stderr is not None
    with contextlib.ExitStack() as left:
        left.callback(late.cancel)
        for line in process.stderr:
            said.append(line)
            if sum("valid until" in one for one in said) == 2:
                break
        process.terminate()
        assert process.wait(30) == 0, said
    assert sorted((machine.folder / "told").read_text().split()) == ["nginx", "postfix"]
    assert (machine.folder / "live" / "mail" / "privkey.pem").exists()
