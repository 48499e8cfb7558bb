"""A short run of `make fleet`: a fleet on PostgreSQL through some simulated weeks."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode

import pytest

from tests.bench.fleet import Simulation, shown
from tests.bench.simulated_ca import DAY, HOUR, MINUTE, World
from tossl_acme.context import Context
from tossl_acme.http.client import HttpRequest
from tossl_acme.store.registry import open_store

#: Certificates of six days, and a CA that takes five orders in ten minutes.
SHORT = World(life=6 * DAY, ari_seconds=DAY, orders=5, orders_seconds=10 * MINUTE, look_seconds=12 * HOUR)


@pytest.fixture
def simulation(database_url: str) -> Simulation:
    return Simulation(open_store(database_url), 8, 3, SHORT)


def test_a_fleet_renews_everything_once_and_keeps_to_what_the_ca_said(simulation: Simulation) -> None:
    row = simulation.run(10)
    simulation.check()
    assert (row.first, row.missing) == (8, 0)
    assert 16 <= row.renewed <= 24
    assert 1 <= row.refused <= 20
    # Five at once, then one in two minutes: nobody pauses longer for what others have used up.
    assert row.first_days * DAY < 10 * MINUTE
    assert row.questions < 8 * 10 * 2
    assert all(set(node.told) == set(simulation.declared) for node in simulation.nodes)
    assert str(row.renewed) in shown([row])


def test_the_simulated_ca_tells_what_went_wrong(simulation: Simulation) -> None:
    """A check that finds nothing where there is something would prove nothing."""
    ca = simulation.ca
    name = {"type": "dns", "value": "n0.d0.example"}
    coded = urlsafe_b64encode(json.dumps({"identifiers": [name]}).encode()).decode()
    request = HttpRequest("POST", "https://ca.example/new-order", data=json.dumps({"payload": coded}).encode())

    def order() -> int:
        return ca.exchange(None, Context(1), request).status

    assert [order() for _ in range(6)] == [201] * 5 + [429]
    assert not ca.wrong
    assert order() == 429
    assert "before its Retry-After is over" in ca.wrong.pop(0)
    ca.latest["n0.d0.example"] = ("ari", simulation.at - 1)
    with pytest.raises(AssertionError, match="have expired"):
        simulation.check()
    ca.latest["n0.d0.example"] = ("ari", simulation.at + 1)
    order()
    assert "is issued twice" in ca.wrong[0]


def test_the_simulated_ca_tells_of_questions_too_early_and_of_none(simulation: Simulation) -> None:
    ca, at = simulation.ca, simulation.at
    ca.note_issued("n0.d0.example", "ari", at - HOUR, at - HOUR + SHORT.life)
    ask = HttpRequest("GET", "https://ca.example/renewal/ari")
    for pause, said in ((HOUR, ""), (DAY, ""), (DAY - 1, "is asked for"), (2 * DAY, ""), (4 * DAY, "is not asked for")):
        simulation.at += pause
        answer = ca.exchange(None, Context(1), ask)
        assert answer.json_object()["suggestedWindow"]["start"] < answer.json_object()["suggestedWindow"]["end"]
        assert [said in wrong for wrong in ca.wrong] == ([True] if said else []), pause
        ca.wrong.clear()
    simulation.at += 4 * DAY
    with pytest.raises(AssertionError, match="is not asked for"):
        simulation.check()
