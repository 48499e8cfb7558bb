"""The scheduler of a declared set, driven by clocks that the tests own."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.earth import BEGAN, DAY, HOUR, MINUTE, NAME, PROBLEM, Earth
from tests.memory_store import MemoryStore
from tests.servers.httpreq import HttpReq
from tests.servers.web import Reply
from tossl_acme.certificates import clock
from tossl_acme.certificates.declaration import DeclaredFile
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.due import Suggestion
from tossl_acme.certificates.issuance import Authority
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.certificates.listed import forget_kept
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.node_files import NodeFiles
from tossl_acme.certificates.obtain import obtain
from tossl_acme.certificates.plain import read_anew
from tossl_acme.certificates.record import read_kept
from tossl_acme.certificates.upkeep import Upkeep
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.errors import ArgumentError, TosslError
from tossl_acme.files import FilePath, absolute
from tossl_acme.store.folder import FolderStore
from tossl_acme.store.options import FolderOptions
from tossl_acme.store.protocol import Lock, Store
from tossl_acme.text import Secret

YEAR = 365 * DAY
IS_LONG = bool(os.environ.get("TOSSL_TEST_ALL"))


# ---- a year ----


class Year:
    """What happens in a year, by the day; and what must hold at each moment."""

    def __init__(self, earth: Earth, days: float, step: float) -> None:
        self.earth = earth
        self.days, self.step = days, step
        self.back_at = -1e9
        self.away_from = 1e99

    def happen(self, day: float) -> None:
        """A CA that is away for a week, a suspend, a clock that is a day ahead, and one that is a day behind."""
        part = day / self.days * 365
        is_away = 100 <= part < 107
        if is_away and not self.earth.ca.is_away:
            self.away_from = self.earth.at
        if self.earth.ca.is_away and not is_away:
            self.back_at = self.earth.at
        self.earth.ca.is_away = is_away
        self.earth.ahead = DAY if 150 <= part < 152 else -DAY if 200 <= part < 203 else 0.0

    def check(self) -> None:
        """No certificate has expired, unless the CA was away from when it was due; then not for long."""
        kept = self.earth.kept()
        late = self.earth.at - kept.not_after
        if late < 0:
            return
        said = f"expired for {late:.0f} s; the last failures: {self.earth.failed[-3:]}"
        assert self.away_from < kept.not_after, said
        pause = max(MINUTE, 0.1 * (self.back_at - kept.not_after)) + self.step + 10 * MINUTE
        assert self.earth.ca.is_away or self.earth.at - self.back_at < pause, said


#: The life of the certificates, and how long time passes between two looks.
LIVES = {
    "90 days": (90 * DAY, HOUR),
    "45 days": (45 * DAY, HOUR),
    "6 days": (6 * DAY, 30 * MINUTE),
    "12 hours": (12 * HOUR, 5 * MINUTE),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("has_windows", [True, False] if IS_LONG else [True], ids=["ARI", "no ARI"][: 1 + IS_LONG])
def test_a_year(earth: Earth, life: str, has_windows: bool) -> None:
    """`make year` lets a year pass for each; else all that happens in it happens within two and a half lives."""
    earth.life, step = LIVES[life]
    days = 365 if IS_LONG else 2.5 * earth.life / DAY
    step *= 1 if IS_LONG else 4
    run_year(earth, days, step, has_windows=has_windows)


def run_year(earth: Earth, days: float, step: float, *, has_windows: bool) -> None:
    life = earth.life
    if has_windows:
        suggest_windows(earth)
    manager = earth.manager()
    manager.look()
    manager.look()
    year = Year(earth, days, step)
    end = BEGAN + days * DAY
    slept = False
    while earth.at < end:
        year.happen((earth.at - BEGAN) / DAY)
        manager.look()
        year.check()
        earth.pass_time(step)
        if not slept and earth.at > BEGAN + 0.7 * days * DAY:  # the machine sleeps
            slept = True
            earth.pass_time(0.1 * life)
    renewals = days * DAY / life
    assert renewals < earth.orders < 4 * renewals + 20
    assert not [code for code in earth.errors if code[1] not in ("ACME", "HTTP", "CLOCK")]  # type: ignore[index]


def suggest_windows(earth: Earth) -> None:
    """The CA moves each window once a certificate is a fifth over: to earlier, then to later."""
    earth.ca.script.renewal = True
    earth.ca.script.retry_after = f"{earth.life / 15:.0f}"

    def window() -> tuple[float, float]:
        kept = read_kept(earth.store, NAME)
        begin = earth.at if kept is None else kept.not_before
        is_young = earth.at < begin + 0.2 * earth.life
        start, end = (0.5, 0.6) if is_young else (0.3, 0.4) if earth.orders % 2 else (0.75, 0.8)
        return begin + start * earth.life, begin + end * earth.life

    earth.ca.script.window = window


# ---- what happens otherwise ----


def test_a_question_to_a_ca_that_fails_here_is_put_off(earth: Earth) -> None:
    """As where the store cannot be read: it would be asked again at each look, without an end."""

    class Away(MemoryStore):
        is_away = False

        def read(self, name: str, only: Collection[str] | None = None) -> dict[str, bytes] | None:
            if self.is_away:
                raise ArgumentError("store", "no permission")
            return super().read(name, only)

    earth.store = store = Away()
    earth.ca.script.renewal = True
    earth.obtain()
    manager = earth.manager()
    earth.questions.is_at_once = False
    manager.look()
    store.is_away = True
    earth.questions.finish()
    manager.look()
    assert earth.errors == [["TOSSL", "VALUE", "store"]]
    assert not earth.questions.left
    assert manager.next_at() >= earth.at + MINUTE


class Full:
    """A store whose disk is full."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        if self.is_full:
            raise ArgumentError("store", 'cannot use "/store": No space left on device')
        self._store.write(lock, values, part, ends=ends)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def obtained(earth: Earth, count: int) -> dict[str, Managed]:
    """A set whose certificates are all held: one, and what differs from it only by its names."""
    store = earth.store
    assert isinstance(store, MemoryStore)
    if NAME not in [name.partition("/")[2] for name in store.sets]:
        earth.obtain()
    one = store.sets[f"certificates/{NAME}"]
    declared = {}
    for number in range(count):
        name = f"n{number}.example"
        record = json.loads(one["certificate.json"])
        record |= {"domains": [name], "cert_id": f"{record['cert_id']}{number}"}
        store.sets[f"certificates/{name}"] = {**one, "certificate.json": json.dumps(record).encode()}
        declared[name] = earth.managed(name)
    return declared


def test_what_is_missing_is_obtained_at_once_and_told(earth: Earth) -> None:
    manager = earth.manager({"x": earth.managed("a.example", "b.example"), "y": earth.managed("c.example")})
    manager.look()
    manager.look()
    assert [one["name"] for one in earth.renewed] == ["x", "y"]
    assert earth.kept("x").domains == ["a.example", "b.example"]
    assert not earth.failed
    assert manager.look() == MINUTE


def test_after_30_days_off_what_has_expired_begins_at_once_and_what_is_due_is_spread(earth: Earth) -> None:
    declared = obtained(earth, 20)
    del declared["n0.example"]
    earth.pass_time(75 * DAY)
    earth.life = 20 * DAY
    earth.obtain("short.example")
    declared["short.example"] = earth.managed("short.example")
    earth.pass_time(30 * DAY)
    for name in list(declared)[:3]:  # in force, and due
        earth.life = 10 * DAY
        earth.pass_time(-6 * DAY)
        earth.obtain(name)
        earth.pass_time(6 * DAY)
    earth.life = 90 * DAY
    before = earth.orders
    manager = earth.manager(declared)
    manager.look()
    expired = {"short.example", *list(declared)[3:19]}
    at_once = {one["name"] for one in earth.renewed}
    earth.run(manager, 5 * MINUTE, 10)
    assert expired <= {str(name) for name in at_once} | {str(one["name"]) for one in earth.renewed[: len(expired) + 2]}
    assert {one["name"] for one in earth.renewed} == set(declared)
    assert earth.orders - before == 20


def test_500_that_are_due_at_once_begin_within_five_minutes(earth: Earth) -> None:
    """Each is begun once, and they are not begun at the same time."""
    count = 500 if IS_LONG else 60
    declared = obtained(earth, count)
    earth.pass_time(70 * DAY)
    earth.queue.is_at_once = False
    manager = earth.manager(declared)
    manager.look()
    begun = []
    for _ in range(31):
        earth.pass_time(10)
        manager.look()
        begun.append(len(earth.queue.left) - sum(begun))
    assert sum(begun) == count
    assert max(begun) < 0.4 * count
    del earth.queue.left[5:]
    earth.queue.finish()
    manager.look()
    assert len(earth.renewed) == 5


def test_a_full_disk_costs_no_order_and_the_certificate_in_force_stays(earth: Earth) -> None:
    full = Full(MemoryStore())
    earth.store = full  # type: ignore[assignment]
    manager = earth.manager()
    manager.look()
    earth.pass_time(65 * DAY)
    full.is_full = True
    before, serial = earth.orders, earth.kept().serial
    earth.run(manager, 3 * HOUR)
    assert earth.orders == before
    assert earth.kept().serial == serial
    assert earth.errors[0] == ["TOSSL", "VALUE", "store"]
    assert 3 <= len(earth.failed) <= 4  # after 1, 10 and 100 minutes
    assert earth.failed[0]["next"] > earth.at - 3 * HOUR
    full.is_full = False
    earth.run(manager, DAY, 10 * MINUTE)
    assert earth.orders == before + 1
    assert earth.kept().serial != serial


def test_a_hook_that_fails_is_owed_and_tried_again(earth: Earth) -> None:
    calls: list[float] = []
    is_well = False

    def hook(context: Context, certificate: Mapping[str, object]) -> object:
        calls.append(earth.at - BEGAN)
        if not is_well:
            raise TosslError("it hangs", "TIMEOUT", "callback")
        return None

    manager = earth.manager({NAME: earth.managed(hooks=Hooks(hook))})
    earth.run(manager, 3 * HOUR)
    assert [round(at / MINUTE) for at in calls] == [0, 1, 11, 111]
    assert earth.errors == [["TOSSL", "DEPLOY"]] * 4
    assert len(earth.renewed) == 1
    assert earth.renewed[0]["warnings"]
    is_well = True
    earth.run(manager, 2 * DAY, HOUR)
    assert len(calls) == 5
    assert len(earth.failed) == 4


def test_two_managers_of_one_set_order_once(earth: Earth) -> None:
    """The second one takes up what the first one has kept, and tells it."""
    first, second = earth.manager(), earth.manager()
    first.look()
    second.look()
    assert earth.orders == 1
    earth.pass_time(61 * DAY)
    for _ in range(10):
        first.look()
        second.look()
        earth.pass_time(MINUTE)
    assert earth.orders == 2
    assert [one["issued"] for one in earth.renewed].count(True) == 2
    assert [one["issued"] for one in earth.renewed].count(False) == 1
    assert len({one["serial"] for one in earth.renewed}) == 2


def test_what_others_do_in_the_store_is_followed(earth: Earth) -> None:
    manager = earth.manager()
    manager.look()
    earth.run(manager, 2 * MINUTE)
    earth.pass_time(DAY)
    obtain(earth.context, earth.managed().issuance, earth.store, name=NAME, force=True)
    earth.run(manager, MINUTE)
    assert [one["issued"] for one in earth.renewed] == [True, False]
    assert earth.renewed[1]["serial"] == earth.kept().serial
    forget_kept(earth.context, earth.store, NAME)
    earth.run(manager, 2 * MINUTE)
    assert earth.orders == 3
    assert earth.kept().serial == earth.renewed[-1]["serial"]


def test_the_machine_s_own_files_are_written_for_what_others_renewed(earth: Earth, tmp_path: Path) -> None:
    """Before the hooks are called and the script is told; also at the start, and once somebody removed them."""
    called: list[object] = []

    def script(_context: Context, found: Mapping[str, object]) -> None:
        files = found["files"]
        assert isinstance(files, dict)
        called.append((found["serial"], sorted(files), Path(files["fullchain"]).read_text() == found["fullchain"]))

    files = NodeFiles(absolute(tmp_path / "files"), FolderOptions())
    pem_file = absolute(tmp_path / "site.pem")
    earth.obtain()
    managed = replace(earth.managed(hooks=Hooks(script), pem_file=pem_file), files=files)
    manager = earth.manager({NAME: managed})
    earth.run(manager, MINUTE)
    kinds = ["certificate", "chain", "fullchain", "pem_file", "private_key"]
    assert called == [(earth.kept().serial, kinds, True)]
    earth.pass_time(DAY)
    earth.obtain(force=True)
    earth.run(manager, 2 * MINUTE)
    assert called[1:] == [(earth.kept().serial, kinds, True)]
    assert [one["serial"] for one in earth.renewed] == [earth.kept().serial]
    pem_file_is_whole = Path(pem_file).read_text() == f"{earth.texts['privkey.pem']}{earth.texts['fullchain.pem']}"
    assert pem_file_is_whole
    for gone in (tmp_path / "site.pem", tmp_path / "files" / NAME / "..data"):
        gone.unlink()
        earth.run(earth.manager({NAME: managed}), MINUTE)
        assert files.holds(earth.kept())
        assert Path(pem_file).exists()
    assert len(called) == 2


def test_files_that_cannot_be_written_are_owed_and_the_script_is_told_once_they_are(
    earth: Earth, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "files"
    earth.obtain()
    managed = replace(earth.managed(), files=NodeFiles(absolute(in_the_way), FolderOptions()))
    manager = earth.manager({NAME: managed})
    earth.run(manager, MINUTE)
    (in_the_way / NAME / "..data").unlink()
    (in_the_way / NAME / "..data").mkdir()
    earth.pass_time(DAY)
    earth.obtain(force=True)
    earth.run(manager, 2 * MINUTE)
    assert earth.errors[0] == ["TOSSL", "DEPLOY"]
    assert not earth.renewed
    (in_the_way / NAME / "..data").rmdir()
    earth.run(manager, HOUR)
    assert [one["serial"] for one in earth.renewed] == [earth.kept().serial]
    assert managed.files is not None
    assert managed.files.holds(earth.kept())


def test_a_clock_that_is_wrong_by_a_year_is_told_and_the_ca_s_counts(earth: Earth) -> None:
    for ahead in (YEAR, -YEAR):
        earth.failed.clear()
        clock.reset()
        earth.ahead = ahead
        before = earth.orders
        name = "ahead.example" if ahead > 0 else "behind.example"
        manager = earth.manager({name: earth.managed(name)})
        earth.run(manager, 3 * MINUTE)
        assert earth.errors == [["TOSSL", "CLOCK", f"{ahead:.0f}"]]
        assert earth.orders == before + 1
        earth.run(manager, 59 * DAY, DAY)
        assert earth.orders == before + 1
        earth.run(manager, 3 * DAY, HOUR)
        assert earth.orders == before + 2
        earth.ahead = 0
        earth.run(manager, 3 * MINUTE)
        assert earth.orders == before + 2
        assert len(earth.failed) == 1


def test_a_clock_that_was_wrong_and_is_set_right_ends_the_pauses(earth: Earth) -> None:
    earth.ca.is_away = True
    manager = earth.manager()
    earth.run(manager, 3 * HOUR)
    failed = len(earth.failed)
    assert not earth.renewed
    earth.ca.is_away = False
    earth.ahead = 600.0
    manager.look()
    manager.look()
    earth.run(manager, 2 * HOUR)
    assert len(earth.failed) == failed
    assert len(earth.renewed) == 1


def test_what_was_due_by_a_clock_that_was_ahead_begins_once_it_is_right(
    earth: Earth, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No CA says the time: by such a clock TLS refuses its certificate."""
    earth.obtain()
    earth.pass_time(70 * DAY)
    clock.reset()
    with monkeypatch.context() as unheard:
        unheard.setattr(clock, "take_date", lambda _date: None)
        earth.ahead, earth.ca.is_away = YEAR, True
        manager = earth.manager()
        earth.run(manager, 3 * MINUTE)
    assert earth.orders == 1
    earth.ahead, earth.ca.is_away = 0.0, False
    earth.run(manager, 2 * MINUTE)
    assert (earth.orders, len(earth.renewed)) == (2, 1)


def test_a_deployment_that_failed_by_a_clock_that_was_ahead_is_tried_again(
    earth: Earth, monkeypatch: pytest.MonkeyPatch
) -> None:
    earth.obtain()
    clock.reset()
    monkeypatch.setattr(clock, "take_date", lambda _date: None)
    earth.ahead = 30 * DAY
    called: list[float] = []

    def hook(_context: Context, _certificate: Mapping[str, object]) -> None:
        called.append(earth.at)
        if earth.ahead:
            raise TosslError("the server is away", "HOOK")

    manager = earth.manager({NAME: earth.managed(hooks=Hooks(hook))})
    manager.look()
    manager.look()
    assert len(called) == 1
    earth.ahead = 0.0
    earth.run(manager, 2 * MINUTE)
    assert len(called) == 2


def test_credentials_are_those_that_their_file_has_by_now(earth: Earth, tmp_path: Path) -> None:
    """Somebody has changed the key at the DNS service and in the file, and not the declaration."""
    path, earth.ca.script.order = tmp_path / "key", "pending"
    path.write_text("token-of-before\n")
    with HttpReq() as service:
        credentials = {"api_key": Secret("token-of-before", file=str(path))}
        provider = ProviderOptions("generic", credentials, endpoint=service.url)
        solvers = SolverOptions(("dns-01",), provider=provider, propagation_timeout=0, follow_cname=False)
        managed = earth.managed()
        manager = earth.manager({NAME: replace(managed, issuance=replace(managed.issuance, solvers=solvers))})
        earth.run(manager, MINUTE / 2)
        assert earth.errors == [["TOSSL", "DNS", "generic", "credentials"]]
        path.write_text(f"{service.token}\n")
        earth.run(manager, 2 * MINUTE)
    assert len(earth.renewed) == 1


def test_an_account_s_key_is_the_one_that_its_file_has_by_now(earth: Earth, tmp_path: Path) -> None:
    """As after a change of the account's key."""
    path = tmp_path / "key"
    path.write_text("new")
    key, managed = Secret("old", file=str(path)), earth.managed()
    fallbacks = (Authority(managed.issuance.directory, account_key=key),)
    issuance = replace(managed.issuance, account_key=key, fallbacks=fallbacks)
    request = replace(managed, issuance=issuance).request
    assert [one.account_key and one.account_key.value for one in (request, *request.fallbacks)] == ["new", "new"]


def test_a_credential_that_can_be_read_no_more_stays_as_it_was(tmp_path: Path) -> None:
    """As where a program has given up root's rights since."""
    path = tmp_path / "key"
    options = ProviderOptions("generic", {"api_key": Secret("known", file=str(path)), "user": Secret("literal")})
    assert read_anew(options) == options
    path.write_text("")
    assert read_anew(options) == options


def refuse_orders(earth: Earth, seconds: int) -> None:
    """The CA takes the next order not, nor others of this account for so long."""
    kind = "urn:ietf:params:acme:error:rateLimited"
    document = json.dumps({"type": kind, "detail": "too many new orders recently", "status": 429}).encode()
    earth.ca.answers["/new-order"].append(Reply(429, document, {**PROBLEM, "Retry-After": str(seconds)}))


@pytest.mark.parametrize("what", ["leaves", "clock"])
def test_first_certificates_that_wait_begin_once_each(earth: Earth, tmp_path: Path, what: str) -> None:
    """Also where the one that tries leaves the set meanwhile, or the clock is set: else they waited for ever."""
    declared = {name: earth.managed(name) for name in ("n0.example", "n1.example", "n2.example", "n3.example")}

    class Changing(DeclaredFile):
        def read(self, context: Context) -> Mapping[str, Managed] | None:
            return dict(declared)

    refuse_orders(earth, 600)
    manager = earth.manager(dict(declared), Changing(absolute(tmp_path), lambda _context, _text: {}))
    manager.look()
    manager.look()
    earth.queue.is_at_once = False
    earth.pass_time(700)
    manager.look()
    assert len(earth.queue.left) == 1
    if what == "leaves":
        del declared["n0.example"]
    else:
        earth.ahead = 600.0
    manager.look()
    begun = 0
    while earth.queue.left:
        begun += len(earth.queue.left)
        earth.queue.finish()
        manager.look()
    assert begun == 4
    assert {one["name"] for one in earth.renewed} == set(declared)


def test_one_that_is_to_be_another_stays_due_whatever_window_its_ca_tells(earth: Earth) -> None:
    """As where the CA takes no order just now, but answers questions."""
    earth.obtain()
    entry = Upkeep(NAME, earth.managed(key=CertificateKey("rsa")))
    entry.load(1)
    assert entry.is_due(earth.at)
    start = earth.at + 50 * DAY
    entry.take(Suggestion(start, start + DAY, start + HOUR, earth.at, earth.at + HOUR))
    assert entry.is_due(earth.at)


def test_the_end_of_a_permanent_record_is_told_once_a_day(earth: Earth) -> None:
    declared = obtained(earth, 2)
    store = earth.store
    assert isinstance(store, MemoryStore)
    values = store.sets["certificates/n1.example"]
    record = json.loads(values["certificate.json"]) | {"persist_until": int(earth.at + 40 * DAY)}
    store.sets["certificates/n1.example"] = {**values, "certificate.json": json.dumps(record).encode()}
    manager = earth.manager(declared)
    earth.run(manager, 2.5 * DAY, HOUR)
    assert [(told["name"], told["errorcode"]) for told in earth.failed] == [
        ("n1.example", ["TOSSL", "WARNING", "persist_until"])
    ] * 3
    assert "set a later persistUntil" in earth.failed[0]["message"]


# ---- idle ----


class Counting(MemoryStore):
    """Counts what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = self.writes = self.versions = 0

    def read(self, name: str, only: Any = None) -> dict[str, bytes] | None:
        self.reads += 1
        return super().read(name, only)

    def write(self, lock: Lock, values: Mapping[str, bytes], part: str = "", *, ends: bool = False) -> None:
        self.writes += 1
        super().write(lock, values, part, ends=ends)

    def version(self, name: str) -> str:
        self.versions += 1
        return super().version(name)


def test_an_idle_minute_opens_no_record_and_sends_nothing(earth: Earth) -> None:
    """With 250 certificates: 200 looks whether one was changed, and nothing else."""
    store = earth.store = Counting()
    earth.ca.script.renewal, earth.ca.script.retry_after = True, "86400"
    earth.ca.script.window = lambda: (BEGAN + 60 * DAY, BEGAN + 61 * DAY)
    manager = earth.manager(obtained(earth, 250))
    earth.run(manager, 40 * MINUTE)  # until all questions are answered
    store.reads = store.writes = store.versions = 0
    requests = len(earth.ca.requests)
    for _ in range(5):
        manager.look()
        earth.pass_time(MINUTE)
    assert (store.reads, store.writes) == (0, 0)
    assert 0 < store.versions <= 5 * 200
    assert len(earth.ca.requests) == requests


def test_questions_to_the_ca_are_spread(earth: Earth) -> None:
    """Certificates of which nothing is known: 60 questions a minute at most, and each certificate is asked for."""
    earth.ca.script.renewal, earth.ca.script.retry_after = True, "86400"
    earth.ca.script.window = lambda: (BEGAN + 60 * DAY, BEGAN + 61 * DAY)
    declared = obtained(earth, 200 if IS_LONG else 70)
    manager = earth.manager(declared)
    asked = 0
    for _ in range(12):
        manager.look()
        now_asked = sum(request.path.startswith("/renewal/") for request in earth.ca.requests)
        assert now_asked - asked <= 60
        asked = now_asked
        earth.pass_time(MINUTE)
    assert asked == len(declared)


# ---- a certificate that stands in ----


def test_a_stand_in_is_in_place_marked_and_replaced(earth: Earth, tmp_path: Path) -> None:
    earth.store = FolderStore(FilePath(str(tmp_path / "store")))
    earth.ca.is_away = True
    managed = replace(earth.managed(), stand_in=True)
    manager = earth.manager({NAME: managed})
    manager.look()
    first = earth.kept()
    assert first.is_self_signed
    assert first.is_renewable
    earth.ca.is_away = False
    earth.run(manager, 5 * MINUTE)
    assert not earth.kept().is_self_signed
    assert [one["serial"] for one in earth.renewed] == [earth.kept().serial]
    assert "replaces" not in earth.ca.payloads("new-order")[-1]
