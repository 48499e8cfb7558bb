"""Times as CAs write them."""

from __future__ import annotations

import datetime
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Tcl
from tossl_acme.acme.polling import poll
from tossl_acme.acme.times import epoch_seconds
from tossl_acme.context import Context

NOON = datetime.datetime(2030, 6, 30, 12, 0, 0, tzinfo=datetime.UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("2030-06-30T12:00:00Z", 0),
        ("2030-06-30t12:00:00z", 0),
        ("2030-06-30 12:00:00Z", 0),
        ("2030-06-30T14:30:00+02:30", 0),
        ("2030-06-30T12:00:00.5Z", 0.5),
        ("2030-06-30T12:00:00.123456789012Z", 0.123456),
        ("2030-06-30T23:59:60Z", 43199.999999),
        ("2030-06-30t16:59:60-07:00", 43199.999999),
    ],
)
def test_rfc3339(text: str, after: float) -> None:
    assert epoch_seconds(text) == pytest.approx(NOON + after, abs=1e-6)


@pytest.mark.parametrize("text", ["", "2030-06-30", "2030-W01-1", "2030-06-31T00:00:00Z", "2030-06-30T25:00:00Z"])
def test_other_texts(text: str) -> None:
    with pytest.raises(ValueError, match=r"time|range|day|hour"):
        epoch_seconds(text)


@dataclass(frozen=True)
class Polled:
    """What a poll finds."""

    status: str
    retry_after: float | None = None


def test_the_time_of_an_answer_is_part_of_the_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """But not of the pause that the CA has asked for."""
    real, asked, steps = time.monotonic, list[int](), list[dict[str, object]]()
    monkeypatch.setattr(time, "monotonic", lambda: real() + len(asked))

    def look() -> Polled:
        asked.append(1)
        return Polled("valid" if len(asked) == 5 else "pending", 0.03 if len(asked) == 4 else None)

    poll(Context(60).begin(listener=steps.append), "order", look, lambda found: found.status == "valid")
    assert [step["seconds"] for step in steps] == [0, 0, 0, 0.03]


@pytest.mark.parametrize("address", ["::1", "::ffff:192.0.2.1"])
def test_an_address_that_begins_with_colons_is_kept(
    tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, address: str
) -> None:
    """And found again by its name."""
    scripted_ca.script.authorization = "valid"
    options = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": tmp_path / "store"}
    made = tcl.dict("obtain_certificate", [address], **options)
    assert tcl.dict("obtain_certificate", [address], **options)["issued"] == "0"
    (listed,) = tcl.dicts(tcl.acme("list_certificates", store=tmp_path / "store"))
    assert listed["name"] == made["name"]
    assert tcl.dict("get_certificate", made["name"], store=tmp_path / "store")["certificate"] == made["certificate"]
