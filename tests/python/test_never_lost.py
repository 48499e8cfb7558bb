"""A certificate that the CA issued is never lost, whatever fails afterwards.

It is returned, or in the store beside its key, or in the error. Every file operation and every request after finalize
fails in turn; the same call once more finishes with what there is, and orders nothing.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import re
import shutil
import subprocess
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.killing import ALL
from tests.pem import write_block
from tests.servers import actions
from tests.servers.actions import Action
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.issuer import Disguised, Issuer
from tests.servers.scripted_ca import Script, ScriptedCa
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme import files
from tossl_acme.certificates import due
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.obtain import obtain
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.errors import TosslError
from tossl_acme.files import FilePath
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.chain import issuer_names, read_chain
from tossl_acme.pki.csr import csr_for
from tossl_acme.pki.keys import load_private_key, public_der
from tossl_acme.store.folder import FolderStore
from tossl_acme.text import Secret

NAME = "kept.example"
ACCOUNT_KEY, LEAF_KEY = new_key(), new_key()
CSR = write_block("CERTIFICATE REQUEST", csr_for(load_private_key(LEAF_KEY), parse_identifiers([NAME])).der)
#: How the certificate comes by its key.
KEYS: dict[str, dict[str, str]] = {"new": {}, "given": {"private_key": LEAF_KEY}, "csr": {"csr": CSR}}
NUMBERS = itertools.count()


@dataclass
class World:
    """The CA behind a proxy, and an empty store."""

    ca: ScriptedCa
    proxy: FaultProxy
    tcl: Tcl
    store: Path
    directory: str

    def obtain(self, *, store: bool = True, **options: Any) -> dict[str, str] | Failure:
        given: dict[str, Any] = {"directory": self.directory, "account_key": ACCOUNT_KEY, "port": 0, "timeout": 5}
        given |= {"store": self.store if store else ""} | options
        shutil.rmtree(self.store / "limits", ignore_errors=True)  # no call comes too early here
        result = self.tcl.try_acme("obtain_certificate", [NAME], **given)
        if isinstance(result, Failure):
            assert "PRIVATE KEY" not in result.message + result.info
            assert "-----BEGIN" not in result.message + result.info
            return result
        return self.tcl.as_dict(result)

    @property
    def issued(self) -> list[str]:
        """The certificates that the CA has issued, leaves in PEM."""
        chains = [found["chains"][0] for found in self.ca.objects.values() if "chains" in found]
        return [read_chain(chain).certificate for chain in chains]

    @property
    def orders(self) -> int:
        return len(self.ca.payloads("new-order"))

    def pending(self, name: str) -> str:
        path = self.store / "certificates" / NAME / "pending" / name
        return path.read_text() if path.exists() else ""


@pytest.fixture(scope="module")
def servers(certificates: Certificates) -> Iterator[tuple[ScriptedCa, FaultProxy]]:
    with ScriptedCa(certificates) as ca, FaultProxy(ca.directory, certificates) as proxy:
        ca.front = proxy.url
        yield ca, proxy


@pytest.fixture
def world(servers: tuple[ScriptedCa, FaultProxy], tcl: Tcl, tmp_path: Path) -> World:
    ca, proxy = servers
    proxy.clear()
    ca.script = Script(order="ready")
    ca.signed.clear()
    ca.objects.clear()
    return World(ca, proxy, tcl, tmp_path / "store", f"{proxy.url}/directory?{next(NUMBERS)}")


def check_kept(world: World, outcome: dict[str, str] | Failure, kind: str, *, store: bool = True) -> None:
    """The rule, after a call that may have failed; then the same call once more."""
    issued = world.issued
    if isinstance(outcome, Failure):
        assert outcome.code[:2] != ("TOSSL", "INTERNAL") or outcome.details, outcome
        where = outcome.details
        on_disk = store and (world.pending("attempt.json") != "" or world.pending("certificate.json") != "")
        if issued and not on_disk:
            assert where.get("certificate", issued[-1]).startswith(issued[-1])
            assert where.get("certificate") or where.get("order_url"), outcome
            check_key(where.get("private_key", ""), issued[-1], kind)
        if world.pending("issued.pem") and kind != "csr" and world.pending("privkey.pem"):
            check_key(world.pending("privkey.pem"), issued[-1], "new")
    else:
        assert outcome["certificate"] == issued[-1]
    if not store:
        return
    orders = world.orders
    again = world.obtain(**KEYS[kind])
    assert isinstance(again, dict), again
    if isinstance(outcome, Failure) and issued:
        assert again["certificate"] == issued[-1]
        assert world.orders == orders
    check_in_place(world, again, kind)


def check_key(key: str, certificate: str, kind: str) -> None:
    if kind == "new":
        assert public_der(load_private_key(key)) == read_chain(certificate).public_key
    else:
        assert key == ""


def check_in_place(world: World, result: dict[str, str], kind: str) -> None:
    folder = world.store / "certificates" / NAME
    assert (folder / "fullchain.pem").read_text() == result["fullchain"]
    assert (folder / "privkey.pem").exists() == (kind != "csr")
    if kind != "csr":
        check_key((folder / "privkey.pem").read_text(), result["certificate"], "new")
    assert world.pending("issued.pem") == world.pending("attempt.json") == ""


# ---- the disk ----

_FAULTED = ("open", "write", "fsync", "rename", "replace", "mkdir", "unlink", "rmdir", "fdopen", "fchmod")


class FaultyDisk:
    """`os`, as files.py sees it, in which the nth operation after finalize fails; all after it too, if it is full."""

    def __init__(self, begun: Callable[[], bool], nth: int, *, full: bool) -> None:
        self._begun, self._nth, self._full = begun, nth, full
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        operation = getattr(os, name)
        if name not in _FAULTED:
            return operation

        def faulty(*arguments: Any, **options: Any) -> Any:
            is_read = (name == "open" and not arguments[1] & os.O_CREAT) or (name == "fdopen" and arguments[1] == "rb")
            if self._begun() and not is_read:
                self.count += 1
                if self.count == self._nth or (self._full and self.count > self._nth):
                    if name == "fdopen":
                        os.close(arguments[0])
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return operation(*arguments, **options)

        return faulty


@pytest.mark.parametrize(("kind", "full"), [("new", False), ("given", True), ("csr", True)])
def test_every_file_operation_after_finalize_fails_in_turn(
    world: World, kind: str, full: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """ENOSPC at each, and at each with all that follow: at every third of these here, at all in the long form."""
    reached = 0
    for nth in itertools.count(1, 3 if full and not ALL else 1):
        world.store = tmp_path / str(nth)
        world.ca.signed.clear()
        world.ca.objects = {url: found for url, found in world.ca.objects.items() if "chains" not in found}
        with monkeypatch.context() as patched:
            disk = FaultyDisk(lambda: bool(world.ca.payloads("finalize")), nth, full=full)
            patched.setattr(files, "os", disk)
            outcome = world.obtain(**KEYS[kind])
        if disk.count < nth:
            break
        reached += isinstance(outcome, Failure)
        check_kept(world, outcome, kind)
    assert reached > (10 if ALL or not full else 3)
    assert isinstance(outcome, dict)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a full disk")
@pytest.mark.parametrize(("size", "issued"), [("4k", 0), ("16k", 0), ("20k", 1), ("36k", 1), ("44k", 1), ("48k", 1)])
def test_a_disk_that_is_really_full(world: World, tmp_path: Path, size: str, issued: int) -> None:
    """A tmpfs of a few pages: what does not fit is in the error, what fits is taken up when there is room."""
    world.store = tmp_path / "disk"
    world.store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(world.store)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        outcome = world.obtain()
        assert isinstance(outcome, Failure)
        assert "No space left on device" in outcome.message
        assert len(world.issued) == issued
        subprocess.run(["mount", "-o", "remount,size=10m", str(world.store)], check=True)
        check_kept(world, outcome, "new")
    finally:
        subprocess.run(["umount", "-l", str(world.store)], check=True)


# ---- the CA ----

FAULTS: dict[str, Callable[[], Action]] = {
    "reset": actions.reset,
    "answer lost": actions.deliver_then_reset,
    "503": lambda: actions.html(503),
    "404": lambda: actions.problem(404, "malformed", "No such thing"),
    "unauthorized": lambda: actions.problem(403, "unauthorized", "No"),
    "no account": lambda: actions.problem(400, "accountDoesNotExist", "No"),
    "rate limit": lambda: actions.problem(429, "rateLimited", "Later", retry_after="9"),
    "garbage": lambda: actions.answer(200, "garbage"),
    "gone": lambda: actions.html(410),
    "moved": lambda: actions.html(301),
}


@pytest.mark.parametrize(
    ("fault", "kind", "store"),
    [*((fault, "new", store) for fault in FAULTS for store in (True, False)), ("answer lost", "csr", True),
     ("404", "csr", False)],
)  # fmt: skip
def test_every_request_after_finalize_fails_in_turn(
    world: World, fault: str, kind: str, store: bool, tmp_path: Path
) -> None:
    """And all that follow, until the call has failed: at finalize itself, at the order, at the certificate."""
    failed = 0
    for nth in range(1, 4):
        world.store = tmp_path / str(nth)
        world.ca.signed.clear()
        world.ca.objects.clear()
        world.directory = f"{world.proxy.url}/directory?{next(NUMBERS)}"
        count = itertools.count(1)
        seen = {"finalize": False}

        def is_due(_method: str, path: str, _body: bytes, nth: int = nth, count: Any = count, seen: Any = seen) -> bool:
            seen["finalize"] = seen["finalize"] or "/finalize/" in path
            return seen["finalize"] and next(count) >= nth

        world.proxy.clear()
        world.proxy.fault(FAULTS[fault](), times=None, when=is_due)
        outcome = world.obtain(store=store, timeout=2, **KEYS[kind])
        world.proxy.clear()
        failed += isinstance(outcome, Failure)
        check_kept(world, outcome, kind, store=store)
    assert failed


@pytest.mark.parametrize("kind", ["new", "csr"])
def test_an_order_that_takes_its_time(world: World, kind: str) -> None:
    """The time of the call is over while the CA is at work: the next call waits for the same order."""
    stall = {"on": True}

    def keep_processing(document: dict[str, Any]) -> None:
        if stall["on"]:
            document.update(status="processing")
            document.pop("certificate", None)

    for path in ("/finalize/", "/order/"):
        world.proxy.fault(actions.change(lambda response: edited(response, keep_processing)), path=path, times=None)
    outcome = world.obtain(timeout=0.6, **KEYS[kind])
    assert isinstance(outcome, Failure)
    assert outcome.code[1] == "TIMEOUT"
    stall["on"] = False
    check_kept(world, outcome, kind)


def edited(response: actions.Response, edit: Callable[[dict[str, Any]], None]) -> actions.Response:
    document = json.loads(response.body)
    edit(document)
    return actions.Response(response.status, response.reason, response.headers, json.dumps(document).encode())


@pytest.mark.parametrize("kind", KEYS)
def test_it_may_fail_again_and_again(world: World, kind: str) -> None:
    """Three calls in vain, each for another reason, and one order."""
    for fault in (
        actions.html(503),
        actions.problem(429, "rateLimited", "Later"),
        actions.deliver_then_reset(),
    ):
        world.proxy.clear()
        world.proxy.fault(fault, path="/certificate/", times=None)
        outcome = world.obtain(**KEYS[kind])
        assert isinstance(outcome, Failure)
    world.proxy.clear()
    check_kept(world, outcome, kind)
    assert (world.orders, len(world.issued)) == (1, 1)


def chain_with(edit: Callable[[str], str]) -> Action:
    return actions.change(
        lambda response: actions.Response(
            response.status, response.reason, response.headers, edit(response.body.decode()).encode()
        )
    )


def stranger() -> str:
    return read_chain(ScriptedIssuer().chain()).certificate


class ScriptedIssuer:
    """A CA that nobody asked."""

    def chain(self, name: str = "other.example", key: str = LEAF_KEY, days: float = 6) -> str:
        der = csr_for(load_private_key(key), parse_identifiers([name])).der
        return Issuer().issue(x509.load_der_x509_csr(der), days)[0]


def test_a_chain_that_does_not_lead_up_is_kept_and_taken_up(world: World) -> None:
    """Not in the place of a good one at first; the next call has nothing better, and orders nothing."""
    before = world.obtain()
    assert isinstance(before, dict)
    other = stranger()
    world.proxy.fault(chain_with(lambda chain: read_chain(chain).certificate + other), path="/certificate/", times=None)
    outcome = world.obtain(force=1)
    assert isinstance(outcome, Failure)
    assert outcome.code == ("TOSSL", "ACME", "badCertificate", "200")
    assert (world.store / "certificates" / NAME / "fullchain.pem").read_text() == before["fullchain"]
    assert world.pending("issued.pem").startswith(world.issued[-1])
    orders = world.orders
    again = world.obtain(force=1)
    assert isinstance(again, dict)
    assert (again["certificate"], again["chain"], world.orders) == (world.issued[-1], "", orders)
    assert "chain" in [warning["warning"] for warning in world.tcl.dicts(again["warnings"])]


def test_a_chain_is_asked_for_again_before_it_is_done_without(world: World) -> None:
    """The CA may have mended it."""
    other = stranger()
    world.proxy.fault(chain_with(lambda chain: read_chain(chain).certificate + other), path="/certificate/", times=1)
    outcome = world.obtain()
    assert isinstance(outcome, Failure)
    again = world.obtain()
    assert isinstance(again, dict)
    assert (len(again["chain"]) > 0, again["warnings"], world.orders) == (True, "", 1)


@pytest.mark.parametrize("fault", ["404", "no account", "garbage"])
@pytest.mark.parametrize("path", ["/certificate/", "/order/"])
def test_a_chain_that_cannot_be_had_again_is_done_without(world: World, path: str, fault: str) -> None:
    """The certificate is there, and its key stays with it."""
    before = world.obtain()
    assert isinstance(before, dict)
    other = stranger()
    world.proxy.fault(chain_with(lambda chain: read_chain(chain).certificate + other), path="/certificate/", times=1)
    assert isinstance(world.obtain(force=1), Failure)
    world.proxy.fault(FAULTS[fault](), path=path, times=None)
    again = world.obtain(timeout=2, force=1)
    assert isinstance(again, dict)
    assert (again["certificate"], world.orders) == (world.issued[-1], 2)
    check_in_place(world, again, "new")


def test_the_preferred_chain_is_had_when_an_attempt_is_taken_up(world: World) -> None:
    """Also where the first attempt did not come to ask for it."""
    world.proxy.fault(chain_with(lambda chain: chain + new_key()), path="/certificate/", times=1)
    assert isinstance(world.obtain(preferred_chain="Scripted Root Two"), Failure)
    again = world.obtain(preferred_chain="Scripted Root Two")
    assert isinstance(again, dict)
    assert (again["warnings"], world.orders) == ("", 1)
    assert "Scripted Root Two" in [*issuer_names(read_chain(again["fullchain"]))]


@pytest.mark.parametrize("times", [1, None])
def test_a_key_beside_the_certificate_is_not_kept(world: World, times: int | None) -> None:
    """RFC 8555 section 11.4: that answer is refused; the certificate in it is not lost, also if it is all there is."""
    smuggled = new_key()
    world.proxy.fault(chain_with(lambda chain: chain + smuggled), path="/certificate/", times=times)
    outcome = world.obtain()
    assert isinstance(outcome, Failure)
    assert outcome.code == ("TOSSL", "ACME", "badCertificate", "200")
    assert all(smuggled.strip() not in path.read_text() for path in world.store.rglob("*.pem"))
    check_kept(world, outcome, "new")


_BEGIN, _END = "-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n"
ODD_TEXTS: dict[str, Callable[[str], str]] = {
    "byte order mark": lambda chain: "\ufeff" + chain,
    "comment": lambda chain: "# für Sie\n" + chain,
    "long comment": lambda chain: "#" * 600_000 + "\n" + chain,
    "empty block": lambda chain: f"{chain}{_BEGIN}{_END}",
    "no base64": lambda chain: f"{chain}{_BEGIN}AAA\n{_END}",
    "cut behind the leaf": lambda chain: chain.rpartition(_END)[0],
    "key, in a comment's place": lambda chain: new_key() + chain,
}


@pytest.mark.parametrize("text", ODD_TEXTS)
@pytest.mark.parametrize("store", [True, False], ids=["store", "no store"])
def test_a_certificate_in_an_odd_text_is_not_lost(world: World, text: str, store: bool) -> None:
    """Its CERTIFICATE blocks are kept, whatever stands around them, and however often the CA sends it so."""
    world.proxy.fault(chain_with(ODD_TEXTS[text]), path="/certificate/", times=None)
    outcome = world.obtain(store=store)
    if isinstance(outcome, Failure):
        assert outcome.code[1:] == ("ACME", "badCertificate", "200")
        assert outcome.details.get("certificate", world.issued[0]).startswith(world.issued[0])
        assert store or outcome.details["certificate"]
    check_kept(world, outcome, "new", store=store)


def test_a_certificate_that_is_not_valid_yet_waits(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is kept and not put in use; the clock is asked about, nothing is ordered anew, and it is taken up in time."""
    before = world.obtain()
    assert isinstance(before, dict)
    start = time.time() + 7200
    monkeypatch.setattr(world.ca.script, "life", lambda: (start, start + 864000))
    orders = world.orders
    for _ in range(2):
        outcome = world.obtain(force=1)
        assert isinstance(outcome, Failure)
        assert outcome.code == ("TOSSL", "ACME", "badCertificate", "200")
        assert re.search(
            "begins at .*Z, and this machine's clock says .*Z; is the clock right.*pending", outcome.message
        )
        assert (world.store / "certificates" / NAME / "cert.pem").read_text() == before["certificate"]
    assert world.orders == orders + 1
    monkeypatch.setattr(due, "now", lambda: start + 1)
    taken = world.obtain(force=1)
    assert isinstance(taken, dict)
    assert (taken["not_before"], world.orders) == (str(int(start)), orders + 1)


def test_a_certificate_that_begins_in_a_week_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next call puts it aside, and orders another one; the one in force stays."""
    before = world.obtain()
    assert isinstance(before, dict)
    start = time.time() + 7 * 86400
    with monkeypatch.context() as odd:
        odd.setattr(world.ca.script, "life", lambda: (start, start + 864000))
        assert isinstance(world.obtain(force=1), Failure)
    assert (world.store / "certificates" / NAME / "cert.pem").read_text() == before["certificate"]
    orders = world.orders
    after = world.obtain(force=1)
    assert isinstance(after, dict)
    assert (after["issued"], world.orders) == ("1", orders + 1)
    assert "put aside" in after["warnings"]


@pytest.mark.parametrize("fault", ["names", "key", "expired"])
def test_what_cannot_serve_is_put_aside_and_named(world: World, fault: str) -> None:
    """With its key; the next call orders anew, with another."""
    before = world.obtain()
    assert isinstance(before, dict)
    unfit = {
        "names": lambda: Unfit(name="other.example"),
        "key": lambda: Unfit(key=LEAF_KEY),
        "expired": lambda: Unfit(days=-0.5),
    }[fault]()
    usual = world.ca.issuer
    world.ca.issuer = unfit
    try:
        outcome = world.obtain(force=1)
    finally:
        world.ca.issuer = usual
    assert isinstance(outcome, Failure)
    assert outcome.code == ("TOSSL", "ACME", "badCertificate", "200")
    (aside,) = (world.store / "certificates" / NAME).glob("unusable-*")
    assert str(aside) in outcome.message
    assert sorted(path.name for path in aside.glob("[!.]*")) == ["attempt.json", "issued.pem", "privkey.pem"]
    assert (aside / "issued.pem").read_text().startswith(unfit.leaf)
    assert (world.store / "certificates" / NAME / "cert.pem").read_text() == before["certificate"]
    orders = world.orders
    again = world.obtain(force=1)
    assert isinstance(again, dict)
    assert (world.orders, again["warnings"]) == (orders + 1, "")
    assert again["private_key"] != (aside / "privkey.pem").read_text()
    assert aside.exists()


class Unfit(Issuer):
    """Issues for another name, another key, or what has expired."""

    def __init__(self, name: str = NAME, key: str = "", days: float = 6) -> None:
        super().__init__()
        self._asked = name, key, days
        self.leaf = ""

    def issue(
        self, csr: x509.CertificateSigningRequest, days: float = 6, life: tuple[float, float] | None = None
    ) -> list[str]:
        name, key, days = self._asked
        own = load_private_key(key or LEAF_KEY)
        other = x509.load_der_x509_csr(csr_for(own, parse_identifiers([name])).der)
        chains = super().issue(other if key else Disguised(other, csr), days, life)  # type: ignore[arg-type]
        self.leaf = read_chain(chains[0]).certificate
        return chains


def test_an_attempt_for_something_else_is_put_aside(world: World) -> None:
    """A certificate for other dates is not this one; it is kept where it is found."""
    world.proxy.fault(actions.html(503), path="/certificate/", times=None)
    assert isinstance(world.obtain(not_after="2099-01-01T00:00:00Z"), Failure)
    world.proxy.clear()
    got = world.obtain()
    assert isinstance(got, dict)
    assert [warning["warning"] for warning in world.tcl.dicts(got["warnings"])] == ["put_aside"]
    (aside,) = (world.store / "certificates" / NAME).glob("unusable-*")
    assert "order" in (aside / "attempt.json").read_text()
    assert world.orders == 2


@pytest.mark.parametrize("fault", ["404", "unauthorized", "garbage", "gone", "moved"])
@pytest.mark.parametrize("path", ["/certificate/", "/order/"])
def test_an_order_of_which_nothing_comes_holds_nobody_up(world: World, path: str, fault: str) -> None:
    """The CA has lost what it issued, and says so twice: it is put aside with its key, and ordered anew."""
    world.proxy.fault(actions.html(503), path="/certificate/", times=None)
    assert isinstance(world.obtain(), Failure)
    world.proxy.clear()
    url = next(url for url in world.ca.objects if path in url).removeprefix(world.proxy.url)
    world.proxy.fault(FAULTS[fault](), path=url, times=None)
    got = world.obtain()
    assert isinstance(got, dict)
    assert got["certificate"] == world.issued[-1]
    (aside,) = (world.store / "certificates" / NAME).glob("unusable-*")
    assert f'{url}"' in (aside / "attempt.json").read_text() or path == "/certificate/"
    (warning,) = world.tcl.dicts(got["warnings"])
    assert (warning["warning"], str(aside) in warning["message"]) == ("put_aside", True)
    check_key((aside / "privkey.pem").read_text(), world.issued[0], "new")


@pytest.mark.parametrize("record", ["", "damaged", "[]", '{"asked": 7}', "[" * 100000], ids=range(5))
def test_a_certificate_whose_record_is_lost_or_damaged_is_put_aside(world: World, record: str) -> None:
    """Nobody knows what it was for; it is not removed."""
    world.proxy.fault(chain_with(lambda chain: chain + new_key()), path="/certificate/", times=1)
    assert isinstance(world.obtain(), Failure)
    path = world.store / "certificates" / NAME / "pending" / "..data" / "attempt.json"
    if record:
        path.write_text(record)
    else:
        path.unlink()
    got = world.obtain()
    assert isinstance(got, dict)
    (aside,) = (world.store / "certificates" / NAME).glob("unusable-*")
    assert (aside / "issued.pem").read_text().startswith(world.issued[0])
    check_key((aside / "privkey.pem").read_text(), world.issued[0], "new")
    assert got["certificate"] == world.issued[1]


def test_a_key_that_was_given_does_not_serve_twice(world: World) -> None:
    """What a user gave for one call is not used for another."""
    world.proxy.fault(actions.problem(403, "unauthorized", "No"), path="/finalize/", times=None)
    assert isinstance(world.obtain(private_key=LEAF_KEY), Failure)
    world.proxy.clear()
    got = world.obtain()
    assert isinstance(got, dict)
    assert got["private_key"] != LEAF_KEY


@pytest.mark.parametrize("kind", ["badPublicKey", "badCSR"])
def test_a_key_that_was_refused_does_not_serve_twice(world: World, kind: str) -> None:
    """It is put aside, for it is a key."""
    world.proxy.fault(actions.problem(400, kind, "weak"), path="/finalize/", times=None)
    assert isinstance(world.obtain(), Failure)
    (refused,) = (world.store / "certificates" / NAME / "pending").glob("privkey-*.pem")
    world.proxy.clear()
    got = world.obtain()
    assert isinstance(got, dict)
    assert got["private_key"] != refused.read_text()


# ---- other chains ----


@pytest.mark.parametrize("fault", ["404", "garbage", "reset", "expired", "another key"])
def test_another_chain_that_cannot_be_had_does_not_cost_the_first(world: World, fault: str) -> None:
    """Linked as alternate, and 404, broken, lost, expired or of another key: the first is used, with a warning."""
    edits = {
        "expired": lambda _chain: ScriptedIssuer().chain(NAME, days=-0.5),
        "another key": lambda _chain: ScriptedIssuer().chain(NAME, key=new_key()),
    }
    action = chain_with(edits[fault]) if fault in edits else FAULTS[fault]()
    world.proxy.fault(action, times=None, when=lambda _method, path, _body: "page=1" in path)
    got = world.obtain(preferred_chain="Scripted Root Two")
    assert isinstance(got, dict)
    assert got["certificate"] == world.issued[-1]
    warnings = [warning["warning"] for warning in world.tcl.dicts(got["warnings"])]
    assert warnings == ["alternate_chain", "preferred_chain"]


def test_a_preferred_chain_is_taken_silently(world: World) -> None:
    got = world.obtain(preferred_chain="Scripted Root Two")
    assert isinstance(got, dict)
    assert got["warnings"] == ""


def test_a_downloaded_text_that_is_no_chain_is_in_the_error(world: World) -> None:
    """download_certificate alone."""
    got = world.obtain(store=False)
    assert isinstance(got, dict)
    url = next(url for url, found in world.ca.objects.items() if "chains" in found)
    smuggled = new_key()
    world.proxy.fault(chain_with(lambda chain: chain + smuggled), path="/certificate/", times=1)
    failure = world.tcl.failure("download_certificate", world.directory, ACCOUNT_KEY, url)
    assert failure.code[1:3] == ("ACME", "badCertificate")
    assert failure.details["certificate"].startswith(got["certificate"])
    assert "PRIVATE" not in str(failure)


# ---- the program ----


@pytest.mark.parametrize("store", [True, False], ids=["store", "no store"])
@pytest.mark.parametrize("end", ["cancelled", "defect"])
@pytest.mark.parametrize("step", ["finalized", "waiting", "certificate", "stored"])
def test_every_step_after_finalize_may_be_the_last(
    world: World, step: str, end: str, store: bool, certificates: Certificates
) -> None:
    """The script cancels the job in the step's progress callback, or the callback fails."""
    contexts: list[Context] = []

    def listen(facts: dict[str, object]) -> None:
        if facts["step"] == step:
            if end == "defect":
                raise RuntimeError("a script's doing")
            contexts[0].cancel()

    connection = ConnectionOptions(str(certificates.ca_bundle))
    issuance = Issuance(
        tuple(parse_identifiers([NAME])),
        world.directory,
        account_key=Secret(ACCOUNT_KEY),
        solvers=SolverOptions(("dns-persist-01",), propagation_timeout=0),
        connection=connection,
    )
    folder = FolderStore(FilePath(str(world.store))) if store else None
    contexts.append(Context(20).begin(listener=listen))
    try:
        found = obtain(contexts[0], issuance, folder)
    except TosslError as error:
        outcome = error
    except RuntimeError:
        outcome = None
    else:
        assert found.as_dict()["certificate"] == world.issued[-1]
        return
    if not store:
        assert outcome is not None
        kept = str(outcome.details.get("certificate") or "")
        assert kept.startswith(world.issued[-1] if step in ("certificate", "stored") else "")
        assert kept or outcome.details["order_url"]
        assert "private_key" in outcome.details
        assert "PRIVATE" not in f"{outcome} {outcome!r} {''.join(traceback.format_exception(outcome))}"
        return
    orders = world.orders
    again = world.obtain()
    assert isinstance(again, dict)
    assert (again["certificate"], world.orders) == (world.issued[-1], orders)
    check_in_place(world, again, "new")


def test_a_certificate_taken_up_late_is_not_wanted(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of its life is over: who asks then wants a new one."""
    world.proxy.fault(chain_with(lambda chain: chain + new_key()), path="/certificate/", times=1)
    assert isinstance(world.obtain(), Failure)
    now = time.time() + 4 * 86400
    monkeypatch.setattr(due, "now", lambda: now)
    got = world.obtain()
    assert isinstance(got, dict)
    assert (len(world.issued), got["certificate"]) == (2, world.issued[-1])
    assert [warning["warning"] for warning in world.tcl.dicts(got["warnings"])] == ["put_aside"]
