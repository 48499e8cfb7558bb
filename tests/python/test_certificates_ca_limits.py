"""What a CA's refusal says of more than the names that were refused: everyone with the store keeps to it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.memory_store import MemoryStore
from tests.servers.certs import Certificates
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import Reply, Request
from tests.tclhost import Failure, Tcl
from tossl_acme.acme import clients
from tossl_acme.acme.account import NewAccount
from tossl_acme.acme.order import OrderOptions
from tossl_acme.acme.problem import document_error
from tossl_acme.certificates import clock, due
from tossl_acme.certificates.authorities import attempt
from tossl_acme.certificates.ca_limits import SharedLimits, ToldToAll, told_to_all
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.certificates.obtain import obtain
from tossl_acme.certificates.record import read_kept
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.errors import DnsError, HttpError, RetryError, TosslError
from tossl_acme.files import FilePath
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.store.folder import FolderStore
from tossl_acme.text import Secret

AT = 1_800_000_000.0
_SEE = "see https://letsencrypt.org/docs/rate-limits/"
_LAST = "retry after 2027-01-15 08:00:00 UTC"
#: Boulder's words (ratelimits/limiter.go, errors/errors.go).
ORDERS = f"too many new orders (300) from this account in the last 3h0m0s, {_LAST}: {_SEE}#new-orders-per-account"
REGISTRATIONS = f"too many new registrations (10) from this IP address in the last 3h0m0s, {_LAST}: {_SEE}"
SUBNET = f"too many new registrations (500) from this /48 subnet of IPv6 addresses in the last 3h0m0s, {_LAST}: {_SEE}"
DOMAIN = f'too many certificates (50) already issued for "example.com" in the last 168h0m0s, {_LAST}: {_SEE}'
NETWORK = f'too many certificates (50) already issued for "2001:db8::/64" in the last 168h0m0s, {_LAST}: {_SEE}'
ADDRESS = f'too many certificates (50) already issued for "192.0.2.7/32" in the last 168h0m0s, {_LAST}: {_SEE}'
SET = (
    "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, "
    f"{_LAST}: {_SEE}#new-certificates-per-exact-set-of-identifiers"
)
FAILED = f'too many failed authorizations (5) for "www.example.com" in the last 1h0m0s, {_LAST}: {_SEE}'


def issuance(*names: str, account_key: str = "", replaces: str = "", directory: str = "https://ca.example") -> Issuance:
    return Issuance(
        tuple(parse_identifiers(names)), directory, NewAccount(), Secret(account_key) if account_key else None,
        CertificateKey("ec", None, "", ""), OrderOptions(replaces=replaces), SolverOptions(), "", ConnectionOptions(),
    )  # fmt: skip


def refused(detail: str, status: int = 429, kind: str = "rateLimited", **headers: str) -> TosslError:
    document = {"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}
    return document_error(document, status, headers or {"Retry-After": "60"})


def told(error: TosslError, **asked: str) -> ToldToAll | None:
    return told_to_all(error, issuance("refused.example.com", **asked), AT)


@pytest.mark.parametrize(
    ("detail", "held_up", "free"),
    [
        (ORDERS, ["other.example"], []),
        (f"Error creating new order :: {ORDERS}", ["other.example"], []),
        ("too many new orders recently: see https://letsencrypt.org/docs/rate-limits/", ["other.example"], []),
        (DOMAIN, ["example.com", "*.example.com", "a.b.Example.com"], ["other.example", "notexample.com", "192.0.2.7"]),
        (NETWORK, ["2001:db8::1"], ["2001:db8:1::1", "example.com", "192.0.2.7"]),
        (ADDRESS, ["192.0.2.7"], ["192.0.2.8"]),
        (FAILED, ["www.example.com", "*.www.example.com"], ["example.com", "a.www.example.com"]),
        (SET, [], ["refused.example.com", "example.com"]),
        (REGISTRATIONS, [], ["other.example"]),
        (SUBNET, [], ["other.example"]),
        ("Too many of whatever", [], ["refused.example.com", "other.example"]),
        ('too many certificates (50) already issued for "" in the last', [], ["other.example"]),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_whom_a_refusal_holds_up(detail: str, held_up: list[str], free: list[str]) -> None:
    found = told(refused(detail))
    for name in [*held_up, *free]:
        concerned = found is not None and found.concerns(issuance("a.test", name), has_account=True)
        assert concerned is (name in held_up), name
    if found is not None:
        assert (found.wait(AT), found.wait(AT + 59), found.wait(AT + 60)) == (60, 1, 0)
        assert found.wait(AT - 7200) == 0  # the clock was set back


@pytest.mark.parametrize("detail", [REGISTRATIONS, SUBNET], ids=["address", "subnet"])
def test_a_limit_of_new_accounts_is_for_who_has_none(detail: str) -> None:
    found = told(refused(detail))
    assert found is not None
    assert found.concerns(issuance("other.example"), has_account=False)
    assert not found.concerns(issuance("other.example"), has_account=True)


def test_another_account_goes_on() -> None:
    found = told(refused(ORDERS))
    assert found is not None
    assert not found.concerns(issuance("other.example", account_key="another"), has_account=True)
    own = told(refused(ORDERS), account_key="another")
    assert own is not None
    assert own.concerns(issuance("other.example", account_key="another"), has_account=True)
    assert "another" not in repr(own)


@pytest.mark.parametrize("detail", [ORDERS, DOMAIN, FAILED], ids=["account", "domain", "name"])
def test_an_order_that_replaces_a_certificate_is_exempt_until_one_is_refused(detail: str) -> None:
    renewal = issuance("www.example.com", replaces="a.b")
    found, strict = told(refused(detail)), told(refused(detail), replaces="c.d")
    assert found is not None
    assert strict is not None
    assert not found.concerns(renewal, has_account=True)
    assert strict.concerns(renewal, has_account=True)


def plain(status: int) -> TosslError:
    error = HttpError("status", f"https://ca.example answered {status} with text/html", status)
    error.details["retry_after"] = 60
    return error


@pytest.mark.parametrize(
    "error",
    [refused("Service busy; retry later.", 503), refused("being mended", 503, "serverInternal"), plain(503)],
    ids=["busy", "mended", "plain"],
)
def test_a_server_that_is_busy_is_so_for_all(error: TosslError) -> None:
    found = told(error)
    assert found is not None
    assert found.concerns(issuance("other.example", replaces="a.b", account_key="x"), has_account=True)


@pytest.mark.parametrize("status", [429, 503])
def test_a_service_that_gives_bindings_holds_up_new_accounts_alone(status: int) -> None:
    error = plain(status)
    error.is_of_binding = True
    found = told(error)
    assert found is not None
    assert found.concerns(issuance("other.example"), has_account=False)
    assert not found.concerns(issuance("other.example"), has_account=True)


@pytest.mark.parametrize(
    "error",
    [refused(ORDERS, Via="nobody"), refused(ORDERS, 400, "unauthorized"), plain(429), DnsError("desec", "x", ORDERS)],
    ids=["no time", "another kind", "no problem", "provider"],
)
def test_what_says_nothing_to_others(error: TosslError) -> None:
    assert told(error) is None


# ---- in a store ----


@dataclass
class Asking:
    """obtain_certificate for any name, each call as a new process."""

    tcl: Tcl
    ca: ScriptedCa
    store: Path

    def __call__(self, *names: str, **options: object) -> dict[str, str] | Failure:
        clients.reset()
        options = {"challenge": "dns-persist-01", "propagation_timeout": 0, "store": self.store, **options}
        result = self.tcl.try_acme("obtain_certificate", list(names), directory=self.ca.directory, **options)
        return result if isinstance(result, Failure) else self.tcl.as_dict(result)

    def waits(self, *names: str, **options: object) -> int:
        """The seconds of TOSSL RETRY; nothing is sent."""
        before = len(self.ca.signed)
        failure = self(*names, **options)
        assert isinstance(failure, Failure), failure
        assert failure.code[:2] == ("TOSSL", "RETRY"), failure
        assert len(self.ca.signed) == before
        return int(failure.code[2])

    def refuse(self, detail: str, status: int = 429, path: str = "/new-order") -> None:
        document = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": detail}
        headers = {"Content-Type": "application/problem+json", "Retry-After": "3600"}
        self.ca.answers[path].append(Reply(status, json.dumps(document).encode(), headers))


@pytest.fixture
def ask(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> Asking:
    scripted_ca.script.order = "ready"
    return Asking(tcl, scripted_ca, tmp_path / "store")


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    return lambda seconds: monkeypatch.setattr(due, "now", lambda: time.time() + seconds)


def test_nobody_orders_with_an_account_before_its_retry_after_is_over(ask: Asking, later: Any) -> None:
    ask.refuse(ORDERS)
    assert isinstance(ask("a.example"), Failure)
    assert 3590 <= ask.waits("b.example") <= 3600
    assert ask.waits("c.test", force=1) > 0
    later(3601)
    assert "issued" in ask("b.example")


def test_a_domains_limit_lets_others_order(ask: Asking) -> None:
    ask.refuse(DOMAIN)
    assert isinstance(ask("a.example.com"), Failure)
    assert ask.waits("x.test", "b.example.com") > 0
    assert "issued" in ask("b.example")


def test_a_busy_server_is_left_alone_by_all(ask: Asking) -> None:
    ask.refuse("Service busy; retry later.", 503)
    assert isinstance(ask("a.example"), Failure)
    assert ask.waits("b.example") > 0


def test_no_account_is_asked_for_after_too_many(ask: Asking, later: Any) -> None:
    ask.refuse(REGISTRATIONS, path="/new-account")
    assert isinstance(ask("a.example"), Failure)
    assert ask.waits("b.example") > 0
    later(3601)
    assert "issued" in ask("b.example")
    ask.refuse(REGISTRATIONS, path="/new-account")
    later(7300)
    assert "issued" in ask("c.example")  # it has the account


def test_whoever_is_at_work_already_looks_again_before_its_order(
    ask: Asking, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another node is refused while this one makes its account."""

    def also_refused(request: Request) -> Reply:
        reply = answer(request)
        if request.path == "/new-account":
            store = FolderStore(FilePath(str(tmp_path / "store")))
            other = SharedLimits(Context(10).begin(), store, issuance("x.test", directory=ask.ca.directory))
            with pytest.raises(TosslError), other.kept():
                raise refused(ORDERS)
        return reply

    answer = ask.ca.answer
    monkeypatch.setattr(ask.ca, "answer", also_refused)
    failure = ask("a.example")
    assert isinstance(failure, Failure)
    assert failure.code[:2] == ("TOSSL", "RETRY")
    assert ask.ca.payloads("new-order") == []
    monkeypatch.undo()
    assert ask.waits("a.example") > 0
    assert list((tmp_path / "store").glob("certificates/a.example/pending/*")) != []  # its key


def test_forced_at_the_same_moment_it_is_issued_once(ask: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other waits for the lock while the first orders, and takes what that got."""
    first = ask("a.example")
    assert isinstance(first, dict)
    waits = threading.Event()
    answer = ask.ca.answer

    def held_up(request: Request) -> Reply:
        if request.path == "/new-order":
            assert waits.wait(30)
        return answer(request)

    monkeypatch.setattr(ask.ca, "answer", held_up)
    began: list[dict[str, object]] = []

    def other() -> dict[str, object]:
        def heard(step: dict[str, object]) -> None:
            began.append(step)
            if step["step"] == "lock":
                waits.set()

        store = FolderStore(FilePath(str(ask.store)))
        kept = read_kept(store, "a.example")
        assert kept is not None
        asked = Issuance.from_json(kept.issuance)
        return obtain(Context(30).begin(listener=heard), asked, store, name="a.example", force=True).as_dict()

    orders = len(ask.ca.payloads("new-order"))
    with ThreadPoolExecutor(2) as pool:
        results = [done.result(30) for done in [pool.submit(other), pool.submit(other)]]
    assert len(ask.ca.payloads("new-order")) == orders + 1
    assert sorted(bool(result["issued"]) for result in results) == [False, True]
    assert results[0]["certificate"] == results[1]["certificate"] != first["certificate"]
    assert {"lock", "held"} <= {step["step"] for step in began}


def test_whoever_waited_for_one_that_was_refused_asks_nothing(
    ask: Asking, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A limit of these names alone, in words that nobody knows."""
    waits, answer = threading.Event(), ask.ca.answer

    def held_up(request: Request) -> Reply:
        if request.path == "/new-order":
            assert waits.wait(30)
        return answer(request)

    monkeypatch.setattr(ask.ca, "answer", held_up)
    ask.refuse("too much")
    asked = replace(
        issuance("a.example", directory=ask.ca.directory),
        connection=ConnectionOptions(ca_bundle=str(certificates.ca_bundle)),
        solvers=SolverOptions(("dns-persist-01",), propagation_timeout=0),
    )

    def other() -> TosslError | None:
        def heard(step: dict[str, object]) -> None:
            if step["step"] == "lock":
                waits.set()

        with pytest.raises(TosslError) as raised:
            obtain(Context(30).begin(listener=heard), asked, FolderStore(FilePath(str(ask.store))))
        return raised.value

    with ThreadPoolExecutor(2) as pool:
        errors = [done.result(30) for done in [pool.submit(other), pool.submit(other)]]
    assert sorted(error.errorcode[1] for error in errors if error) == ["ACME", "RETRY"]
    assert len(ask.ca.payloads("new-order")) == 0  # the one that was refused is not counted


def test_many_that_are_forced_at_once_ask_no_more_often_than_others(
    ask: Asking, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes that wait for one whose CA fails: not each of them asks it."""
    count, began = 6, list[int]()
    all_wait, answer = threading.Event(), ask.ca.answer
    refusals: list[str] = []

    def fail(request: Request) -> Reply:
        if request.path != "/new-order":
            return answer(request)
        assert all_wait.wait(30)
        refusals.append(request.path)
        return Reply(403, b'{"type": "urn:ietf:params:acme:error:rejectedIdentifier", "detail": "no"}')

    monkeypatch.setattr(ask.ca, "answer", fail)
    asked = replace(
        issuance("a.example", directory=ask.ca.directory),
        connection=ConnectionOptions(ca_bundle=str(certificates.ca_bundle)),
        solvers=SolverOptions(("dns-persist-01",), propagation_timeout=0),
    )

    def other() -> str:
        def heard(step: dict[str, object]) -> None:
            if step["step"] == "lock":
                began.append(1)
                if len(began) == count - 1:
                    all_wait.set()

        with pytest.raises(TosslError) as raised:
            obtain(Context(30).begin(listener=heard), asked, FolderStore(FilePath(str(ask.store))), force=True)
        return raised.value.errorcode[1]

    with ThreadPoolExecutor(count) as pool:
        kinds = [done.result(30) for done in [pool.submit(other) for _ in range(count)]]
    assert sorted(kinds) == ["ACME"] * 3 + ["RETRY"] * 3
    assert len(refusals) == 3
    with pytest.raises(TosslError, match="no"):  # who did not wait for anybody asks, as -force says
        obtain(Context(30).begin(), asked, FolderStore(FilePath(str(ask.store))), force=True)


def test_refusals_at_the_same_time_are_all_kept(tmp_path: Path) -> None:
    store, asked = FolderStore(FilePath(str(tmp_path / "store"))), issuance("a.example")
    begun = threading.Barrier(4)

    def keep(detail: str) -> None:
        with pytest.raises(TosslError), SharedLimits(Context(10).begin(), store, asked).kept():
            begun.wait(10)
            raise refused(detail)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(keep, (ORDERS, DOMAIN, FAILED, DOMAIN)))
    [file] = (tmp_path / "store").glob("limits/*/limits.json")
    found = json.loads(file.read_text())
    assert sorted(one["scope"] for one in found["told"]) == ["account", "domain", "name"]
    assert [ToldToAll.from_json(one) for one in found["told"]]


class _OwnClock(MemoryStore):
    """A store with a clock, as a database has it."""

    def time(self) -> float:
        return AT


class _Client:
    knows_account = True


@pytest.mark.parametrize("detail", [ORDERS, SET], ids=["of all", "of the set"])
@pytest.mark.parametrize("apart", [250.0, -250.0, 86400.0, -86400.0])
def test_a_retry_after_is_as_long_for_a_node_whose_clock_differs(
    monkeypatch: pytest.MonkeyPatch, apart: float, detail: str
) -> None:
    store, asked = _OwnClock(is_shared=True), issuance("refused.example.com")
    context = Context(10).begin()

    def attempt_order() -> None:
        limits = SharedLimits(context, store, asked)
        with attempt(context, store, asked, None, by_itself=False, force=True), limits.kept():
            limits.check(_Client())  # type: ignore[arg-type]  # it is asked for no more
            raise refused(detail)

    clock.reset()
    with pytest.raises(TosslError, match="too many"):
        attempt_order()
    monkeypatch.setattr(clock, "wall", lambda: time.time() + apart)
    with pytest.raises(RetryError) as raised:
        attempt_order()
    assert raised.value.seconds == 60


def test_damaged_limits_of_a_ca_are_named(ask: Asking) -> None:
    ask.refuse(ORDERS)
    ask("a.example")
    [file] = ask.store.glob("limits/ca-*/limits.json")
    file.write_text('{"told": [7]}')
    failure = ask("b.example")
    assert isinstance(failure, Failure)
    assert failure.code == ("TOSSL", "VALUE", "store")
    assert str(file) in failure.message
