"""The parts of `make bench`, in short: each gives its figures, whatever they are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.bench import clients, issuance, page, process, stores, timing
from tests.bench.ground import Ground
from tests.bench.table import Aim, Table, wall


class Missing(clients.Lego):
    name, program = "missing", "no-such-client"


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    with Ground(tmp_path_factory.mktemp("bench"), round_trip=0.002) as ground:
        yield ground


def test_one_certificate_far_away_beside_the_floors(ground: Ground) -> None:
    table = issuance.one_certificate(ground, 1, names=2, far=True, others=[Missing()])
    assert [row[0] for row in table.rows] == ["tossl", "floor", "floor, by libcurl"]
    assert table.left_out == {"missing": "not installed"}
    assert "left out: missing: not installed" in "\n".join(page.as_text([table]))


def test_several_in_one_process(ground: Ground) -> None:
    table = issuance.in_one_process(ground, 1, 2)
    assert [row[0] for row in table.rows] == [
        "tossl, 2 jobs at a time", "tossl, 8 jobs at a time", "tossl, in turn", "floor",
    ]  # fmt: skip
    assert [aim.unit for aim in table.aims] == ["x the wall of floor", "x the CPU of floor"]


def test_what_one_process_costs(ground: Ground) -> None:
    assert process.gap(ground, 1, 2).aims[0].measured > 0
    assert len(process.loading(ground, 1).aims) == 2


def test_a_set_of_which_few_are_due(ground: Ground) -> None:
    table = stores.renewing(ground, 3, 1)
    assert table.rows[0][0] == "3, 1 due"
    # Pebble takes one name in a hundred as proven, whatever it is told: 4 requests then, else 7.
    assert int(table.rows[0][1]) >= 4


def test_a_command_that_is_stuck_is_run_again_at_a_new_ca() -> None:
    tries, restarts = [], []

    def once() -> timing.Took:
        tries.append(1)
        if len(tries) == 1:
            raise timing.Stuck("it does not answer")
        return timing.Took(2.0, 1.0, "")

    found, left_out = timing.in_turn({"one": once}, 1, lambda: restarts.append(1))
    assert (found["one"], left_out, len(restarts)) == ([timing.Took(2.0, 1.0, "")], {}, 1)


def test_a_slow_client_takes_part_in_fewer_rounds() -> None:
    """Ratios are of the rounds in which both took part."""
    order, runs = [], iter(range(1, 99))

    def taking(name: str) -> timing.Took:
        order.append(name)
        return timing.Took(float(next(runs)), 1.0, "")

    contenders = {name: partial(taking, name) for name in ("quick", "slow")}
    found, _ = timing.in_turn(contenders, 3, lambda: None, few={"slow": 1})
    assert order == ["quick", "slow"] * 2 + ["quick"] * 2
    assert [len(took) for took in found.values()] == [3, 1]
    assert timing.paired_ratio(found["quick"], found["slow"], wall) == 3 / 4


def test_clients_that_are_not_for_many_names_are_named(ground: Ground) -> None:
    others = [client for client in clients.OTHERS if client.name in ("dehydrated", "caddy")]
    table = issuance.one_certificate(ground, 1, names=2, far=True, others=others)
    assert set(table.left_out) == {"dehydrated", "caddy"}


def test_a_command_over_its_time_is_ended(tmp_path: Path) -> None:
    with pytest.raises(timing.Stuck):
        timing.run(timing.Command(["sleep", "600"]), {"PATH": "/usr/bin:/bin"}, limit=0.01)


def test_a_page_says_aims_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    aims = [Aim("the one", 1.5, 1.2, "x"), Aim("the other", 7, 7, "requests")]
    page.write([Table("A table", "A text.", ("a", "b"), [("1", "2")], aims)], "60 ms away", 9.0)
    text = (tmp_path / "page.md").read_text()
    assert "| the one | 1.20 | 1.50 | x | not met |" in text
    assert "| the other | 7 | 7 | requests | met |" in text
    assert "## A table\n\nA text.\n\n| a | b |\n| --- | --- |\n| 1 | 2 |" in text
    assert "busy" in text
