"""Renewal by name, driven by a clock that the tests own."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.killing import ALL
from tests.memory_store import MemoryStore
from tests.servers.certs import Certificates
from tests.servers.pebble import Pebble
from tests.servers.scripted_ca import Script, ScriptedCa
from tests.servers.web import Reply
from tests.tclhost import new_key
from tossl_acme.acme import clients
from tossl_acme.acme.certificate import revoke_certificate
from tossl_acme.certificates import due
from tossl_acme.certificates.accounts import client_of_issuance
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.due import Suggestion
from tossl_acme.certificates.files import CertificateFolder, certificate_folder
from tossl_acme.certificates.held import words_digests
from tossl_acme.certificates.history import issuances_of
from tossl_acme.certificates.issuance import Authority, Issuance
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.certificates.listed import all_told, forget_kept
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.obtain import obtain, obtain_locked
from tossl_acme.certificates.record import KeptCertificate, read_kept
from tossl_acme.certificates.renew import Renewals, renew, renew_all
from tossl_acme.certificates.stand_in import put_stand_in
from tossl_acme.certificates.suggested import Renewal, failure_kept, renewal_name
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.errors import AcmeError, ArgumentError, RetryError, WaitTimeout
from tossl_acme.files import FilePath
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.chain import read_certificate
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.protocol import Lock, Store
from tossl_acme.text import Secret

NAME = "a.example"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
#: In the far future, so that nothing depends on what time it is.
BEGAN = 4_000_000_000.0
PROBLEM = {"Content-Type": "application/problem+json"}
VISIT = "https://ca.example/unpause?jwt=abc"


class World:
    """One store, a clock and a CA whose certificates live by that clock."""

    def __init__(self, ca: ScriptedCa, certificates: Certificates, folder: Path) -> None:
        self.at = BEGAN
        self.life = 90 * DAY
        self.ca = ca
        self.connection = ConnectionOptions(str(certificates.ca_bundle))
        self.store: Store = FolderStore(FilePath(str(folder)))
        self.told: list[dict[str, object]] = []
        self.ready(ca)

    def ready(self, ca: ScriptedCa) -> None:
        """A CA that proves nothing and is quick."""
        ca.script.order, ca.script.finalized = "ready", "valid"
        ca.script.life = lambda: (self.at, self.at + self.life)
        ca.script.window, ca.script.renewal = None, False

    def now(self) -> float:
        return self.at

    def suggest(self, start: float, end: float, retry_after: float = 6 * HOUR) -> None:
        """The CA's window from here on, in shares of the life of the certificate held."""
        held = read_kept(self.store, NAME)
        begin = self.at if held is None else held.not_before
        self.suggest_at(begin + start * self.life, begin + end * self.life, retry_after)

    def suggest_at(self, start: float, end: float, retry_after: float = 6 * HOUR) -> None:
        self.ca.script.renewal = True
        self.ca.script.window = lambda: (start, end)
        self.ca.script.retry_after = f"{retry_after:.0f}"

    @property
    def context(self) -> Context:
        return Context(60).begin(listener=self.told.append)

    def obtain(self, *names: str, **options: Any) -> dict[str, object]:
        identifiers = tuple(parse_identifiers(list(names or (NAME,))))
        solvers = SolverOptions(("dns-persist-01",), propagation_timeout=0)
        options = {"solvers": solvers, "connection": self.connection, **options}
        return obtain(self.context, Issuance(identifiers, self.ca.directory, **options), self.store).as_dict()

    @property
    def held(self) -> KeptCertificate:
        return self.kept(NAME)

    def kept(self, name: str) -> KeptCertificate:
        kept = read_kept(self.store, name)
        assert kept is not None
        return kept

    def renew_all(self, within: float | None = 0.0) -> Renewals:
        return renew_all(self.context, self.store, within)

    def renew(self, name: str = NAME, **how: Any) -> dict[str, object]:
        return renew(self.context, self.store, name, **how).as_dict()

    def refuse(self, kind: str, status: int = 400, detail: str = "no", **headers: str) -> None:
        document = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail, "status": status}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.ca.answers["/new-order"].append(Reply(status, json.dumps(document).encode(), PROBLEM | named))

    @property
    def orders(self) -> int:
        return len(self.ca.payloads("new-order"))

    @property
    def asked(self) -> int:
        """How often the CA was asked for renewal information."""
        return sum(request.path.startswith("/renewal/") for request in self.ca.requests)


@pytest.fixture
def world(
    scripted_ca: ScriptedCa, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    clients.reset()
    world = World(scripted_ca, certificates, tmp_path / "store")
    monkeypatch.setattr(due, "now", world.now)
    return world


@pytest.fixture
def other_ca(certificates: Certificates) -> Iterator[ScriptedCa]:
    with ScriptedCa(certificates, Script()) as server:
        yield server


# ---- a year ----


def days_of(life: float) -> float:
    """A year; of certificates of days and hours, which are renewed so often, 20 lives in the short form."""
    return 365 if ALL else min(365, 20 * life / DAY)


@pytest.mark.parametrize(
    ("life", "step", "renewals"),
    [(90 * DAY, DAY, 6), (45 * DAY, DAY, 12), (6 * DAY, DAY, 121), (12 * HOUR, 10 * HOUR, 876)],
    ids=["90 days", "45 days", "6 days", "12 hours"],
)
def test_a_year_by_the_share_of_life(world: World, life: float, step: float, renewals: int) -> None:
    """Cron comes by `step`: each certificate is renewed by the last run before two thirds, or half, of its life."""
    world.store = MemoryStore()
    world.life = life
    world.obtain()
    share = 1 / 2 if life <= 10 * DAY else 2 / 3
    days = days_of(life)
    for run in range(1, int(days * DAY / step) + 1):
        world.at = BEGAN + run * step
        held = world.held
        assert world.at < held.not_after
        result = world.renew_all(None)
        assert not result.failed
        assert not result.waiting
        interval = step if run > 1 else 0
        assert bool(result.renewed) is (world.at + interval > held.not_before + share * life + 1e-3)
    assert world.orders - 1 == pytest.approx(renewals * days / 365, abs=1)


@pytest.mark.parametrize(
    ("life", "step"),
    [(90 * DAY, DAY), (45 * DAY, 12 * HOUR), (6 * DAY, 6 * HOUR), (12 * HOUR, HOUR)],
    ids=["90 days", "45 days", "6 days", "12 hours"],
)
def test_a_year_with_windows_that_move(world: World, life: float, step: float) -> None:
    """The CA moves each window once, to earlier and to later; the time chosen in the last one known is kept."""
    world.store = MemoryStore()
    world.life = life
    retry_after = min(6 * HOUR, step)
    world.suggest(0.5, 0.6, retry_after)
    world.obtain()
    renewals = 0
    while world.at < BEGAN + days_of(life) * DAY:
        held = world.held
        age = (world.at - held.not_before) / life
        is_early = renewals % 2 == 0
        if age < 0.2:
            world.suggest(0.5, 0.6, retry_after)
        else:
            world.suggest(*((0.3, 0.4) if is_early else (0.8, 0.85)), retry_after)
        result = world.renew_all(0)
        assert not result.failed
        assert world.at < held.not_after
        if result.renewed:
            renewals += 1
            start, end = (0.3, 0.4) if is_early else (0.8, 0.85)
            assert start <= age <= end + step / life
        world.at += step
    assert renewals >= days_of(life) * DAY / life


def test_a_suspend_is_made_up_for(world: World) -> None:
    """The machine sleeps for 80 days; the certificate is renewed by the first run, and other intervals stay usual."""
    world.obtain()
    for _ in range(5):
        world.at += DAY
        assert not world.renew_all(None).renewed
    world.at += 80 * DAY
    assert len(world.renew_all(None).renewed) == 1
    world.at += DAY
    assert not world.renew_all(None).renewed
    assert world.held.not_after == BEGAN + 85 * DAY + 90 * DAY


def test_one_that_expired_in_a_suspend_is_renewed_without_a_question(world: World) -> None:
    """RFC 9773 section 4.3: nobody asks about it."""
    world.suggest(0.6, 0.7)
    world.obtain()
    world.renew_all()
    asked = world.asked
    world.at += 200 * DAY
    assert len(world.renew_all().renewed) == 1
    assert world.asked == asked
    assert world.held.not_before == world.at


def test_a_night_without_the_ca(world: World) -> None:
    """A certificate of 12 hours, the CA is down from before it is due for 5 hours, a run each minute."""
    world.store = MemoryStore()
    world.life = 12 * HOUR
    world.obtain()
    world.at += 6 * HOUR - 10 * MINUTE
    ends = world.held.not_after
    while world.at < BEGAN + 11 * HOUR:
        world.ca.answers["/new-order"].clear()
        world.refuse("serverInternal")
        assert not world.renew_all().renewed
        world.at += MINUTE
    world.ca.answers["/new-order"].clear()
    while not world.renew_all().renewed:
        world.at += MINUTE
        assert world.at < ends
    assert world.at < BEGAN + 11.5 * HOUR


# ---- renewal information ----


def test_the_ca_is_asked_once_its_retry_after_is_over(world: World) -> None:
    world.suggest(0.6, 0.7)
    world.obtain()
    world.suggest(0.6, 0.7, retry_after=4 * HOUR)
    for hour, asked in ((0, 1), (1, 1), (3.9, 1), (4, 2), (7.9, 2), (8.5, 3)):
        world.at = BEGAN + hour * HOUR
        world.renew_all()
        assert world.asked == asked


def test_the_page_that_explains_the_window_is_told(world: World) -> None:
    """RFC 9773 section 4.2: in the step of each renewal that asks, and in list_certificates."""
    world.suggest(0.6, 0.7)
    world.obtain()
    world.suggest(0.6, 0.7)
    world.renew()
    (step,) = [step for step in world.told if step["step"] == "renewal_info"]
    assert step["explanation_url"] == "https://ca.example/why"
    [listed] = all_told(world.store)
    assert listed["explanation_url"] == "https://ca.example/why"


def test_a_held_certificate_costs_one_request_at_most(world: World) -> None:
    world.suggest(0.6, 0.7)
    world.obtain()
    world.suggest(0.6, 0.7)
    clients.reset()
    world.ca.requests.clear()
    assert world.renew()["issued"] is False
    assert [request.path.split("/")[1] for request in world.ca.requests] == ["renewal"]
    clients.reset()
    assert world.renew()["issued"] is False
    assert len(world.ca.requests) == 1


def test_a_window_in_the_past_renews_at_once_and_names_the_one_replaced(world: World) -> None:
    world.suggest(0.6, 0.7)
    world.obtain()
    held = world.held
    world.suggest_at(BEGAN - DAY, BEGAN - HOUR)
    assert world.renew()["issued"] is True
    assert world.ca.payloads("new-order")[-1]["replaces"] == held.cert_id
    state = Renewal.read(world.store, NAME)
    assert state.cert_id == held.cert_id
    assert not state.of(world.held).has_window


@pytest.mark.parametrize("kind", ["alreadyReplaced", "conflict"])
def test_where_it_is_replaced_already_it_is_ordered_once_more_without(world: World, kind: str) -> None:
    world.suggest(0.6, 0.7)
    world.obtain()
    cert_id = world.held.cert_id
    world.ca.script.refuse_replaces = kind
    world.suggest_at(BEGAN - DAY, BEGAN - HOUR)
    assert world.renew()["issued"] is True
    assert [payload.get("replaces") for payload in world.ca.payloads("new-order")] == [None, cert_id, None]


@pytest.mark.parametrize(
    "answer",
    [
        Reply(404),
        Reply(200, b"<html>"),
        Reply(200, b'{"suggestedWindow": {"start": "2030-01-02T00:00:00Z", "end": "2030-01-01T00:00:00Z"}}'),
    ],
    ids=["404", "no JSON", "ends before it starts"],
)
def test_an_answer_of_no_use_is_no_error(world: World, answer: Reply) -> None:
    """The share of life holds, and the CA is asked again after six hours."""
    world.suggest(0.6, 0.7)
    world.obtain()
    world.suggest(0.6, 0.7)
    path = f"/renewal/{world.held.cert_id}"
    world.ca.answers[path] += [answer] * 5
    assert world.renew()["issued"] is False
    world.ca.answers[path].clear()
    asked = world.asked
    world.at += 6 * HOUR - 1
    world.renew()
    assert world.asked == asked
    world.at += 2
    world.renew()
    assert world.asked == asked + 1
    assert Renewal.read(world.store, NAME).suggestion.has_window


def test_one_that_was_replaced_is_not_asked_about_again(world: World) -> None:
    """RFC 9773 section 4.3."""
    world.suggest(0.6, 0.7)
    world.obtain()
    old = world.held.cert_id
    world.at += 65 * DAY
    assert len(world.renew_all().renewed) == 1
    world.suggest(0.6, 0.7)
    world.ca.requests.clear()
    for _ in range(3):
        world.at += DAY
        world.renew_all()
    asked = {request.path for request in world.ca.requests}
    assert f"/renewal/{old}" not in asked
    assert f"/renewal/{world.held.cert_id}" in asked


def test_a_ca_that_is_out_of_order_is_asked_five_times_and_not_for_six_hours(world: World) -> None:
    """RFC 9773 section 4.3.3: a backoff with a capped number of tries, then an error that lasts."""
    world.suggest(0.6, 0.7)
    world.obtain()
    world.suggest(0.6, 0.7)
    world.ca.answers[f"/renewal/{world.held.cert_id}"] += [Reply(503)] * 9
    world.renew()
    assert world.asked == 5
    world.ca.answers.clear()
    world.at += 6 * HOUR - 1
    world.renew()
    assert world.asked == 5
    world.at += 1
    world.renew()
    assert world.asked == 6


def test_a_ca_that_does_not_answer_is_asked_once_in_a_run(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """10,000 certificates must not wait 5 s each."""
    world.suggest(0.6, 0.7)
    for name in (NAME, "b.example", "c.example"):
        world.obtain(name)
    for name in (NAME, "b.example", "c.example"):
        world.ca.answers[f"/renewal/{world.kept(name).cert_id}"] += [Reply(503)] * 9
    world.renew_all()
    asked = {request.path for request in world.ca.requests if request.path.startswith("/renewal/")}
    assert len(asked) == 1


def test_a_ca_without_renewal_information_is_asked_for_none(world: World) -> None:
    world.obtain()
    assert world.renew()["issued"] is False
    assert world.asked == 0


# ---- by name ----


def test_with_force_it_is_renewed_all_the_same(world: World) -> None:
    world.obtain()
    first = world.held.serial
    assert world.renew()["issued"] is False
    renewed = world.renew(force=True)
    assert renewed["issued"] is True
    assert world.held.serial == renewed["serial"] != first


def test_a_name_that_is_not_held(world: World) -> None:
    with pytest.raises(ArgumentError, match=r"nothing\.example") as raised:
        world.renew("nothing.example")
    assert raised.value.errorcode == ("TOSSL", "VALUE", "name")
    assert world.renew_all().as_dict() == {"renewed": [], "failed": [], "waiting": [], "skipped": [], "next": 0}


@pytest.mark.parametrize(
    ("command", "is_kept"),
    [
        ("git push ssh://git@host/repo && curl https://$NAME:$PASSWORD@host/", True),
        ("curl https://host/ https://name:0123456789@host/", False),
        ("://" + 300_000 * ":", True),
    ],
    ids=["a user", "a password", "as long as a hang"],
)
def test_a_password_in_a_command_is_a_literal_secret_and_a_user_s_name_is_none(
    world: World, command: str, is_kept: bool
) -> None:
    world.obtain(deploy_command=command)
    assert world.held.is_renewable is is_kept
    assert (world.held.deploy_command == command) is is_kept
    assert "0123456789" not in json.dumps(world.held.issuance)


def test_a_literal_secret_makes_it_not_renewable(world: World) -> None:
    got = world.obtain(account_key=Secret(new_key()))
    assert got["renewable"] is False
    assert world.renew()["issued"] is False
    world.at += 80 * DAY
    with pytest.raises(ArgumentError, match="was given as it is") as raised:
        world.renew()
    assert raised.value.errorcode == ("TOSSL", "VALUE", "name")
    [skipped] = world.renew_all().skipped
    assert skipped["name"] == NAME
    assert world.orders == 1


def test_three_failures_an_hour(world: World) -> None:
    world.obtain()
    world.at += 70 * DAY
    for _ in range(3):
        world.refuse("serverInternal")
        with pytest.raises(AcmeError):
            world.renew()
    with pytest.raises(RetryError) as raised:
        world.renew()
    assert raised.value.errorcode == ("TOSSL", "RETRY", "3600")
    assert Renewal.read(world.store, NAME).last_error["errorcode"] == ["TOSSL", "ACME", "serverInternal", "400"]
    assert world.renew(force=True)["issued"] is True
    assert Renewal.read(world.store, NAME).last_error == {}


def test_force_does_not_pass_what_the_ca_told(world: World) -> None:
    world.obtain()
    world.refuse("rateLimited", 429, retry_after="7200")
    with pytest.raises(AcmeError):
        world.renew(force=True)
    world.at += 7199
    with pytest.raises(RetryError) as raised:
        world.renew(force=True)
    assert raised.value.seconds == 1
    world.at += 1
    assert world.renew(force=True)["issued"] is True


# ---- all ----


def test_one_that_fails_does_not_stop_the_rest(world: World) -> None:
    for name in (NAME, "b.example", "c.example"):
        world.obtain(name)
        world.at += 1
    world.at += 70 * DAY
    world.refuse("unauthorized", 403, "not yours")
    result = world.renew_all()
    assert [got["name"] for got in result.renewed] == ["b.example", "c.example"]
    [failed] = result.failed
    assert failed["name"] == NAME
    assert failed["errorcode"] == ["TOSSL", "ACME", "unauthorized", "403"]
    [waiting] = world.renew_all().waiting
    assert (waiting["name"], waiting["errorcode"]) == (NAME, ["TOSSL", "RETRY", "60"])
    world.at += 60
    result = world.renew_all()
    assert [got["name"] for got in result.renewed] == [NAME]
    assert result.next == pytest.approx(world.kept("b.example").not_before + 60 * DAY)


def test_pauses_grow(world: World) -> None:
    """1, 10 and 100 minutes, then a day; by itself nothing is asked meanwhile."""
    world.obtain()
    world.at += 60 * DAY
    pauses = []
    for _ in range(5):
        world.refuse("serverInternal")
        assert len(world.renew_all().failed) == 1
        orders = world.orders
        [waiting] = world.renew_all().waiting
        pauses.append(waiting["retry_after"])
        world.at += float(str(waiting["retry_after"])) - 1
        assert len(world.renew_all().waiting) == 1
        assert world.orders == orders
        world.at += 1
    assert pauses == [60, 600, 6000, 86400, 86400]


def test_what_the_ca_has_paused_is_left_until_somebody_asks(world: World) -> None:
    world.obtain()
    world.at += 61 * DAY
    world.refuse("rateLimited", 429, f"Your account is temporarily prevented. Please visit: {VISIT}")
    [failed] = world.renew_all().failed
    assert failed["visit"] == VISIT
    orders = world.orders
    for _ in range(10):
        world.at += DAY
        [waiting] = world.renew_all().waiting
        assert (waiting["visit"], waiting["retry_after"]) == (VISIT, 0)
    assert world.orders == orders
    assert world.renew()["issued"] is True
    world.at += 61 * DAY
    assert len(world.renew_all().renewed) == 1


def test_another_ca_after_repeated_failure(world: World, other_ca: ScriptedCa) -> None:
    """What it issued counts as asked for, and the first CA is tried again at the next renewal."""
    world.ready(other_ca)
    world.obtain(fallbacks=(Authority(other_ca.directory),))
    assert len(other_ca.payloads("new-account")) == 1
    world.at += 60 * DAY
    clients.reset()
    world.refuse("serverInternal")
    assert len(world.renew_all().failed) == 1
    world.at += MINUTE
    world.refuse("serverInternal")
    [renewed] = world.renew_all().renewed
    assert renewed["directory"] == other_ca.directory
    assert len(other_ca.payloads("new-account")) == 1
    assert "replaces" not in other_ca.payloads("new-order")[0]
    assert world.renew()["issued"] is False
    world.at += 60 * DAY
    assert [got["directory"] for got in world.renew_all().renewed] == [world.ca.directory]


def test_a_damaged_one_is_named_and_the_rest_is_renewed(world: World) -> None:
    world.obtain()
    world.obtain("b.example")
    world.at += 70 * DAY
    path = Path(str(world.store.path_of(f"certificates/{NAME}", "certificate.json")))
    path.write_text("{")
    result = world.renew_all()
    assert [got["name"] for got in result.renewed] == ["b.example"]
    [failed] = result.failed
    assert failed["name"] == NAME
    assert "certificate.json" in str(failed["message"])
    assert path.read_text() == "{"


def test_a_defect_met_by_one_does_not_stop_the_rest(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.obtain()
    world.obtain("b.example")
    world.at += 70 * DAY

    def due_time(context: Context, store: object, kept: KeptCertificate, *more: Any) -> float:
        if kept.name == NAME:
            raise ZeroDivisionError
        return world.at

    monkeypatch.setattr("tossl_acme.certificates.renew.due_time", due_time)
    result = world.renew_all()
    assert [got["name"] for got in result.renewed] == ["b.example"]
    assert [(failed["name"], failed["errorcode"]) for failed in result.failed] == [(NAME, ["TOSSL", "INTERNAL"])]


class BusyStore(FolderStore):
    """Another process holds these locks, and does not run: it was stopped."""

    held: tuple[str, ...] = ("runs/", "renewal/")

    @contextlib.contextmanager
    def locked(self, context: Context, name: str, within: float | None = None) -> Iterator[Lock]:
        if name.startswith(self.held):
            raise WaitTimeout("timed out", "store")
        with super().locked(context, name, within) as lock:
            yield lock


def test_what_cannot_be_kept_beside_does_not_lose_the_result(world: World, tmp_path: Path) -> None:
    world.store = BusyStore(FilePath(str(tmp_path / "store")))
    world.suggest(0.1, 0.2)
    world.obtain()
    assert world.obtain()["issued"] is False
    world.at += 70 * DAY
    world.refuse("serverInternal")
    assert [failed["errorcode"] for failed in world.renew_all().failed] == [["TOSSL", "ACME", "serverInternal", "400"]]
    world.at += DAY
    assert [got["name"] for got in world.renew_all().renewed] == [NAME]


def test_options_that_cannot_be_kept_just_now_are_a_warning(world: World, tmp_path: Path) -> None:
    """Else its renewals would have the old ones, and nobody would know."""
    world.obtain()
    store = BusyStore(FilePath(str(tmp_path / "store")))
    store.held = ("certificates/",)
    asked = Issuance.from_json(world.held.issuance)
    for solvers, kinds in ((asked.solvers, []), (SolverOptions(("http-01",), port=8080), ["options"])):
        found = obtain(world.context, replace(asked, solvers=solvers), store, said=words_digests({}))
        warnings = found.facts["warnings"]
        assert isinstance(warnings, list)
        assert [one["warning"] for one in warnings] == kinds


def test_damaged_runs_are_no_error(world: World) -> None:
    world.obtain()
    world.renew_all()
    folder = Path(str(world.store.path_of("runs/renew_certificates")))
    (folder / "..data").unlink()
    (folder / "..data").symlink_to("..1")
    assert world.renew_all().failed == []


def test_secrets_by_reference_are_read_anew(world: World, tmp_path: Path) -> None:
    file = tmp_path / "account.pem"
    key = new_key()
    file.write_text(key)
    got = world.obtain(account_key=Secret(key.removesuffix("\n"), file=str(file)))
    assert got["renewable"] is True
    world.at += 70 * DAY
    file.unlink()
    [failed] = world.renew_all().failed
    assert "account.pem" in str(failed["message"])
    file.write_text(key)
    assert world.renew()["issued"] is True
    assert len(world.ca.payloads("new-account")) == 1


def test_a_run_by_hand_does_not_change_what_is_usual(world: World) -> None:
    world.obtain()
    for _ in range(4):
        world.at += DAY
        world.renew_all(None)
    world.at += 10
    world.renew_all(None)
    world.at = BEGAN + 59.5 * DAY
    assert not world.renew_all(0).renewed
    assert len(world.renew_all(None).renewed) == 1


def test_two_runs_at_once_renew_once(world: World) -> None:
    """The second one finds the certificate renewed once it has the lock."""
    world.obtain()
    world.at += 70 * DAY
    results = [result for _, result in world.context.run_each(lambda _: world.renew_all(), range(4), "renewal")]
    assert sorted(len(result.renewed) for result in results) == [0, 0, 0, 1]
    assert world.orders == 2


def meets_a_lock(world: World, meanwhile: Callable[[CertificateFolder], object]) -> dict[str, object]:
    """Returns what a renewal does that waits while somebody else does something under the certificate's lock."""
    waits = threading.Event()

    def heard(step: dict[str, object]) -> None:
        if step["step"] == "lock":
            waits.set()

    def renewal() -> dict[str, object]:
        return renew(Context(60).begin(listener=heard), world.store, NAME).as_dict()

    with ThreadPoolExecutor(1) as pool:
        with certificate_folder(world.store, world.context, NAME) as folder:
            done = pool.submit(renewal)
            assert waits.wait(60)
            meanwhile(folder)
        return done.result(60)


def test_a_renewal_asks_as_the_last_call_did_also_one_for_which_it_had_to_wait(world: World) -> None:
    """Else it would put a certificate of the old kind in the place of the new one."""
    world.obtain()
    world.at += 70 * DAY
    asked = replace(Issuance.from_json(world.held.issuance), key=CertificateKey("rsa"))
    got = meets_a_lock(world, lambda folder: obtain_locked(world.context, asked, world.store, folder, world.held))
    assert got["issued"] is False
    assert world.orders == 2
    assert world.held.asked("key_type") == "rsa"


def test_a_renewal_that_had_to_wait_runs_the_command_of_the_last_call(world: World, tmp_path: Path) -> None:
    world.obtain(deploy_command=f"echo old >>{tmp_path}/log")
    world.at += 70 * DAY
    new = f"echo new >>{tmp_path}/log"
    asked = replace(Issuance.from_json(world.held.issuance), key=CertificateKey("rsa"), deploy_command=new)
    meets_a_lock(world, lambda folder: obtain_locked(world.context, asked, world.store, folder, world.held))
    assert (tmp_path / "log").read_text() == "new\n"


def test_a_renewal_takes_one_that_was_obtained_meanwhile_with_a_literal_secret(world: World) -> None:
    """A new certificate has no failure, whatever became of the renewal that waited."""
    world.obtain()
    world.at += 70 * DAY
    asked = replace(Issuance.from_json(world.held.issuance), key=CertificateKey("rsa"), account_key=Secret(new_key()))
    got = meets_a_lock(world, lambda folder: obtain_locked(world.context, asked, world.store, folder, world.held))
    assert (got["issued"], got["renewable"], world.orders) == (False, False, 2)
    assert not Renewal.read(world.store, NAME).last_error


def test_a_renewal_brings_nothing_back_that_was_forgotten_meanwhile(world: World) -> None:
    world.obtain()
    world.at += 70 * DAY
    with pytest.raises(ArgumentError, match="not kept any more") as raised:
        meets_a_lock(world, lambda folder: folder.write({}))
    assert raised.value.errorcode == ("TOSSL", "VALUE", "name")
    assert world.orders == 1
    assert Renewal.read(world.store, NAME).last_error == {}


def test_one_that_is_self_signed_is_due_and_was_issued_by_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.obtain()
    asked = Issuance.from_json(world.held.issuance)
    forget_kept(world.context, world.store, NAME)
    world.at = time.time()
    assert put_stand_in(world.context, NAME, Managed(asked, world.store, Hooks(), stand_in=True))
    assert issuances_of(world.held) == []
    assert [got["name"] for got in world.renew_all().renewed] == [NAME]
    assert not world.held.is_self_signed
    assert len(issuances_of(world.held)) == 1


class WatchedStore(FolderStore):
    """Another process does something just before this one has the lock of what the CA has told."""

    meanwhile: Callable[[], object] | None = None

    def locked(
        self, context: Context, name: str, within: float | None = None
    ) -> contextlib.AbstractContextManager[Lock]:
        if name == renewal_name(NAME) and self.meanwhile is not None:
            does, self.meanwhile = self.meanwhile, None
            does()
        return super().locked(context, name, within)


def test_a_failure_that_is_kept_leaves_what_the_ca_has_told_another(world: World, tmp_path: Path) -> None:
    world.obtain()
    store = WatchedStore(FilePath(str(tmp_path / "store")))
    known = Suggestion(world.at + DAY, world.at + 2 * DAY, world.at + 1.5 * DAY, world.at, world.at + HOUR)
    answer = Renewal(world.held.cert_id, known).as_values()
    with pytest.raises(AcmeError), failure_kept(world.context, store, NAME):
        store.meanwhile = lambda: world.store.put(world.context, renewal_name(NAME), answer)
        raise AcmeError("no", "serverInternal", 500)
    kept = Renewal.read(store, NAME)
    assert kept.of(world.held) == known
    assert kept.last_error["message"]


def test_a_held_one_takes_no_newer_one_s_place_in_a_file(world: World, tmp_path: Path) -> None:
    """It asks the CA whether it is due, while another process gets a new one."""
    pem_file, by_another = FilePath(str(tmp_path / "site.pem")), world.store
    world.suggest(0.6, 0.7)
    world.obtain(pem_file=pem_file)
    world.store = store = WatchedStore(FilePath(str(tmp_path / "store")))
    store.meanwhile = lambda: renew(world.context, by_another, NAME, force=True)
    assert world.obtain(pem_file=pem_file)["issued"] is False
    assert world.orders == 2
    assert Path(pem_file).read_text() == world.held.texts["privkey.pem"] + world.held.texts["fullchain.pem"]


def test_those_for_which_no_time_is_left_have_not_failed_at_their_ca(world: World) -> None:
    for name in (NAME, "b.example"):
        world.obtain(name)
    world.at += 70 * DAY
    result = renew_all(Context(0).begin(), world.store, 0)
    assert [failed["errorcode"][:2] for failed in result.failed] == [["TOSSL", "TIMEOUT"]] * 2  # type: ignore[index]
    assert len(world.renew_all().renewed) == 2


def test_a_job_that_is_cancelled_ends(world: World) -> None:
    from tossl_acme.errors import Cancelled

    world.obtain()
    world.at += 70 * DAY
    context = world.context
    context.cancel()
    with pytest.raises(Cancelled):
        renew_all(context, world.store, 0)


# ---- a real CA ----


def test_a_window_of_a_real_ca_that_moves(
    newer_pebble: Pebble, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian 13's Pebble moves the window of what is revoked into the past; else it is near two thirds of the life."""
    clients.reset()
    began = time.time()
    offset = 0.0
    monkeypatch.setattr(due, "now", lambda: began + offset)
    store = FolderStore(FilePath(str(tmp_path / "store")))
    context = Context(60).begin()
    issuance = Issuance(
        tuple(parse_identifiers([NAME])),
        newer_pebble.directory,
        solvers=SolverOptions(("http-01",), port=newer_pebble.http_port),
        connection=ConnectionOptions(str(certificates.ca_bundle)),
    )
    obtain(context, issuance, store)
    held = read_kept(store, NAME)
    assert held is not None
    assert not renew_all(context, store, 0).renewed
    suggestion = Renewal.read(store, NAME).of(held)
    assert held.not_before < suggestion.start <= suggestion.chosen < suggestion.end < held.not_after
    revoke(newer_pebble, store, issuance, context)
    assert not renew_all(context, store, 0).renewed, "its Retry-After is not over"
    offset = suggestion.retry_at - began
    assert began + offset < suggestion.chosen
    [renewed] = renew_all(context, store, 0).renewed
    assert renewed["serial"] != held.serial


def revoke(ca: Pebble, store: FolderStore, issuance: Issuance, context: Context) -> None:
    """Somebody else has the CA revoke it: the store knows nothing of it."""
    chain = read_certificate(str((store.read(f"certificates/{NAME}") or {})["cert.pem"].decode()))
    revoke_certificate(client_of_issuance(store, context, issuance), context, chain.der, None, None)
