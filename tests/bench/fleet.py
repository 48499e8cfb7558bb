"""A fleet simulated: nodes with manage on one PostgreSQL, by a clock of its own, at a CA with Let's Encrypt's limits.

Schedulers, flow, locks and store are the real ones. The CA answers in the place of HttpClient.exchange, and takes every
name for proven. A node is looked at when something is due for it, within 30 s after another has issued, and every
LOOK_SECONDS in any case; between its looks nothing happens on it. (manage itself looks every 30 s.)

    python -m tests.bench.fleet CERTIFICATES:DAYS[:NODES[:held]] ...

held: a run begins with all of the certificates, of each age, instead of none.
"""

from __future__ import annotations

import contextlib
import gc
import heapq
import json
import os
import random
import sys
import time
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import psycopg
from psycopg import pq

from tests.bench.simulated_ca import BEGAN, DAY, HOUR, LOOK_SECONDS, MINUTE, ORIGIN, LetsEncrypt, World, window_of
from tests.servers.postgresql import PostgreSQL
from tossl_acme.acme import clients
from tossl_acme.certificates import clock
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.manage import Manager
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.obtain import obtain
from tossl_acme.certificates.questions import bucket_of, bucket_set
from tossl_acme.certificates.reports import Reports
from tossl_acme.certificates.serving import AnswerServer
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.http.client import HttpClient
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.store.postgresql import database
from tossl_acme.store.postgresql.store import PostgreSQLStore
from tossl_acme.store.postgresql.wire import Rows, Wire
from tossl_acme.store.protocol import Store
from tossl_acme.store.registry import open_store

#: Names of one registered domain.
OF_A_DOMAIN = 10
#: A line of progress each so many simulated seconds, and ten lines at least.
TOLD_SECONDS = 10 * DAY
HINT_SECONDS = 30.0
#: A server for millions of changes, which tidies up behind them.
SETTINGS = """\
shared_buffers = '1GB'
autovacuum = on
synchronous_commit = off
max_wal_size = '4GB'
jit = off
"""
USUAL = World()


class Prepared:
    """A connection that has each statement planned once: no pgbouncer lends it to others in between."""

    def __init__(self, connection: pq.abc.PGconn) -> None:
        self._connection = connection
        self._names: dict[bytes, bytes] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def send_query_params(self, command: bytes, values: Any, _types: Any, formats: Any, result_format: Any) -> None:
        if self._is_prepared(command):
            self._connection.send_query_prepared(self._names[command], values, formats, result_format)
        else:
            self._connection.send_query_params(command, values, None, formats, result_format)

    def _is_prepared(self, command: bytes) -> bool:
        """Returns whether it is, for that is begun here where it can be: not for what makes tables, or misses them."""
        if command not in self._names and command.lstrip().startswith((b"WITH", b"SELECT", b"UPDATE")):
            name = f"s{len(self._names)}".encode()
            self._connection.nonblocking = 0
            result = self._connection.prepare(name, command)
            self._connection.nonblocking = 1
            if result.status == pq.ExecStatus.COMMAND_OK:
                self._names[command] = name
        return command in self._names


class AtOnce:
    """Does work in this thread."""

    def put(self, work: Any) -> None:
        work()

    def close(self) -> None:
        pass


class Node:
    """A machine with manage."""

    def __init__(self, number: int, declared: dict[str, Managed], failed: list[dict[str, object]]) -> None:
        self.name = f"www{number}"
        self.told: Counter[str] = Counter()
        reports = Reports(lambda facts: self.told.update([str(facts["name"])]), failed.append)
        works = AtOnce()
        self.manager = Manager(Context(1e9).begin(), declared, reports, issuers=works, askers=works)
        #: When it is looked at next.
        self.at = 0.0

    def look(self) -> None:
        os.environ["TOSSL_NODE"] = self.name
        self.manager.look()


@dataclass(frozen=True)
class Row:
    """What a run took."""

    certificates: int
    nodes: int
    days: float
    first: int
    renewed: int
    missing: int
    refused: int
    questions: int
    requests: int
    round_trips: int
    looks: int
    bytes_each: float
    seconds: float
    first_days: float

    HEADS = (
        "certificates", "nodes", "days", "first", "in days", "renewed", "missing", "refused", "ARI",
        "requests /cert/day", "round trips /cert/node/day", "looks /node/day", "memory /cert/node", "ran for",
    )  # fmt: skip

    def cells(self) -> tuple[str, ...]:
        each = self.certificates * self.days
        first_days = f">{self.days:g}" if self.missing else f"{self.first_days:.1f}" if self.first_days else "-"
        return (
            f"{self.certificates:,}", str(self.nodes), f"{self.days:g}", f"{self.first:,}", first_days,
            f"{self.renewed:,}", f"{self.missing:,}", f"{self.refused:,}", f"{self.questions:,}",
            f"{self.requests / each:.2f}", f"{self.round_trips / each / self.nodes:.2f}",
            f"{self.looks / self.nodes / self.days:,.0f}", f"{self.bytes_each:,.0f} B", f"{self.seconds:,.0f} s",
        )  # fmt: skip


class Simulation:
    """One run. Use it as a `with`; store: empty."""

    def __init__(self, store: Store, count: int, nodes: int, world: World = USUAL) -> None:
        self.at = BEGAN
        self.last_issued = 0.0
        self.store, self.count, self.world = store, count, world
        self.ca = LetsEncrypt(self, world)
        self.failed: list[dict[str, object]] = []
        self.round_trips = self.looks = 0
        self.all_first_at = self.began = 0.0
        solvers = SolverOptions(("dns-persist-01",), propagation_timeout=0, check_caa=False)
        names = [f"n{number}.d{number // OF_A_DOMAIN}.example" for number in range(count)]
        self.declared = {
            name: Managed(
                Issuance(tuple(parse_identifiers([name])), f"{ORIGIN}/directory", solvers=solvers), store, Hooks()
            )
            for name in names
        }  # fmt: skip
        self.nodes = [Node(number, self.declared, self.failed) for number in range(nodes)]

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        execute, begin = Wire.execute, Wire.__init__

        def counted(wire: Wire, context: Context, statement: str, *values: str | bytes) -> Rows:
            self.round_trips += 1
            return execute(wire, context, statement, *values)

        with (
            mock.patch.object(HttpClient, "exchange", lambda *words: self.ca.exchange(*words)),
            mock.patch.object(Wire, "execute", counted),
            mock.patch.object(Wire, "__init__", lambda wire, connection: begin(wire, Prepared(connection))),
            mock.patch.object(PostgreSQLStore, "time", lambda _store: self.at),
            mock.patch.object(clock, "wall", lambda: self.at),
            mock.patch.object(clock, "counted", lambda: self.at - BEGAN),
            mock.patch.dict(os.environ, {"TOSSL_NODE": "none"}),
            mock.patch.object(AnswerServer, "take", lambda *_: None),  # it looks by the machine's clock, for answers
        ):
            clients.reset()
            clock.reset()
            yield
        clients.reset()
        clock.reset()

    def run(self, days: float) -> Row:
        """Lets so many days pass."""
        self.began = began = time.monotonic()
        with self.running():
            self._pass(self.at + days * DAY)
            bytes_each = self._bytes_each()
        asked, issued = self.ca.requests, self.ca.issued
        real = sum(number for kind, number in asked.items() if " " not in kind)
        return Row(
            self.count, len(self.nodes), days, issued["first"], issued["renewed"], self.count - len(self.ca.latest),
            asked["orders refused"], asked["renewal"], real, self.round_trips, self.looks, bytes_each,
            time.monotonic() - began, max(0.0, self.all_first_at - BEGAN) / DAY,
        )  # fmt: skip

    def _pass(self, end: float) -> None:
        pause = min(TOLD_SECONDS, (end - self.at) / 10)
        told = self.at + pause
        agenda = [(self.at + index / 10, index) for index in range(len(self.nodes))]
        for at, index in agenda:
            self.nodes[index].at = at
        while agenda[0][0] < end:
            at, index = heapq.heappop(agenda)
            node = self.nodes[index]
            if at != node.at:
                continue  # it was looked at since, or is looked at earlier
            if self.looks == len(self.nodes):
                gc.collect()
                gc.freeze()  # what the nodes keep is looked through no more
                gc.set_threshold(100_000, 20, 20)
            self.at = max(self.at, at)
            if self.at >= told:
                self._tell_progress()
                told += pause
            node.look()
            self.looks += 1
            node.at = max(self.at + 0.01, min(node.manager.next_at(), self.at + self.world.look_seconds))
            heapq.heappush(agenda, (node.at, index))
            if self.last_issued == self.at:
                self._hint(agenda, node)
            if not self.all_first_at and self.ca.issued["first"] == self.count:
                self.all_first_at = self.at
        self.at = end

    def _tell_progress(self) -> None:
        """Prints how far it is: a run that is cut off has said something."""
        asked, issued = self.ca.requests, self.ca.issued
        print(
            f"{self.count:,} certificates, {(self.at - BEGAN) / DAY:,.1f} days: {issued['first']:,} issued,"
            f" {issued['renewed']:,} renewed, {asked['renewal']:,} questions, {asked['orders refused']:,} refused,"
            f" {self.round_trips:,} round trips, {self.looks:,} looks, {len(self.ca.wrong)} wrong,"
            f" {len(self.failed_otherwise())} failures, {time.monotonic() - self.began:,.0f} s"
            f"{''.join(f'; {wrong}' for wrong in self.ca.wrong[:3])}",
            flush=True,
        )

    def _hint(self, agenda: list[tuple[float, int]], issuer: Node) -> None:
        """A node has issued: the others see that at their next look of every 30 s."""
        for index, node in enumerate(self.nodes):
            soon = self.at + random.uniform(0, HINT_SECONDS)
            if node is not issuer and soon < node.at:
                node.at = soon
                heapq.heappush(agenda, (soon, index))

    def _bytes_each(self) -> float:
        """What a node keeps in memory for each certificate: a node that is started anew."""
        before = self.round_trips
        tracemalloc.start()
        node = Node(0, self.declared, self.failed)
        node.look()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        self.round_trips = before
        return held / self.count

    def fill(self, url: str) -> None:
        """Puts a certificate for each name into the database, of each age until it is due, as every node has it."""
        with self.running():
            name = next(iter(self.declared))
            obtain(Context(60).begin(), self.declared[name].issuance, self.store, name=name)
        fill(url, name, self)
        self.ca.requests.clear()
        self.ca.issued.clear()
        self.round_trips = 0

    def check(self) -> None:
        """Raises AssertionError for what must not have happened."""
        for ari, asked in self.ca.asked.items():
            self.ca.look_at(ari, asked)
        assert not self.ca.wrong, self.ca.wrong[:5]
        expired = [name for name, (_, ends) in self.ca.latest.items() if ends <= self.at]
        assert not expired, f"{len(expired)} have expired: {expired[:5]}"
        assert not self.failed_otherwise(), self.failed_otherwise()[:3]

    def failed_otherwise(self) -> list[dict[str, object]]:
        """What went wrong beside the CA's refusals."""
        return [one for one in self.failed if not {"RETRY", "rateLimited"}.intersection(one["errorcode"])]  # type: ignore[arg-type]


_MARKS = """
INSERT INTO tossl.sets SELECT '{room}' || substr(name, 12), '{room}', 1, 1, 0, now(), false FROM tossl.sets
    WHERE above = 'deploy.www0';
INSERT INTO tossl.set_values SELECT '{room}' || substr(set_name, 12), name, content FROM tossl.set_values
    WHERE set_name LIKE 'deploy.www0/%'"""


def fill(url: str, first: str, simulation: Simulation) -> None:
    """Puts copies of the first certificate into the database, with lives of their own."""
    values = dict(simulation.store.read(f"certificates/{first}") or {})
    record = json.loads(values.pop("certificate.json"))
    life, at, ca = simulation.world.life, simulation.at, simulation.ca
    ca.latest.clear()
    ca.lives.clear()
    ca.asked.clear()
    phases: dict[str, float] = {}
    buckets: dict[str, dict[str, tuple[float, float]]] = {}
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM tossl.sets WHERE above IN ('certificates', 'renewal')")
        sets: list[tuple[str, dict[str, bytes]]] = []
        for number, name in enumerate(simulation.declared):
            begin = int(at - random.uniform(0, 0.65 * life))
            end, ari, serial = int(begin + life), f"aki.{number}", f"{number + 1:x}"
            first, last = window_of(begin, end)
            told = {"domains": [name], "not_before": begin, "not_after": end, "serial": serial, "cert_id": ari}
            bucket = bucket_of(_Named(f"{ORIGIN}/directory", name))
            asked = phases.setdefault(bucket, int(at - random.uniform(0, simulation.world.ari_seconds)))
            retry_at = asked + simulation.world.ari_seconds
            buckets.setdefault(bucket, {})[ari] = asked, retry_at
            said = {
                "start": int(first), "end": int(last), "chosen": random.uniform(first, last),
                "asked_at": begin + HOUR, "retry_at": begin + HOUR + simulation.world.ari_seconds, "explanation": "",
            }  # fmt: skip
            renewal = {"cert_id": ari, "ari": said, "last_error": {}}
            mark = {"told": f"{serial} {end}".encode(), "told_at": b"1"}
            sets += [
                (f"certificates/{name}", {**values, "certificate.json": json.dumps({**record, **told}).encode()}),
                (f"renewal/{name}", {"renewal.json": json.dumps(renewal).encode()}),
                (f"deploy.www0/{name}", mark),
            ]
            ca.note_issued(name, ari, begin, end, asked)
        sets += [(bucket_set(name), {"asked.json": json.dumps(known).encode()}) for name, known in buckets.items()]
        with cursor.copy("COPY tossl.sets FROM STDIN") as copy:
            for name, _ in sets:
                copy.write_row((name, name.rpartition("/")[0], 1, 1, 0, "now", False))
        with cursor.copy("COPY tossl.set_values FROM STDIN") as copy:
            for name, contents in sets:
                for value, content in contents.items():
                    copy.write_row((name, value, content))
        for number in range(1, len(simulation.nodes)):
            cursor.execute(_MARKS.format(room=f"deploy.www{number}"))
        cursor.execute("ANALYZE")


@dataclass(frozen=True)
class _Named:
    directory: str
    name: str
    not_before: int = 0
    not_after: int = 0
    cert_id: str = ""


def shown(rows: list[Row]) -> str:
    table = [Row.HEADS, *(row.cells() for row in rows)]
    wide = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, wide, strict=True)) for row in table)


def main(words: list[str]) -> None:
    rows = []
    with PostgreSQL(SETTINGS) as server:
        for word in words:
            count, days, nodes, kind, *_ = [*word.split(":"), *["20", ""][word.count(":") - 1 :]]
            server.empty()
            database.reset()
            simulation = Simulation(open_store(server.url), int(count), int(nodes))
            if kind == "held":
                simulation.fill(server.url)
            rows.append(simulation.run(float(days)))
            print(shown(rows[-1:]), flush=True)
            simulation.check()
            database.reset()
    print(f"\n{shown(rows)}\n\n{EXPLAINED}")


EXPLAINED = f"""\
No certificate expired once it was issued, none was issued twice, and nobody asked before a Retry-After was over.
Looked at: when something is due, within {HINT_SECONDS:g} s after another node has issued, and every \
{LOOK_SECONDS / MINUTE:g} minutes; manage itself looks
every 30 s, which is one round trip: {DAY / 30:,.0f} more for each node and day, whatever the number of certificates.
By the limits (300 orders in 3 hours) the first 100,000 certificates take {100_000 / 300 * 3 / 24:.1f} days, the first \
10,000 {10_000 / 300 * 3 / 24:.1f}."""


if __name__ == "__main__":
    main(sys.argv[1:])
