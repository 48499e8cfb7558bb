"""What one node presents, another answers: through a store that both use."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pytest

from tests.memory_store import MemoryStore
from tests.python.test_challenges_http01 import PREFIX, get
from tests.python.test_challenges_tls_alpn01 import holds, shown
from tests.servers.process import free_port
from tossl_acme.acme.account import NewAccount
from tossl_acme.acme.authorization import Challenge
from tossl_acme.acme.order import OrderOptions
from tossl_acme.certificates import answers, clock, served, serving
from tossl_acme.certificates.answers import FRESH_SECONDS, read_batches, stored_answers
from tossl_acme.certificates.deploy import Hooks
from tossl_acme.certificates.issuance import Issuance
from tossl_acme.certificates.key import CertificateKey
from tossl_acme.certificates.manage import Manager
from tossl_acme.certificates.managed import Managed
from tossl_acme.certificates.reports import Reports
from tossl_acme.certificates.served import Served, process_name, read_served, served_name, write_served
from tossl_acme.certificates.serving import AnswerServer
from tossl_acme.certificates.sharing import SharedAnswers
from tossl_acme.challenges import elsewhere
from tossl_acme.challenges.elsewhere import BY_TOKEN
from tossl_acme.challenges.http_server import HttpResponder
from tossl_acme.challenges.responses import response_to
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.challenges.tls_alpn01 import TlsResponder
from tossl_acme.challenges.webroot import Webroot
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, Cancelled, TosslError
from tossl_acme.files import FilePath
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.identifiers import Identifier, parse_identifiers

NAME = "a.example"
HTTP = Challenge("http-01", Identifier("dns", NAME), "token-a", "token-a.thumbprint")
TLS = Challenge("tls-alpn-01", Identifier("dns", NAME), "token-t", "token-t.thumbprint")
ADDRESS = Challenge("tls-alpn-01", Identifier("ip", "192.0.2.1"), "token-i", "token-i.thumbprint")
DNS = Challenge("dns-01", Identifier("dns", NAME), "token-d", "token-d.thumbprint")


class Counting(MemoryStore):
    """Counts how often all answers are read; `fault` is raised instead, or waited for."""

    def __init__(self, *, is_shared: bool = True) -> None:
        super().__init__(is_shared=is_shared)
        self.reads = 0
        self.fault: Callable[[], object] = lambda: None

    def where(self, name: str, value: str = "") -> str:
        return f"{id(self)} {name} {value}"

    def time(self) -> float:
        """Returns the time of the store's clock, which no test has set."""
        return time.time()

    def read_all(
        self, prefix: str, only: Collection[str] | None = None
    ) -> Iterator[tuple[str, dict[str, bytes] | ArgumentError]]:
        self.reads += prefix == "answers"
        self.fault()
        return super().read_all(prefix, only)


@pytest.fixture
def store() -> Iterator[Counting]:
    made = Counting()
    elsewhere.look_in(stored_answers(made))
    yield made
    elsewhere.reset()
    answers.reset()


@contextlib.contextmanager
def by_another_node(store: MemoryStore, *challenges: Challenge, name: str = NAME) -> Iterator[list[dict[str, object]]]:
    """Answers in the store as another node leaves them there; what it tells."""
    told: list[dict[str, object]] = []
    context = Context(60).begin(listener=told.append)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(served, "process_name", lambda: "another:1")
        shared = SharedAnswers(store, name)
        with shared.shown(context, challenges):
            shared.wait(context)
            yield told


def test_its_own_http_server_answers_for_another(store: Counting) -> None:
    responder = HttpResponder(0)
    try:
        with by_another_node(store, HTTP):
            assert get(responder.port, PREFIX + HTTP.token)[::2] == (200, HTTP.key_authorization.encode())
            assert get(responder.port, PREFIX + "another")[0] == 404
        time.sleep(FRESH_SECONDS)
        assert get(responder.port, PREFIX + HTTP.token)[0] == 404
    finally:
        responder.close()
    assert store.sets == {}


def test_its_own_tls_server_answers_for_another(store: Counting) -> None:
    responder = TlsResponder(0)
    try:
        with by_another_node(store, TLS, ADDRESS):
            for challenge, name in ((TLS, NAME.upper()), (TLS, NAME), (ADDRESS, "1.2.0.192.in-addr.arpa")):
                certificate, protocol = shown(responder.port, name)
                assert holds(certificate, challenge)
                assert protocol == "acme-tls/1"
            with pytest.raises(OSError, match="unrecognized"):
                shown(responder.port, "b.example")
    finally:
        responder.close()


def test_a_web_server_in_tcl_answers_for_another(store: Counting) -> None:
    with by_another_node(store, HTTP):
        assert response_to(HTTP.token) == HTTP.key_authorization
    time.sleep(FRESH_SECONDS)
    assert response_to(HTTP.token) == ""


def test_random_tokens_read_the_store_no_more_often_than_it_can_bear(store: Counting) -> None:
    began = time.monotonic()
    for number in range(2000):
        assert response_to(f"scanned{number}") == ""
    assert store.reads <= (time.monotonic() - began) / FRESH_SECONDS + 1


def test_of_many_answers_those_are_read_that_have_changed(store: Counting) -> None:
    for number in range(300):
        told = {"asked_by": BY_TOKEN, "domain": NAME, "token": f"t{number}", "key_authorization": f"t{number}.k"}
        text = json.dumps({"by": "other:1", "at": time.time(), "answers": [told]})
        store.sets[f"answers/a{number}"] = {"x.json": text.encode()}
    assert response_to("t7") == "t7.k"
    with by_another_node(store, HTTP):
        assert response_to(HTTP.token) == HTTP.key_authorization
        assert response_to("t8") == "t8.k"
    with store.locked(Context(10).begin(), "answers/a7") as lock:
        store.delete(lock)
    time.sleep(FRESH_SECONDS)
    assert (response_to(HTTP.token), response_to("t7"), response_to("t9")) == ("", "", "t9.k")
    assert store.reads == 1


@pytest.mark.parametrize("token", ["", ".", "../x", "a b", "a.b", "a/b", "\0", "é", "x" * 256, "a\n"])
def test_what_is_no_token_is_not_looked_for(store: Counting, token: str) -> None:
    assert response_to(token) == ""
    assert store.reads == 0


def test_a_store_that_fails_is_left_alone_for_a_while(store: Counting) -> None:
    def fail() -> None:
        raise ArgumentError("store", "it is away")

    store.fault = fail
    for number in range(100):
        assert response_to(f"t{number}") == ""
    assert store.reads == 1


def test_a_store_that_hangs_holds_up_no_request_for_long(store: Counting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LOOK_UP_SECONDS", 0.2)
    released = threading.Event()
    store.fault = lambda: released.wait(60)
    try:
        assert response_to("t") == ""
        assert response_to("u") == ""
        assert store.reads == 1
    finally:
        released.set()


def test_only_what_is_needed_is_kept_and_no_longer(store: Counting) -> None:
    with by_another_node(store, HTTP, DNS):
        assert list(store.sets) == [f"answers/{NAME}"]
        [batch] = read_batches(store)
        assert [(one.key, one.domain, one.key_authorization) for one in batch.answers] == [
            ((BY_TOKEN, HTTP.token), NAME, HTTP.key_authorization)
        ]
    with by_another_node(store, DNS):
        assert store.sets == {}
    with pytest.raises(ArgumentError, match="oh"), by_another_node(store, HTTP):
        raise ArgumentError("x", "oh")
    assert store.sets == {}


def test_a_store_of_one_machine_keeps_no_answers() -> None:
    own = Counting(is_shared=False)
    with by_another_node(own, HTTP):
        assert own.sets == {}
    assert own.reads == 0


def test_whoever_goes_on_forgets_what_a_dead_attempt_had_shown(store: Counting) -> None:
    with by_another_node(store, HTTP):
        SharedAnswers(store, NAME).forget_dead(Context(10).begin())
        assert store.sets == {}


def test_who_was_stopped_for_too_long_takes_nothing_from_its_successor(store: Counting) -> None:
    """It wakes up while the other presents, and goes on until its lock is looked at."""
    own = Challenge("http-01", Identifier("dns", NAME), "token-b", "token-b.thumbprint")
    with by_another_node(store, HTTP):
        with by_another_node(store, own):
            assert {answer.token for batch in read_batches(store) for answer in batch.answers} == {"token-a", "token-b"}
        [batch] = read_batches(store)
        assert [answer.token for answer in batch.answers] == ["token-a"]
    assert store.sets == {}


@pytest.mark.parametrize(
    "text",
    ["{}", "[]", "", '{"at": 1, "by": "y", "answers": [7]}', '{"at": "x", "answers": []}'],
)
def test_a_damaged_set_hides_no_other(store: Counting, text: str) -> None:
    store.sets["answers/b.example"] = {"x.json": text.encode()}
    with by_another_node(store, HTTP):
        assert response_to(HTTP.token) == HTTP.key_authorization


# ---- nodes that serve ----


def managed(store: MemoryStore, *names: str, **solvers: object) -> Managed:
    issuance = Issuance(
        tuple(parse_identifiers(names)), "https://ca.example", NewAccount(), None, CertificateKey("ec", None, "", ""),
        OrderOptions(), SolverOptions(**solvers), "", ConnectionOptions(),  # type: ignore[arg-type]
    )  # fmt: skip
    return Managed(issuance, store, Hooks())


@pytest.fixture
def failed() -> list[TosslError]:
    return []


@pytest.fixture
def server(failed: list[TosslError], monkeypatch: pytest.MonkeyPatch) -> Iterator[AnswerServer]:
    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.1)
    made = AnswerServer(failed.append)
    yield made
    made.close()


def wait_for(what: Callable[[], object]) -> None:
    ends = time.monotonic() + 30
    while not what():
        assert time.monotonic() < ends, "it never came"
        time.sleep(0.01)


def files_below(root: Path) -> set[str]:
    """The names of all files; a folder may go while it is walked."""
    return {name for _, _, names in os.walk(root) for name in names}


def well_known(root: Path) -> Path:
    return root / ".well-known" / "acme-challenge"


def test_a_web_servers_folder_has_it_before_the_ca_is_asked(
    store: Counting, server: AnswerServer, failed: list[TosslError], tmp_path: Path
) -> None:
    """The folder of its name, or every one for a name that is not in the set."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    roots = {name: FilePath(str(tmp_path / name)) for name in ("one", "two")}
    server.take({
        "a": managed(store, NAME, "www.a.example", webroot=roots["one"]),
        "b": managed(store, "b.example", webroot=roots["two"]),
    })  # fmt: skip
    wait_for(lambda: read_served(store))
    strange = Challenge("http-01", Identifier("dns", "strange.example"), "token-s", "token-s.thumbprint")
    with by_another_node(store, HTTP, strange) as told:
        assert (well_known(tmp_path / "one") / HTTP.token).read_text() == HTTP.key_authorization
        assert not (well_known(tmp_path / "two") / HTTP.token).exists()
        for name in roots:
            assert (well_known(tmp_path / name) / "token-s").read_text() == "token-s.thumbprint"
    wait_for(lambda: list(tmp_path.rglob("token-*")) == [])
    assert told == []
    assert failed == []
    server.close()
    assert store.sets == {}
    assert list((tmp_path / "one").iterdir()) == []


def test_a_folder_that_cannot_be_written_to_is_told_and_not_waited_for(
    store: Counting, server: AnswerServer, tmp_path: Path
) -> None:
    well_known(tmp_path).mkdir(parents=True)
    (well_known(tmp_path) / HTTP.token).write_text("somebody's")
    server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
    wait_for(lambda: read_served(store))
    with by_another_node(store, HTTP) as told:
        pass
    [step] = told
    assert (step["step"], step["node"]) == ("not_served", process_name().rpartition(":")[0])
    assert "not of this program's making" in str(step["message"])
    server.close()
    assert (well_known(tmp_path) / HTTP.token).read_text() == "somebody's"


def test_a_node_that_says_nothing_is_waited_for_no_longer_than_it_may(store: Counting) -> None:
    with store.locked(Context(10).begin(), served_name("silent:1")) as lock:
        write_served(store, lock, Served("silent:1", time.time()))
    with store.locked(Context(10).begin(), served_name("dead:1")) as lock:
        write_served(store, lock, Served("dead:1", time.time() - 3600))
    told: list[dict[str, object]] = []
    context, shared = Context(4).begin(listener=told.append), SharedAnswers(store, NAME)
    with shared.shown(context, [HTTP]):
        shared.wait(context)
    assert context.remaining() > 2
    assert [(step["step"], step["node"]) for step in told] == [("not_served", "silent")]
    # It is nobody's to wait for until it says anything; what it has left stays known for its next start.
    left = context.remaining()
    with SharedAnswers(store, "b.example").shown(context, [HTTP]):
        assert [one.by for one in read_served(store)] == ["dead:1", "silent:1"]
        assert not any(one.is_alive(time.time()) for one in read_served(store))
        shared.wait(context)
    assert left - context.remaining() < 1
    assert len(told) == 1


def test_what_a_killed_node_left_is_removed_by_its_next_start(
    store: Counting, server: AnswerServer, tmp_path: Path
) -> None:
    well_known(tmp_path).mkdir(parents=True)
    (well_known(tmp_path) / HTTP.token).write_text(HTTP.key_authorization)
    file = {
        "type": "http-01", "place": {"webroot": str(tmp_path)}, "domain": NAME, "token": HTTP.token,
        "key_authorization": HTTP.key_authorization,
    }  # fmt: skip
    node = process_name().rpartition(":")[0]
    for one in (
        Served(f"{node}:99999999", 1.0, ("x",), {}, (file,)),
        Served("other:1", 1.0),
        Served("live:1", time.time()),
    ):
        with store.locked(Context(10).begin(), served_name(one.by)) as lock:
            write_served(store, lock, one)
    store.sets["answers/old"] = {"x.json": b'{"by": "other:1", "at": 1, "answers": []}'}
    server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
    wait_for(lambda: sorted(store.sets) == ["served/live:1", served_name(process_name())])
    assert list(well_known(tmp_path).iterdir()) == []


@pytest.mark.parametrize("process", [99999999, os.getpid()], ids=["another", "the same number"])
def test_what_a_killed_node_left_is_removed_before_answers_are_shown(
    store: Counting, server: AnswerServer, tmp_path: Path, process: int
) -> None:
    """Those that it had shown, too, for which a CA may still ask. In a container each process has the same number."""
    well_known(tmp_path).mkdir(parents=True)
    files = [
        {"type": "http-01", "place": {"webroot": str(tmp_path)}, "domain": NAME, "token": token,
         "key_authorization": f"{token}.thumbprint"}
        for token in (HTTP.token, "token-left")
    ]  # fmt: skip
    for file in files:
        (well_known(tmp_path) / str(file["token"])).write_text(str(file["key_authorization"]))
    before = Served(f"{process_name().rpartition(':')[0]}:{process}", time.time() - 3600, ("x",), {}, tuple(files))
    with store.locked(Context(10).begin(), served_name(before.by)) as lock:
        write_served(store, lock, before)
    with by_another_node(store, HTTP):
        server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
        wait_for(lambda: [one.by for one in read_served(store) if "x" not in one.seen] == [process_name()])
        assert files_below(tmp_path) == {HTTP.token}


def test_what_another_of_this_process_shows_stays(store: Counting, server: AnswerServer, tmp_path: Path) -> None:
    """As where a program has two sockets of tossl::tls::socket."""
    (shown := well_known(tmp_path) / "token-shown").parent.mkdir(parents=True)
    shown.write_text("token-shown.thumbprint")
    file = {"type": "http-01", "place": {"webroot": str(tmp_path)}, "domain": NAME, "token": shown.name,
            "key_authorization": "token-shown.thumbprint"}  # fmt: skip
    with store.locked(Context(10).begin(), served_name(process_name())) as lock:
        write_served(store, lock, Served(process_name(), time.time(), ("x",), {}, (file,)))
    server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
    wait_for(lambda: [one.seen for one in read_served(store)] == [()])
    assert shown.exists()


#: Another node may have put anything into the store, or somebody else.
_STRANGE: tuple[object, ...] = (
    None, 7, "", "x", "../../x", "a/b", "\0", "\ud800", "é", [], [[]], [{}], {}, {"a": 1}, 1e308, "x" * 9999
)  # fmt: skip


def _with_strange(good: dict[str, object]) -> Iterator[bytes]:
    """The object with each of its members strange, and without it."""
    for member in good:
        for value in _STRANGE:
            yield json.dumps({**good, member: value}).encode()
        yield json.dumps({name: value for name, value in good.items() if name != member}).encode()


def test_strange_answers_keep_no_other_from_being_served(
    store: Counting, server: AnswerServer, failed: list[TosslError], tmp_path: Path
) -> None:
    """Nothing is written but what an answer to a CA can be, and nothing outside of the folder."""
    root = tmp_path / "a" / "b" / "root"
    root.mkdir(parents=True)
    answer = {"asked_by": BY_TOKEN, "domain": NAME, "token": "t", "key_authorization": "t.k"}
    whole = {"by": "other:1", "at": time.time(), "answers": [answer]}
    texts = [json.dumps({**whole, "answers": [json.loads(text)]}).encode() for text in _with_strange(answer)]
    for number, text in enumerate([*texts, *_with_strange(whole), b"", b"{", b"[" * 99999, b"\xff"]):
        store.sets[f"answers/a{number}"] = {f"x{number}.json": text}
    server.take({"a": managed(store, NAME, webroot=FilePath(str(root)))})
    with by_another_node(store, HTTP):
        wait_for((well_known(root) / HTTP.token).exists)
        assert files_below(tmp_path) <= {HTTP.token, "t", "x"}
        assert response_to(HTTP.token) == HTTP.key_authorization
    store.sets = {name: values for name, values in store.sets.items() if not name.startswith("answers/")}
    wait_for(lambda: not files_below(tmp_path))
    assert failed == []


def test_strange_nodes_keep_no_other_from_being_served(
    store: Counting, server: AnswerServer, failed: list[TosslError], tmp_path: Path
) -> None:
    """Also where they have the name of this one, whose files of an earlier process are removed."""
    node = process_name().rpartition(":")[0]
    place: dict[str, object] = {"webroot": str(tmp_path)}
    file = {"type": "http-01", "place": place, "domain": NAME, "token": "t", "key_authorization": "t.k"}
    whole = {"at": time.time() - 3600, "seen": [], "failed": {}, "files": [file]}
    files = [*_with_strange(file), *(json.dumps({**file, "place": json.loads(one)}) for one in _with_strange(place))]
    texts = [json.dumps({**whole, "files": [json.loads(one)]}).encode() for one in files]
    for number, text in enumerate([*texts, *_with_strange(whole), b"", b"{"]):
        store.sets[f"served/{node}:{99999999 + number}"] = {"served.json": text}
        store.sets[f"served/other:{number}"] = {"served.json": text}
    server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
    with by_another_node(store, HTTP):
        wait_for((well_known(tmp_path) / HTTP.token).exists)
        wait_for(lambda: not [name for name in store.sets if name.startswith(f"served/{node}:9999")])
    assert failed == []


def test_a_folder_that_cannot_be_cleared_keeps_no_other_answer_from_being_served(
    store: Counting, server: AnswerServer, failed: list[TosslError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_words: object) -> None:
        raise ArgumentError("webroot", "not now")

    other = Challenge("http-01", Identifier("dns", NAME), "token-b", "token-b.thumbprint")
    server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
    with monkeypatch.context() as patch:
        with by_another_node(store, HTTP):
            wait_for((well_known(tmp_path) / HTTP.token).exists)
            patch.setattr(Webroot, "clean_up", refuse)
        wait_for(lambda: failed)
        with by_another_node(store, other):
            wait_for((well_known(tmp_path) / other.token).exists)
    wait_for(lambda: not files_below(tmp_path))
    assert [error.message for error in failed] == ["not now"]


@pytest.mark.parametrize("days", [3, -3, 0.002])
def test_a_wrong_clock_takes_nothing_from_other_nodes(
    store: Counting, server: AnswerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: float
) -> None:
    """No CA has told manage what time it is: at its start, and where the clock is a few minutes off, nobody does."""
    with by_another_node(store, HTTP):
        monkeypatch.setattr(clock, "wall", lambda: time.time() + days * 86400)
        server.take({"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))})
        wait_for((well_known(tmp_path) / HTTP.token).exists)
        assert read_batches(store)
        wait_for(lambda: read_served(store))
        assert [one.is_alive(time.time()) for one in read_served(store)] == [True]


def test_a_store_that_is_out_of_reach_is_told_once_by_manage(
    store: Counting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its scheduler and its web servers' folders both look for it."""

    def fail(*_words: object) -> None:
        raise ArgumentError("store", "it is away")

    monkeypatch.setattr(serving, "LOOK_SECONDS", 0.1)
    monkeypatch.setattr(store, "changes", fail)
    store.fault = fail
    context, told = Context(60).begin(), list[dict[str, object]]()
    found = {"a": managed(store, NAME, webroot=FilePath(str(tmp_path)))}
    manager = Manager(context, found, Reports(lambda facts: None, told.append))
    manager.look()
    wait_for(lambda: store.reads >= 3)
    manager.look()
    assert [one["message"] for one in told] == ["it is away"]
    context.cancel()
    with pytest.raises(Cancelled):
        manager.serve()


def test_its_servers_stay_open_while_it_manages(
    store: Counting, server: AnswerServer, failed: list[TosslError]
) -> None:
    port, tls_port = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    options = {"port": port, "tls_port": tls_port, "challenge": ("tls-alpn-01", "http-01")}
    server.take({"a": managed(store, NAME, **options), "b": managed(store, "b.example", **options)})
    number, tls_number = (int(place.partition(":")[2]) for place in (port, tls_port))
    with by_another_node(store, HTTP, TLS):
        wait_for(lambda: _is_open(number) and _is_open(tls_number))
        assert get(number, PREFIX + HTTP.token)[2] == HTTP.key_authorization.encode()
        assert holds(shown(tls_number, NAME)[0], TLS)
    server.take({"b": managed(store, "b.example", challenge=("dns-persist-01",))})
    wait_for(lambda: not _is_open(number) and not _is_open(tls_number))
    assert failed == []


def test_a_port_that_is_taken_is_told_once(store: Counting, server: AnswerServer, failed: list[TosslError]) -> None:
    other = HttpResponder("127.0.0.1:0")
    try:
        found = {"a": managed(store, NAME, port=f"127.0.0.1:{other.port}")}
        server.take(found)
        wait_for(lambda: failed)
        server.take(dict(found))
    finally:
        other.close()
    server.close()
    assert [error.errorcode for error in failed] == [("TOSSL", "VALUE", "port")]


def test_a_store_of_one_machine_is_served_for_nobody(server: AnswerServer, tmp_path: Path) -> None:
    own = Counting(is_shared=False)
    server.take({"a": managed(own, NAME, webroot=FilePath(str(tmp_path)), port=None)})
    server.close()
    assert own.reads == 0


def _is_open(port: int) -> bool:
    try:
        return get(port, "/")[0] > 0
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    except Exception:  # noqa: BLE001 - a TLS server's answer
        return True
