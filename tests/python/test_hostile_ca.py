"""A CA that breaks every rule: an issuance ends with a certificate or the right error, soon, and leaves nothing behind.

The CA of tests/servers/scripted_ca.py stands behind the fault proxy, which may do to each of its answers what it likes;
one test has a real Pebble that refuses half of all nonces. Everything is started here.
"""

from __future__ import annotations

import datetime
import gzip
import itertools
import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from tests.servers import actions
from tests.servers.actions import Action, Exchange, Response
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.issuer import Disguised, Issuer
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import json_reply
from tests.tclhost import Failure, Tcl, new_key
from tossl_acme.challenges.presented import RESPONDERS

#: The way of one issuance: where each request goes.
STEPS = (
    "/directory",
    "/nonce",
    "/new-account",
    "/new-order",
    "/authorization/",
    "/challenge/",
    "/finalize/",
    "/order/",
    "/certificate/",
)
KEY = new_key()
#: Values that no member of an object should have.
ODD: tuple[Any, ...] = (None, 7, "http://127.0.0.1:1/x", ["x"], {"type": 7})
TREE = Path(__file__).parents[2]
#: Makes each directory URL one that this process does not know yet, wherever the ports come from.
NUMBERS = itertools.count()


class World:
    """The CA, the proxy and a Tcl interpreter."""

    def __init__(self, ca: ScriptedCa, proxy: FaultProxy, tcl: Tcl, webroot: Path) -> None:
        self.ca, self.proxy, self.tcl, self.webroot = ca, proxy, tcl, webroot

    @property
    def directory(self) -> str:
        """Returns a new URL of the directory each time."""
        return f"{self.proxy.url}/directory?{next(NUMBERS)}"

    def obtain(self, **options: Any) -> str | Failure:
        """Asks for a certificate, and looks whether anything was left behind."""
        given = {"directory": self.directory, "account_key": KEY, "store": "", "timeout": 3}
        given |= {} if "port" in options else {"webroot": self.webroot}
        result = self.tcl.try_acme("obtain_certificate", ["example.com"], **given | options)
        assert list(self.webroot.rglob("*")) == []
        assert RESPONDERS.is_idle
        if isinstance(result, Failure):
            assert result.code[0] == "TOSSL", result
            assert result.code[1] != "INTERNAL", result
            assert "PRIVATE KEY" not in f"{result.message} {result.details | {'private_key': ''}} {result.info}"
            assert {"certificate", "order_url"} & set(result.details) or "private_key" not in result.details
            assert len(result.message) < 4000
        return result

    def refused(self, **options: Any) -> tuple[str, ...]:
        """The errorcode of a refused issuance, without TOSSL."""
        result = self.obtain(**options)
        assert isinstance(result, Failure), "it succeeded"
        return result.code[1:]

    def obtained(self, **options: Any) -> dict[str, str]:
        """The certificate."""
        result = self.obtain(**options)
        assert isinstance(result, str), result
        return self.tcl.as_dict(result)


@pytest.fixture(autouse=True)
def _watchdog() -> Iterator[None]:
    """A hang is a failure like another."""

    def bark(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError("the test hangs")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def servers(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The servers, once for all tests here."""
    webroot = tmp_path_factory.mktemp("hostile") / "webroot"
    webroot.mkdir()
    with ScriptedCa(certificates) as ca, FaultProxy(ca.directory, certificates) as proxy:
        ca.front = proxy.url
        yield World(ca, proxy, Tcl(str(certificates.ca_bundle)), webroot)


@pytest.fixture
def world(servers: World) -> World:
    """A CA that is well behaved until told otherwise."""
    servers.proxy.clear()
    return servers


def edited(edit: Callable[[dict[str, Any]], object]) -> Action:
    """Delivers, and changes the JSON object that comes back."""

    def change(response: Response) -> Response:
        document = json.loads(response.body)
        edit(document)
        return Response(response.status, response.reason, response.headers, json.dumps(document).encode())

    return actions.change(change)


def with_member(name: str, value: object) -> Action:
    """Delivers with this member in place of the CA's own."""
    return edited(lambda document: document.update({name: value}))


def raw(data: bytes) -> Action:
    """Answers bytes that may be anything."""

    def act(exchange: Exchange) -> None:
        exchange.write(data)

    return act


# ---- the CA as it should be, and the network ----


def test_it_works_when_nothing_is_wrong(world: World) -> None:
    """Otherwise the rest would show nothing."""
    assert world.obtained()["domains"] == "example.com"
    assert world.obtained(port=0)["domains"] == "example.com"


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", ["drop", "reset", "deliver_then_drop", "deliver_then_reset"])
def test_a_lost_answer_is_survived(world: World, fault: str, step: str) -> None:
    """The request is sent again, whether or not the CA acted on the first."""
    if step == "/nonce":
        # Answers bring nonces, so that this one is asked for only where the first answer has none.
        world.proxy.fault(actions.no_nonce(), path="/directory")
    world.proxy.fault(actions.ACTIONS[fault](), path=step)
    assert world.obtained(port=0)["domains"] == "example.com"


def test_a_challenge_that_another_has_answered_needs_no_answer(world: World) -> None:
    """The CA refuses it then; the authorization tells that all is well."""

    def refuse(exchange: Exchange) -> None:
        exchange.deliver()
        actions.problem(400, "malformed", "Cannot update challenge with status valid")(exchange)

    world.proxy.fault(refuse, path="/challenge/")
    assert world.obtained()["domains"] == "example.com"


@pytest.mark.parametrize("step", STEPS)
def test_a_connection_that_always_breaks_is_told(world: World, step: str) -> None:
    """After a few attempts."""
    if step == "/nonce":
        world.proxy.fault(actions.no_nonce(), path="/directory")
    world.proxy.fault(actions.reset(), path=step, times=None)
    assert world.refused(timeout=0.5, port=0)[0] in ("HTTP", "TIMEOUT")


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("fault", [actions.drip(0.05), actions.delay(60)])
def test_slowness_ends_with_the_time_given(world: World, fault: Action, step: str) -> None:
    """However slowly the bytes come."""
    if step == "/nonce":
        world.proxy.fault(actions.no_nonce(), path="/directory")
    world.proxy.fault(fault, path=step, times=None)
    assert world.refused(timeout=0.2)[0] == "TIMEOUT"


# ---- bodies ----

BODIES = {
    "html": actions.html(200),
    "html 503": actions.html(503),
    "html 403": actions.html(403),
    "array": actions.body("[]"),
    "null": actions.body("null"),
    "number": actions.body("7"),
    "nothing": actions.body(""),
    "object": actions.body("{}"),
    "deep": actions.body("[" * 200000),
    "long number": actions.body('{"status": 1' + "0" * 10000 + "}"),
    "not utf-8": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Type: application/json\r\n\r\n\xff\xfe{\x00"),
    "oversized": actions.oversized(),
    "endless": actions.endless(),
    "bomb": actions.answer(200, gzip.compress(bytes(20_000_000)), "application/json", {"Content-Encoding": "gzip"}),
    "no gzip": actions.answer(200, "{}", "application/json", {"Content-Encoding": "gzip"}),
    "no http": raw(b"\x00\x01\x02" * 100),
    "long line": raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200000),
    "many lines": raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000 + b"\r\n"),
    "negative length": raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}"),
    "bad chunks": raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "problem of odd types": actions.answer(
        400, '{"type": 7, "detail": [1], "status": "x", "subproblems": [7, {"identifier": 7, "type": []}]}',
        "application/problem+json",
    ),
    "huge problem": actions.problem(400, "x" * 10000, "y" * 500_000),
    "redirect to http": actions.redirect("http://127.0.0.1:1/"),
    "redirect to itself": actions.redirect("?"),
    "redirect nowhere": actions.redirect("https://[::1/"),
    "nonsense for a status": actions.answer(799, "{}", "application/json"),
    "no content": actions.answer(204),
}  # fmt: skip

#: Asked for again like a lost answer, which takes its time: one step tells for all.
BROKEN = ("html 503", "no http", "long line", "many lines", "bad chunks", "nonsense for a status")


@pytest.mark.parametrize("step", STEPS)
def test_any_body_at_any_step(world: World, step: str) -> None:
    """A typed error, or success where the body does not matter."""
    for name, action in BODIES.items():
        if name in BROKEN and step != "/new-order":
            continue
        world.proxy.clear()
        if step == "/nonce":
            world.proxy.fault(actions.no_nonce(), path="/directory", times=None)
        world.proxy.fault(action, path=step, times=None)
        result = world.obtain(timeout=0.3)
        if step not in ("/nonce", "/new-account", "/challenge/", "/finalize/") or isinstance(result, Failure):
            assert isinstance(result, Failure), f"{name}: it succeeded"
            assert result.code[1] in ("HTTP", "ACME", "TIMEOUT"), name


@pytest.mark.parametrize("name", ["html", "array", "null", "number", "nothing", "object", "deep"])
def test_a_useless_answer_to_finalize_loses_no_certificate(world: World, name: str) -> None:
    """The order tells what became of it."""
    world.proxy.fault(BODIES[name] if name != "html" else actions.body("<p>"), path="/finalize/")
    assert world.obtained()["domains"] == "example.com"
    assert len(world.proxy.seen("/finalize/")) == 1


MEMBERS = {
    "/directory": ("newNonce", "newAccount", "newOrder", "revokeCert", "renewalInfo", "meta", "keyChange"),
    "/new-account": ("status", "contact", "orders"),
    "/new-order": ("status", "identifiers", "authorizations", "finalize", "expires", "certificate", "error"),
    "/authorization/": ("status", "identifier", "challenges", "wildcard", "expires"),
    "/challenge/": ("status", "type", "url", "token", "error"),
    "/finalize/": ("status", "certificate", "finalize", "identifiers", "authorizations", "error"),
    "/order/": ("status", "certificate", "finalize", "identifiers", "authorizations", "error"),
}


@pytest.mark.parametrize(
    ("step", "member"), [(step, member) for step, members in MEMBERS.items() for member in members]
)
def test_wrong_types_everywhere(world: World, step: str, member: str) -> None:
    """Each member of each object with each odd value."""
    for value in ODD:
        world.proxy.clear()
        world.proxy.fault(with_member(member, value), path=step, times=None)
        world.obtain(timeout=0.3)


@pytest.mark.parametrize("member", ["type", "url", "token", "status", "error"])
def test_wrong_types_in_a_challenge(world: World, member: str) -> None:
    """And one level deeper."""

    def spoiled(value: object) -> Action:
        return edited(lambda document: [challenge.update({member: value}) for challenge in document["challenges"]])

    for value in ODD:
        world.proxy.clear()
        world.proxy.fault(spoiled(value), path="/authorization/", times=None)
        world.obtain(timeout=0.3)


@pytest.mark.parametrize("name", ["Replay-Nonce", "Location", "Link"])
def test_odd_headers(world: World, name: str) -> None:
    """Missing, empty, long, of another alphabet."""
    odd = (None, "x" * 5000, "http://127.0.0.1:1/\xff", "99999999999999999999")
    for value, step in itertools.product(odd, ("/new-order", "/certificate/")):
        world.proxy.clear()
        world.proxy.fault(actions.header(name, value), path=step, times=None)
        world.obtain(timeout=0.3)


# ---- what would be believed ----


@pytest.mark.parametrize(
    "token",
    ["../../etc/passwd", "..", ".", "a/b", "a\\b", "/etc/passwd", "", " ", "a b", "a\nb", "a\x00b", "\u00e9", "a" * 300,
     "a.b", "%2e%2e%2f"],
)  # fmt: skip
def test_a_bad_token_becomes_no_path(world: World, token: str) -> None:
    """RFC 8555 section 8.1: base64url; nothing is written, and nothing answered."""
    around = world.webroot.parent
    before = sorted(around.rglob("*"))

    def spoil(document: dict[str, Any]) -> None:
        for challenge in document["challenges"]:
            challenge["token"] = token

    world.proxy.fault(edited(spoil), path="/authorization/", times=None)
    assert world.refused()[:2] == ("HTTP", "malformed")
    assert sorted(around.rglob("*")) == before
    assert not world.proxy.seen("/challenge/")


@pytest.mark.parametrize(
    ("step", "member"),
    [("/directory", "newOrder"), ("/directory", "newAccount"), ("/new-order", "finalize"), ("/order/", "certificate")],
)
def test_http_urls_are_not_followed(world: World, step: str, member: str) -> None:
    """A URL that the CA names must be https."""
    world.proxy.fault(with_member(member, "http://127.0.0.1:1/x"), path=step, times=None)
    assert world.refused()[:2] == ("HTTP", "malformed")


def test_http_urls_of_authorizations_and_challenges(world: World) -> None:
    """Nor are those in lists."""
    world.proxy.fault(with_member("authorizations", ["http://127.0.0.1:1/x"]), path="/new-order", times=None)
    assert world.refused()[:2] == ("HTTP", "malformed")
    world.proxy.clear()

    def spoil(document: dict[str, Any]) -> None:
        for challenge in document["challenges"]:
            challenge["url"] = "http://127.0.0.1:1/x"

    world.proxy.fault(edited(spoil), path="/authorization/", times=None)
    assert world.refused()[:2] == ("HTTP", "malformed")


def test_no_order_is_placed_in_an_account_at_another_ca(world: World, scripted_ca: ScriptedCa) -> None:
    """A CA hands out the account, the nonces and the URL for orders of another one, where the key is known too."""
    world.obtained()
    (account,) = [url for url in world.ca.objects if url.count("/") == 4 and "/account/" in url][-1:]
    orders = len(world.ca.payloads("new-order"))
    urls = {"newNonce": f"{world.proxy.url}/nonce", "newOrder": f"{world.proxy.url}/new-order"}
    directory = {"newAccount": f"{scripted_ca.tls_origin}/new-account", **urls}
    scripted_ca.answers["/directory"].append(json_reply(directory))
    scripted_ca.answers["/new-account"].append(json_reply({"status": "valid"}, 201, location=account))
    assert world.refused(directory=scripted_ca.directory)[:2] == ("HTTP", "malformed")
    assert len(world.ca.payloads("new-order")) == orders


@pytest.mark.parametrize(("step", "kind"), [("/new-account", "account"), ("/new-order", "order")])
def test_accounts_and_orders_on_other_hosts(world: World, step: str, kind: str) -> None:
    """They are another CA's; a port makes another host of one."""
    for host in ("localhost:1", "ca.example", "127.0.0.1"):
        world.proxy.clear()
        world.proxy.fault(actions.header("Location", f"https://{host}/{kind}/1"), path=step, times=None)
        result = world.obtain()
        assert isinstance(result, Failure)
        assert result.code[1:] == ("HTTP", "malformed")
        assert f"as its {kind}, which is on another host" in result.message
        assert not world.proxy.seen("/finalize/")


@pytest.mark.parametrize("member", ["newAccount", "newOrder", "newNonce", "keyChange"])
def test_a_directory_with_urls_of_a_public_ca(world: World, member: str) -> None:
    """Those of Let's Encrypt, by whomever it is not."""
    url = "https://acme-v02.api.letsencrypt.org/acme/x"
    world.proxy.fault(with_member(member, url), path="/directory", times=None)
    assert world.refused()[:2] == ("HTTP", "malformed")


@pytest.mark.parametrize(
    ("ordered", "said"),
    [
        ("example.com", "example.com."),
        ("example.com", "EXAMPLE.Com."),
        ("xn--bcher-kva.example", "b\u00fccher.example"),
        ("b\u00fccher.example", "B\u00dcCHER.example."),
    ],
)
def test_a_name_may_be_written_in_another_way(world: World, ordered: str, said: str) -> None:
    """With a final dot, or in Unicode for its A-label."""
    world.proxy.fault(with_member("identifier", {"type": "dns", "value": said}), path="/authorization/", times=None)
    options = {"directory": world.directory, "account_key": KEY, "store": "", "timeout": 20, "webroot": world.webroot}
    world.tcl.acme("obtain_certificate", [ordered], **options)


@pytest.mark.parametrize("name", ["other.example", "../../etc", "", "sub.example.com", "com"])
def test_an_authorization_for_another_name_is_not_proven(world: World, name: str) -> None:
    """A CA shall not have records or files made for names that nobody ordered."""
    world.proxy.fault(with_member("identifier", {"type": "dns", "value": name}), path="/authorization/", times=None)
    world.refused()
    assert not world.proxy.seen("/challenge/")


def test_more_authorizations_than_names(world: World) -> None:
    """Not even asked for: each would cost requests, files and records."""
    many = [f"{world.proxy.url}/authorization/{number}" for number in range(900)]
    world.proxy.fault(with_member("authorizations", many), path="/new-order", times=None)
    assert world.refused()[:2] == ("HTTP", "malformed")
    assert not world.proxy.seen("/authorization/")


def test_more_authorizations_than_names_in_an_order_that_is_taken_up(world: World, tmp_path: Path) -> None:
    """None of them is asked for; another order brings the certificate."""
    directory = world.directory
    world.proxy.fault(actions.problem(403, "unauthorized", "later"), path="/authorization/")
    assert world.refused(directory=directory, store=tmp_path)[0] == "ACME"
    many = [f"{world.proxy.url}/authorization/many{number}" for number in range(900)]
    world.proxy.fault(with_member("authorizations", many), path="/order/")
    assert world.obtained(directory=directory, store=tmp_path)["issued"] == "1"
    assert world.proxy.seen("/order/")
    assert not world.proxy.seen("/authorization/many")


@pytest.mark.parametrize("spelled", ["example.com", "EXAMPLE.com"])
def test_two_authorizations_for_one_name(world: World, spelled: str) -> None:
    """Nothing is presented for either."""

    def double(document: dict[str, Any]) -> None:
        (url,) = document["authorizations"]
        named = {"type": "dns", "value": spelled}
        world.ca.objects[f"{url}0"] = {**world.ca.objects[url], "identifier": named}
        document["authorizations"] = [url, f"{url}0"]

    steps: list[str] = []
    world.tcl.create("heard", lambda step: steps.append(str(step)))
    world.proxy.fault(edited(double), path="/new-order", times=None)
    assert world.refused(progress="heard")[:2] == ("HTTP", "malformed")
    assert not [step for step in steps if "presented" in step]
    assert not world.proxy.seen("/challenge/")


def test_redirects(world: World) -> None:
    """Of the directory alone, and to https alone."""
    for step in STEPS[2:]:
        world.proxy.clear()
        world.proxy.fault(actions.redirect(f"{world.proxy.url}/directory"), path=step, times=None)
        assert world.refused()[0] == "HTTP"
    world.proxy.clear()
    world.proxy.fault(actions.redirect("http://127.0.0.1:1/"), path="/directory", times=None)
    assert world.refused()[:2] == ("HTTP", "redirect")


def certificate(*names: str) -> bytes:
    """A certificate that nobody asked for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Nobody")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    alternative = x509.SubjectAlternativeName([x509.DNSName(text) for text in names])
    return builder.add_extension(alternative, critical=False).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def chain_of(edit: Callable[[bytes], bytes]) -> Action:
    """Delivers another chain."""

    def change(response: Response) -> Response:
        return Response(response.status, response.reason, response.headers, edit(response.body))

    return actions.change(change)


GARBAGE = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    "edit",
    [
        lambda chain: certificate("example.com"),
        lambda chain: certificate("other.example"),
        lambda chain: chain + KEY.encode(),
        lambda chain: KEY.encode() + chain,
        lambda chain: chain[chain.index(b"-----END") :],
        lambda chain: chain[chain.index(b"-----BEGIN", 10) :],
        lambda chain: GARBAGE,
        lambda chain: chain.replace(b"A", b"!", 1),
        lambda chain: chain[:200],
        lambda chain: b"-----BEGIN CERTIFICATE-----\n" * 10000,
        lambda chain: b"\x30\x82\x00\x00",
        lambda chain: chain + b"-----BEGIN private key-----\nAAAA\n-----END private key-----\n",
        lambda chain: b"-----BEGINX\n" + chain,
        lambda chain: chain + b"# -----BEGIN CERTIFICATE REQUEST",
        lambda chain: chain.replace(b"CERTIFICATE-----", b"CERTIFICATE -----"),
    ],
    ids=["key", "names", "key-after", "key-before", "headless", "leafless", "garbage", "base64", "cut", "begins",
         "der", "lower-case", "begin-alone", "in-a-comment", "spaced"],
)  # fmt: skip
def test_a_wrong_certificate_is_not_given_out(world: World, edit: Callable[[bytes], bytes], tmp_path: Path) -> None:
    """Nor kept: what stood there stays."""
    world.obtained(store=str(tmp_path / "store"))
    stored = (tmp_path / "store/certificates/example.com/fullchain.pem").read_bytes()
    world.proxy.fault(chain_of(edit), path="/certificate/", times=None)
    code = world.refused(store=str(tmp_path / "store"))
    assert code[:2] in (("ACME", "badCertificate"), ("HTTP", "malformed"))
    assert (tmp_path / "store/certificates/example.com/fullchain.pem").read_bytes() == stored


@pytest.mark.parametrize(
    "edit",
    [
        lambda chain: certificate("example.com") + chain,
        lambda chain: chain + certificate("example.com"),
        lambda chain: GARBAGE + chain,
        lambda chain: chain + GARBAGE,
        lambda chain: chain * 20,
    ],
    ids=["first", "last", "garbage-first", "garbage-last", "many"],
)
def test_a_chain_is_put_in_order(world: World, edit: Callable[[bytes], bytes]) -> None:
    """What has nothing to do with the certificate is left out."""
    expected = len(world.obtained()["fullchain"])
    world.proxy.fault(chain_of(edit), path="/certificate/", times=None)
    assert abs(len(world.obtained()["fullchain"]) - expected) < 20


@pytest.mark.parametrize("names", [["www.example.com"], ["sub.example.com", "*.example.com"]])
def test_a_certificate_for_other_names(world: World, monkeypatch: pytest.MonkeyPatch, names: list[str]) -> None:
    """With the right key and a sound chain."""
    monkeypatch.setattr(world.ca, "issuer", Renaming(names))
    assert world.refused()[:2] == ("ACME", "badCertificate")


def test_a_certificate_for_more_names(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The certificate is returned, with a warning that lists the names."""
    monkeypatch.setattr(world.ca, "issuer", Renaming(["example.com", "extra.example.com"]))
    (warning,) = world.tcl.dicts(world.obtained()["warnings"])
    assert (warning["warning"], "extra.example.com" in warning["message"]) == ("names", True)


class Renaming(Issuer):
    """Certifies the key that it is asked for, under other names."""

    def __init__(self, names: list[str]) -> None:
        super().__init__()
        self._names = names

    def issue(
        self, csr: x509.CertificateSigningRequest, days: float = 1, life: tuple[float, float] | None = None
    ) -> list[str]:
        other = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in self._names])
        builder = (
            x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).add_extension(names, critical=False)
        )
        return super().issue(Disguised(builder.sign(other, hashes.SHA256()), csr), days, life)  # type: ignore[arg-type]


# ---- endless promises ----


@pytest.mark.parametrize(
    ("step", "status"), [("/authorization/", "pending"), ("/order/", "processing"), ("/order/", "ready")]
)
def test_an_object_that_never_gets_done(world: World, step: str, status: str) -> None:
    """Polled until the time is over; an answered challenge that is not valid at once is polled too."""
    world.proxy.fault(with_member("status", "processing"), path="/challenge/", times=None)
    world.proxy.fault(with_member("status", status), path=step, times=None)
    assert world.refused(timeout=0.5)[0] == "TIMEOUT"


def test_a_retry_after_beyond_the_time_given(world: World) -> None:
    """The call does not sleep that long: it raises the error at once, or when its time is over."""
    world.proxy.fault(actions.html(503, "86400"), path="/new-order", times=None)
    assert world.refused(timeout=30)[:2] == ("HTTP", "status")


@pytest.mark.parametrize("step", ["/directory", "/new-account", "/new-order", "/finalize/"])
def test_an_overloaded_ca_is_asked_again(world: World, step: str) -> None:
    """A 503 or two are no reason to give up."""
    world.proxy.fault(actions.html(503), path=step, times=2)
    world.obtained()


@pytest.mark.parametrize("retry_after", ["0", "1", "soon", "-1", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_an_overloaded_ca_may_say_when(world: World, retry_after: str) -> None:
    """In seconds, as a date, or in a way that nobody understands."""
    world.proxy.fault(actions.html(503, retry_after), path="/new-order")
    world.obtained()


def test_a_rate_limit_is_not_waited_for(world: World) -> None:
    """It says when to come back, and is the caller's to decide."""
    world.proxy.fault(actions.problem(429, "rateLimited", "Too many", retry_after="5"), path="/new-order", times=None)
    result = world.obtain()
    assert isinstance(result, Failure)
    assert result.code == ("TOSSL", "ACME", "rateLimited", "429")
    assert result.details["retry_after"] == "5"
    assert len(world.proxy.seen("/new-order")) == 1


# ---- nonces ----


def test_every_second_nonce_is_stale(world: World) -> None:
    """badNonce is matched by its type and retried at once."""
    turn = itertools.cycle((True, False))
    world.proxy.fault(actions.stale_nonce(), times=None, when=lambda method, path, body: next(turn))
    world.obtained()


@pytest.mark.parametrize(
    "action", [actions.stale_nonce(), actions.header("Replay-Nonce", "not/a nonce"), actions.no_nonce()]
)
def test_no_nonce_is_good(world: World, action: Action) -> None:
    """Bounded by the time given, with the CA's own error at the end; and no flood."""
    world.proxy.fault(action, times=None)
    assert world.refused(timeout=1)[0] in ("ACME", "HTTP", "TIMEOUT")
    assert len(world.proxy.seen()) < 110


def test_half_of_all_nonces_refused_by_pebble(challtestsrv: ChallTestSrv, certificates: Certificates, tcl: Tcl) -> None:
    """A real CA, in strict mode."""
    with Pebble(dns=challtestsrv.dns, certificates=certificates, nonce_reject=50, authz_reuse=0) as pebble:
        for name in ("a.example.com", "b.example.com"):
            options = {"directory": pebble.directory, "port": pebble.http_port, "store": "", "account_key": KEY}
            assert tcl.dict("obtain_certificate", [name, f"www.{name}"], timeout=30, **options)["domains"]


# ---- words ----

#: What steers a terminal, or shows a text as another one: C0, C1, directions, no width; and length.
EVIL = "\x1b[2J\x9b31m\u202e\u2066\u200b\n\r\tx" + "y" * 300_000


@pytest.mark.parametrize(
    ("step", "action"),
    [
        ("/new-order", actions.answer(403, "{}", "text/\x9b31m" + "x" * 30_000)),
        ("/new-order", actions.problem(403, EVIL, EVIL)),
        ("/new-order", with_member("status", EVIL)),
        ("/new-order", with_member("identifiers", [{"type": "dns", "value": EVIL}])),
        ("/authorization/", with_member("status", EVIL)),
        ("/authorization/", with_member("identifier", {"type": EVIL, "value": EVIL})),
        ("/authorization/", edited(lambda document: [each.update(type=EVIL) for each in document["challenges"]])),
        ("/order/", with_member("status", EVIL)),
        ("/order/", with_member("error", {"type": EVIL, "title": EVIL, "subproblems": [{"detail": EVIL}] * 50})),
        ("/challenge/", with_member("status", EVIL)),
        ("/challenge/", with_member("type", EVIL)),
        (
            "/directory",
            with_member("meta", {"profiles": {EVIL: EVIL}, "termsOfService": EVIL, "caaIdentities": [EVIL]}),
        ),
        ("/directory", actions.redirect("https://127.0.0.1:1/\x9b" + "x" * 5000)),
        ("/certificate/", actions.answer(200, EVIL, "text/\x9b" + "x" * 30_000)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_words_of_a_ca_are_made_safe(world: World, step: str, action: Action) -> None:
    """In the message, the errorcode and each step: on one line, printable, as long as people read."""
    steps: list[str] = []
    world.tcl.create("heard", lambda step: steps.append(str(step)))
    world.proxy.fault(action, path=step, times=None)
    result = world.obtain(progress="heard", timeout=0.6, profile="none" if step == "/directory" else "")
    said = [result.message, *result.code] if isinstance(result, Failure) else []
    for text in (*said, *steps):
        assert text.isprintable(), ascii(text[:200])
        assert len(text) < 4500
    assert all(len(word) <= 200 for word in said[1:])


@pytest.mark.parametrize("words", [["--json"], []], ids=["json", "text"])
def test_words_of_a_ca_are_made_safe_by_the_program(world: World, certificates: Certificates, words: list[str]) -> None:
    """On standard output too, where a result is."""
    meta = {"profiles": {EVIL[:40]: EVIL[:40]}, "termsOfService": EVIL[:40]}
    world.proxy.fault(with_member("meta", meta), path="/directory", times=None)
    program = [os.environ.get("TCLSH", "tclsh"), str(TREE / "bin/tossl"), "directory", world.directory, *words]
    done = subprocess.run([*program, "--ca-bundle", str(certificates.ca_bundle)], capture_output=True, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    assert said.replace("\n", "").isprintable(), ascii(said)
    assert not words or (json.loads(said) and "\\u202e" in said)
