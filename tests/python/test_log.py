"""The log: an issuance in five lines, each request at level debug, and no secret in any of it."""

from __future__ import annotations

import json
import logging
import os
import re
import secrets
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest
from dns import rdatatype

from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.faults import FaultProxy
from tests.servers.httpreq import HttpReq
from tests.servers.pebble import Pebble
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.web import LookAlike, Reply, Request
from tests.tclhost import Tcl, new_key
from tossl_acme import log
from tossl_acme.certificates.advice import advice_for
from tossl_acme.context import Context
from tossl_acme.dns.failure import LookupFailed
from tossl_acme.dns.resolver import Nameserver, ask, dns_name
from tossl_acme.errors import AcmeError, ArgumentError, DnsError, HttpError, RetryError, TosslError, WaitTimeout
from tossl_acme.log.handlers import LOG, NOWHERE, LogFile, LogPlace
from tossl_acme.text import MAX_SAID_CHARS

ROOT = Path(__file__).parents[2]
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (error|warning|info|debug) +tossl\.[a-z]+ (.+)")


@pytest.fixture(autouse=True)
def _no_log() -> Iterator[None]:
    """Each test begins and ends without a log."""
    yield
    LOG.reset()
    log.reset()


def logged(path: Path) -> list[str]:
    """The lines of a log, each of the form that the page promises."""
    lines = path.read_text().splitlines()
    assert all(LINE.fullmatch(line) for line in lines), lines
    return lines


def messages(path: Path, level: str) -> list[str]:
    """The messages of one level."""
    found = [match for line in logged(path) if (match := LINE.fullmatch(line))]
    return [match[2] for match in found if match[1] == level]


def configure(tcl: Tcl, path: Path | str, level: str = "info") -> None:
    tcl.eval(f"tossl::log configure -level {level} -file {{{path}}}")


def obtain(tcl: Tcl, pebble: Pebble, folder: Path, **options: object) -> dict[str, str]:
    name = f"{secrets.token_hex(4)}.example.com"
    given = {"directory": pebble.directory, "store": folder / "store", **(options or {"port": pebble.http_port})}
    return tcl.dict("obtain_certificate", name, **given)


# ---- what it says ----


def printed() -> list[str]:
    """The lines of an issuance in the page's example."""
    page = (ROOT / "docs" / "source" / "log.md").read_text().partition("## EXAMPLE")[2]
    return [line for line in page.splitlines() if line.startswith("2")]


def shape(line: str) -> str:
    """A line without what differs from one run to the next."""
    for pattern, word in ((r"^\S+", "AT"), (r"\b[0-9a-f]{8}\b", "ID"), (r"(\w+)=(\"[^\"]*\"|\S+)", r"\1="),
                          (r"\b(ID\.)?example\.com", "NAME"), (r"until \S+", "until")):  # fmt: skip
        line = re.sub(pattern, word, line)
    return line


def test_an_issuance_has_five_lines_and_one_id(tcl: Tcl, calm_pebble: Pebble, tmp_path: Path) -> None:
    configure(tcl, tmp_path / "log")
    steps: list[dict[str, str]] = []
    tcl.create("note", lambda step: steps.append(tcl.as_dict(step)))
    name = obtain(tcl, calm_pebble, tmp_path, progress="note", port=calm_pebble.http_port)["name"]
    lines = messages(tmp_path / "log", "info")
    (issuance,) = {match[1] for line in lines if (match := re.match(r"\[([0-9a-f]{8})\] ", line))}
    said = [line.removeprefix(f"[{issuance}] ") for line in lines]
    assert len(said) == 5
    assert said[0].startswith(f"{name}: begins an issuance for {name} ca={calm_pebble.directory}")
    assert said[1].startswith("has placed an order, which is pending order=https://")
    assert said[2] == f"the challenges are in place, and the CA is asked to look: http-01 of {name}"
    assert said[3] == f"the CA has found the challenges of {name}"
    assert said[4].startswith(f"{name}: has a certificate until 2")
    assert [shape(line) for line in logged(tmp_path / "log")] == [shape(line) for line in printed()]
    assert {step.get("issuance") for step in steps if step["step"] not in ("account_key",)} == {issuance}


def test_debug_has_every_request(tcl: Tcl, calm_proxy: FaultProxy, calm_pebble: Pebble, tmp_path: Path) -> None:
    configure(tcl, tmp_path / "log", "debug")
    obtain(tcl, calm_pebble, tmp_path, directory=calm_proxy.directory, port=calm_pebble.http_port)
    said = messages(tmp_path / "log", "debug")
    exchanges = [line for line in said if re.search(r"\b(POST|GET|HEAD) https://\S+ \d{3} ms=\d+", line)]
    assert len(exchanges) == len(calm_proxy.requests)
    assert any("wrote " in line and "certificates/" in line for line in said)
    assert any("locked certificates/" in line for line in said)
    assert any("read certificates/" in line for line in said)
    assert sum("[" in line.split()[0] for line in said) > len(said) / 2


def test_a_nonce_that_is_refused(tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    configure(tcl, tmp_path / "log", "debug")
    scripted_ca.script.bad_nonces["new-account"] = 1
    tcl.acme("create_account", scripted_ca.directory, new_key(), "", agree_tos=1)
    said = messages(tmp_path / "log", "debug")
    assert [line for line in said if re.search(r"POST \S+ 400 ms=\d+ problem=badNonce nonce=refused", line)]
    assert [line for line in said if "the CA refuses: " in line and "[badNonce]" in line]


def test_debug_has_every_query_of_the_dns(bind: Bind, tmp_path: Path) -> None:
    LOG.configure("debug", LogPlace(str(tmp_path / "log"), "log", '"log"'))
    server = Nameserver("127.0.0.1", bind.port, "127.0.0.1")
    ask(server, dns_name("example.com"), rdatatype.SOA, 5)
    with pytest.raises(LookupFailed):
        ask(Nameserver("127.0.0.1", 9, "127.0.0.1"), dns_name("example.com"), rdatatype.TXT, 0.5, "0123abcd")
    first, second = messages(tmp_path / "log", "debug")
    assert re.fullmatch(r"query example\.com SOA at 127\.0\.0\.1: NOERROR sets=1 ms=\d+", first)
    assert re.match(r"\[0123abcd\] query example\.com TXT at 127\.0\.0\.1: ", second)


def test_debug_has_every_change_of_the_dns(
    tcl: Tcl, calm_pebble: Pebble, httpreq: HttpReq, tmp_path: Path
) -> None:
    configure(tcl, tmp_path / "log", "debug")
    dns = {"provider": "generic", "api_key": httpreq.token, "endpoint": httpreq.url, "propagation": "none"}
    name = obtain(tcl, calm_pebble, tmp_path, **dns, follow_cname=0)["name"]
    said = "\n".join(messages(tmp_path / "log", "debug"))
    assert f"published a TXT value record=_acme-challenge.{name} provider=generic" in said
    assert f"removed 1 TXT values record=_acme-challenge.{name} provider=generic" in said
    assert httpreq.token not in said


def test_the_peers_name_for_a_request(tcl: Tcl, tmp_path: Path) -> None:
    class Named(LookAlike):
        def answer(self, request: Request) -> Reply:
            """Answer one request."""
            return Reply(403, b'{"type":"urn:ietf:params:acme:error:unauthorized"}',
                         {"Content-Type": "application/problem+json", "X-Request-Id": "req-17\x7fz"})  # fmt: skip

    configure(tcl, tmp_path / "log", "debug")
    with Named(None) as server:
        tcl.eval(f"tossl::http::get {server.origin}/x?key=sesame")
    (line,) = [line for line in messages(tmp_path / "log", "debug") if "GET " in line]
    assert f"GET {server.origin}/x 403 ms=" in line
    assert "problem=unauthorized" in line
    assert "request_id=req-17?z" in line


# ---- what somebody reads who does not know the code ----


def failed(tcl: Tcl, path: Path, name: str, **options: object) -> tuple[str, dict[str, str]]:
    """The line of an issuance that failed, and the error's details."""
    configure(tcl, path)
    details = tcl.failure("obtain_certificate", name, **options).details
    (line,) = messages(path, "error")
    assert line.startswith(f"[{details['issuance']}] {name}: no certificate: ")
    return line, details


def test_a_name_that_the_ca_does_not_reach(tcl: Tcl, calm_pebble: Pebble, tmp_path: Path) -> None:
    options = {"directory": calm_pebble.directory, "webroot": tmp_path, "store": ""}
    line, _ = failed(tcl, tmp_path / "log", f"{secrets.token_hex(4)}.example.com", **options)
    assert 'errorcode="TOSSL ACME connection 400"' in line
    assert 'to_do="port 80 of the name' in line
    assert "use dns-01 with -provider" in line


def test_a_dns_provider_that_refuses(tcl: Tcl, calm_pebble: Pebble, httpreq: HttpReq, tmp_path: Path) -> None:
    dns = {"provider": "generic", "api_key": "wrong", "endpoint": httpreq.url, "propagation": "none"}
    options = {"directory": calm_pebble.directory, "store": "", "follow_cname": 0, **dns}
    line, _ = failed(tcl, tmp_path / "log", f"{secrets.token_hex(4)}.example.com", **options)
    assert 'errorcode="TOSSL DNS generic credentials"' in line
    assert "check -api_key and its rights" in line


def test_a_ca_that_is_not_there(tcl: Tcl, tmp_path: Path) -> None:
    options = {"directory": "https://127.0.0.1:9/directory", "webroot": tmp_path, "store": ""}
    line, _ = failed(tcl, tmp_path / "log", "a.example.com", **options)
    assert 'errorcode="TOSSL HTTP connect"' in line
    assert "check its address (-directory," in line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (WaitTimeout("propagation", "no"), "NS records"),
        (WaitTimeout("request", "no"), "-timeout"),
        (RetryError(60, "no"), "tries again by itself"),
        (RetryError(0, "no", "https://h.example/"), "open the page"),
        (AcmeError("no", "rateLimited", 429), "wait as long as it says"),
        (AcmeError("no", "unauthorized", 403), "account key"),
        (AcmeError("no", "unauthorized", 403, {"challenge": "dns-01"}), "TXT record"),
        (AcmeError("no", "tls", 400, {"challenge": "tls-alpn-01"}), "port 443"),
        (HttpError("dns", "no"), "/etc/resolv.conf"),
        (HttpError("tls", "no"), "clock"),
        (DnsError("hetzner", "zone", "no"), "-zone_id"),
        (ArgumentError("store", "no"), "free space"),
        (ArgumentError("domains", "no"), ""),
    ],
    ids=lambda value: " ".join(value.errorcode) if isinstance(value, TosslError) else "",
)
def test_what_to_do(error: TosslError, words: str) -> None:
    advice = advice_for(error)
    assert words in advice
    assert bool(advice) == bool(words)


# ---- where it goes ----


def test_the_file_is_its_owners_alone(tcl: Tcl, tmp_path: Path) -> None:
    configure(tcl, tmp_path / "log", "debug")
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_it_is_rotated_and_bounded(tmp_path: Path) -> None:
    LOG.configure("info", LogPlace(str(tmp_path / "log"), "log", '"log"'))
    file = next(each for each in logging.getLogger("tossl").handlers if isinstance(each, LogFile))
    file.maxBytes, file.backupCount = 2000, 2
    for number in range(100):
        log.event("tossl.test", log.INFO, f"record {number}", said="x" * 200)
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names == ["log", "log.1", "log.2"]
    assert all(each.stat().st_size <= 2000 for each in tmp_path.iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
    assert "record 99" in (tmp_path / "log").read_text()


def test_several_processes_rotate_one_file_and_lose_nothing(tmp_path: Path) -> None:
    script = (
        "import logging, sys; sys.path.insert(0, sys.argv[1])\n"
        "from tossl_acme import log; from tossl_acme.log.handlers import LOG, LogPlace\n"
        "LOG.configure('info', LogPlace(sys.argv[2], 'log', 'log'))\n"
        "file = logging.getLogger('tossl').handlers[-1]; file.maxBytes, file.backupCount = 4000, 1000\n"
        "print(flush=True); sys.stdin.readline()\n"
        "for number in range(400): log.event('tossl.test', log.INFO, f'record {sys.argv[3]}-{number}')\n"
    )
    command = [sys.executable, "-S", "-c", script, str(ROOT), str(tmp_path / "log")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    several = [subprocess.Popen([*command, str(each)], **pipes) for each in range(3)]
    for each in several:
        assert each.stdout
        each.stdout.readline()
    for each in several:
        assert each.stdin
        each.stdin.write("\n")
        each.stdin.flush()
    assert [each.communicate(timeout=60) and each.returncode for each in several] == [0, 0, 0]
    files = list(tmp_path.iterdir())
    assert len(files) > 3
    found = [line.split()[-1] for each in files for line in logged(each)]
    assert sorted(found) == sorted(f"{each}-{number}" for each in range(3) for number in range(400))


def test_a_pipe_whose_reader_stands_still_stops_nobody(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    LOG.configure("info", LogPlace(str(tmp_path / "log"), "log", '"log"'))
    for _ in range(100):  # more than it holds
        log.event("tossl.test", log.INFO, "first", said="x" * 900)
    assert len(capfd.readouterr().err.splitlines()) == 1
    while len(os.read(reader, 1 << 16)) == 1 << 16:
        pass
    log.event("tossl.test", log.INFO, "second")
    assert b"second" in os.read(reader, 1 << 16)
    os.close(reader)


def test_threads_that_configure_it_at_a_time_leave_one_place(tmp_path: Path) -> None:
    def configure_often(name: str) -> None:
        for _ in range(50):
            LOG.configure("info", LogPlace(str(tmp_path / name), name, name))

    threads = [Thread(target=configure_often, args=(str(each),)) for each in range(4)]
    pause = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    finally:
        sys.setswitchinterval(pause)
    log.event("tossl.test", log.INFO, "said")
    assert [each.name for each in tmp_path.iterdir() if each.stat().st_size] == [LOG.file]


def test_a_file_that_was_moved_away_is_made_again(tcl: Tcl, tmp_path: Path) -> None:
    configure(tcl, tmp_path / "log")
    log.event("tossl.test", log.INFO, "one")
    (tmp_path / "log").rename(tmp_path / "moved")
    log.event("tossl.test", log.INFO, "two")
    assert "two" not in (tmp_path / "moved").read_text()
    assert "two" in (tmp_path / "log").read_text()


def test_a_disk_that_is_full_is_told_once(tcl: Tcl, capfd: pytest.CaptureFixture[str]) -> None:
    configure(tcl, "/dev/full")
    for _ in range(3):
        log.event("tossl.test", log.INFO, "lost")
    assert tcl.eval("dict get [tossl::log configure] level") == "info"
    said = capfd.readouterr().err.splitlines()
    assert said == ['tossl: the log "/dev/full" cannot be written, and goes on once it can: No space left on device']


def test_a_folder_that_vanishes_harms_nothing(tcl: Tcl, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    configure(tcl, tmp_path / "folder" / "log")
    (tmp_path / "folder" / "log").unlink()
    (tmp_path / "folder").rmdir()
    log.event("tossl.test", log.INFO, "lost")
    (tmp_path / "folder").mkdir()
    log.event("tossl.test", log.INFO, "found")
    assert "found" in (tmp_path / "folder" / "log").read_text()
    assert len(capfd.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("-level loud", "level", '"loud" is no level: must be off, error, warning, info or debug'),
        ("-file /no-folder/log", "file", 'cannot write the log "/no-folder/log": No such file or directory'),
        ("-file /", "file", 'cannot write the log "/": Is a directory'),
    ],
)
def test_wrong_settings_change_nothing(tcl: Tcl, tmp_path: Path, words: str, code: str, message: str) -> None:
    configure(tcl, tmp_path / "log", "debug")
    before = tcl.eval("tossl::log configure")
    tcl.eval(f"catch {{tossl::log configure {words}}} m o")
    assert tcl.eval("set m") == message
    assert tcl.eval("dict get $o -errorcode") == f"TOSSL VALUE {code}"
    assert tcl.eval("tossl::log configure") == before


def test_the_environment_begins_it(tcl: Tcl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOSSL_LOG", f"debug:{tmp_path}/log")
    tcl.eval("tossl::http::get http://127.0.0.1:9/")
    assert any("GET http://127.0.0.1:9/ failed" in line for line in logged(tmp_path / "log"))
    monkeypatch.setenv("TOSSL_LOG", ":/a/file")
    assert tcl.eval("catch {tossl::acme::list_certificates -store {}} m o")
    assert tcl.eval("dict get $o -errorcode") == "TOSSL VALUE TOSSL_LOG"
    monkeypatch.setenv("TOSSL_LOG", "loud")
    tcl.eval("catch {tossl::http::get http://127.0.0.1:9/} m o")
    assert tcl.eval("dict get $o -errorcode") == "TOSSL VALUE TOSSL_LOG"
    assert tcl.eval("set m").startswith('TOSSL_LOG in the environment: "loud" is no level: must be off, error, ')


def test_standard_error_and_the_journal(tmp_path: Path) -> None:
    script = (
        "import os, sys; sys.path.insert(0, sys.argv[1])\n"
        "status = os.fstat(2); os.environ['JOURNAL_STREAM'] = sys.argv[2] or f'{status.st_dev}:{status.st_ino}'\n"
        "from tossl_acme import log; from tossl_acme.log.handlers import LOG, STDERR\n"
        "LOG.configure('info', STDERR)\n"
        "for level in (40, 30, 20, 10): log.event('tossl.test', level, 'said\\nso')\n"
    )
    said = [
        subprocess.run([sys.executable, "-c", script, ROOT, stream], capture_output=True, text=True, check=True).stderr
        for stream in ("", "1:1")
    ]
    assert said[0].splitlines() == [f"<{number}>tossl.test said so" for number in (3, 4, 6)]
    assert [line[24:] for line in said[1].splitlines()] == [
        f" {word:7} tossl.test said so" for word in ("error", "warning", "info")
    ][: len(said[1].splitlines())]
    assert len(said[1].splitlines()) == 3


def test_a_python_host_sees_it_too(caplog: pytest.LogCaptureFixture, tcl: Tcl) -> None:
    """With nothing configured here."""
    with caplog.at_level(logging.DEBUG, logger="tossl"):
        tcl.eval("tossl::http::get http://127.0.0.1:9/?key=sesame")
    (record,) = [each for each in caplog.records if each.name == "tossl.http"]
    assert record.levelno == logging.DEBUG
    assert "127.0.0.1:9/ failed" in record.getMessage()
    assert record.__dict__["tossl"].keys() == {"ms", "error"}
    assert "sesame" not in caplog.text


def test_nobody_who_asked_for_nothing_hears_of_it(capfd: pytest.CaptureFixture[str]) -> None:
    Context(5).begin().warn("warning", warning="test", message="something")
    assert capfd.readouterr() == ("", "")


def test_without_a_log_logging_is_not_loaded() -> None:
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from tossl_acme.context import Context\n"
        "Context(5).begin().tell('step'); print('logging' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-S", "-c", script, ROOT], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---- the prefix ----


def prefixed(tcl: Tcl, level: str = "debug") -> list[tuple[str, str, dict[str, str]]]:
    """The records that a script's prefix gets."""
    got: list[tuple[str, str, dict[str, str]]] = []
    tcl.create("note", lambda level, message, facts: got.append((level, message, tcl.as_dict(facts))))
    tcl.eval(f"tossl::log configure -level {level} -prefix note")
    return got


def test_a_prefix_gets_level_message_and_dict(tcl: Tcl) -> None:
    got = prefixed(tcl)
    tcl.eval("tossl::http::get http://127.0.0.1:9/")
    (level, message, facts) = got[-1]
    assert (level, facts["logger"]) == ("debug", "tossl.http")
    assert message.startswith("GET http://127.0.0.1:9/ failed ms=")
    assert "Connection refused" in facts["error"]


def test_a_job_calls_it_from_the_event_loop(tcl: Tcl) -> None:
    got = prefixed(tcl)
    tcl.eval("set job [tossl::http::get http://127.0.0.1:9/ -command {set ::done}]")
    assert not [message for _, message, _ in got if "GET" in message]
    tcl.eval("vwait ::done")
    assert [message for _, message, _ in got if "GET" in message]


def test_it_is_never_called_in_the_middle_of_a_command(tcl: Tcl) -> None:
    """Not by a command that a callback calls, nor by its event loop."""
    tcl.eval("proc note args {lappend ::order log}; tossl::log configure -level debug -prefix note")
    tcl.eval("proc step args {tossl::http::get http://127.0.0.1:9/; update; lappend ::order in}")
    tcl.eval("tossl::http::get http://127.0.0.1:9/ -progress step")
    assert tcl.eval("set order").startswith("in log log")


def test_what_a_prefix_does_itself_is_not_told_to_it(tcl: Tcl) -> None:
    tcl.eval("proc note args {incr ::calls; tossl::http::get http://127.0.0.1:9/}; set calls 0")
    tcl.eval("tossl::log configure -level debug -prefix note; tossl::http::get http://127.0.0.1:9/")
    assert tcl.eval("set calls") == "2"


def test_an_error_of_a_prefix_is_told_once_and_harms_nothing(tcl: Tcl) -> None:
    tcl.eval("proc note args {error sorry}; proc bg {message options} {lappend ::told $message}")
    tcl.eval("interp bgerror {} bg; tossl::log configure -level debug -prefix note")
    for _ in range(2):
        assert tcl.eval("dict get [tossl::http::get http://127.0.0.1:9/] status_code") == "0"
    tcl.eval("update")
    assert tcl.eval("set told") == "sorry"


def test_an_empty_prefix_and_a_deleted_interpreter_end_it(tcl: Tcl, certificates: Certificates) -> None:
    got = prefixed(tcl)
    assert tcl.eval("dict get [tossl::log configure] prefix") == "note"
    tcl.eval("tossl::log configure -prefix {}")
    assert not log.has_readers()
    tcl.eval("tossl::http::get http://127.0.0.1:9/")
    assert got == []


# ---- no secrets ----


SECRET_WORDS = ("sesame-query", "sesame-proxy", "sesame-api", "c2VzYW1lLWVhYi1obWFjLWtleS1vZi10aGlydHktdHdvLWJ5dGVz")


def test_urls_and_keys_in_texts_lose_their_secrets(tmp_path: Path) -> None:
    LOG.configure("debug", LogPlace(str(tmp_path / "log"), "log", '"log"'))
    key = new_key()
    log.event("tossl.test", log.INFO, f"see https://u:sesame@h.example/p?nonce=sesame#x, and {key} there", "0a",
              url="socks5://u:sesame@h/", many=["https://h/?sesame"], of={"key": "sesame"},
              long="x" * 9000)  # fmt: skip
    log.event("tossl.test", log.INFO, "control\x1b[31m\r\n\x00\u202e")
    lines = logged(tmp_path / "log")
    assert "sesame" not in "".join(lines)
    assert "see https://h.example/p, and (hidden)  there url=socks5://h/ many=https://h/" in lines[0]
    assert len(lines) == 2
    assert max(map(len, lines)) < MAX_SAID_CHARS + 100
    assert lines[1].isprintable()


@pytest.mark.parametrize("proxy", ["http://u:ses/ame@127.0.0.1:9", "http://u:ses?ame@127.0.0.1:9", "x://u:sesame@h"])
def test_a_proxy_of_the_environment_is_not_shown(tcl: Tcl, proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    failure = tcl.failure("directory", "https://ca.example/directory")
    assert failure.code == ("TOSSL", "VALUE", "proxy")
    assert failure.message.startswith("the environment's proxy for https://ca.example/directory must be http://host:port")
    assert "ses" not in failure.message + failure.info + str(failure.details)


class Echoing(LookAlike):
    """A DNS API that refuses, with all that it got."""

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        said = " ".join([request.target, *request.headers.values(), request.body.decode()])
        return Reply(401, json.dumps({"type": said, "detail": said, "message": said}).encode(),
                     {"Content-Type": "application/problem+json"})  # fmt: skip


@pytest.mark.parametrize("who", ["nobody", "ca", "provider"])
def test_no_secret_of_any_kind_is_anywhere(
    tcl: Tcl, calm_pebble: Pebble, httpreq: HttpReq, tmp_path: Path, capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch, who: str,
) -> None:  # fmt: skip
    """In what is logged, told to prefixes, printed, in the store but its keys, and in a hook's environment.

    who: refuses. The provider says all that it got.
    """
    is_well = who == "nobody"
    configure(tcl, tmp_path / "log", "debug")
    told: list[str] = []
    tcl.create("note", lambda *words: told.extend(map(str, words)))
    tcl.eval("tossl::log configure -prefix note")
    account, leaf = new_key(), new_key()
    monkeypatch.setenv("TOSSL_TEST_API_KEY", httpreq.token if is_well else "sesame-api")
    monkeypatch.setenv("HTTP_PROXY", "http://u:sesame-proxy@127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    (tmp_path / "eab").write_text(SECRET_WORDS[-1])
    hook = f"env > {tmp_path}/hook-env; tr '\\0' ' ' < /proc/$$/cmdline > {tmp_path}/hook-argv"
    options = {
        "directory": calm_pebble.directory, "store": tmp_path / "store", "account_key": account,
        "private_key": leaf, "eab_kid": "kid", "eab_hmac_key_file": tmp_path / "eab", "provider": "generic",
        "propagation": "none",
        "api_key_env": "TOSSL_TEST_API_KEY", "follow_cname": 0, "progress": "note", "deploy_command": hook,
    }  # fmt: skip
    with Echoing(None) as refusing:
        if who != "ca":  # it has no such binding
            del options["eab_kid"], options["eab_hmac_key_file"]
        options["endpoint"] = httpreq.url if is_well else refusing.origin
        result = tcl.try_acme("obtain_certificate", f"{secrets.token_hex(4)}.example.com", **options)
    tcl.eval("tossl::http::get http://nobody.example/?nonce=sesame-query")
    if is_well:
        assert isinstance(result, str), result
        told.append((tmp_path / "hook-argv").read_text())
        environment = (tmp_path / "hook-env").read_text().replace(f"TOSSL_TEST_API_KEY={httpreq.token}", "")
        told.append(environment.replace("sesame-proxy", ""))  # both are this process's own variables
    else:
        assert not isinstance(result, str)
        told += [result.message, result.info, *result.details.keys(), *result.details.values()]
        assert "sesame-api" not in "".join(result.details.values())
    told += [*capfd.readouterr(), (tmp_path / "log").read_text()]
    told += [each.read_text() for each in (tmp_path / "store").rglob("*.json") if each.is_file()]
    everything = "\n".join(told)
    lines_of_keys = [line for key in (account, leaf) for line in key.splitlines() if "-----" not in line]
    for secret in (*SECRET_WORDS, httpreq.token, *lines_of_keys):
        assert secret not in everything, secret
    assert "POST" in everything
    assert ("_acme-challenge" in everything) == (who != "ca")


def test_an_unstored_certificates_key_is_in_no_log(tcl: Tcl, calm_pebble: Pebble, tmp_path: Path) -> None:
    """The error's details have it, as they must."""
    configure(tcl, tmp_path / "log", "debug")
    hidden = "-----BEGIN PRIVATE KEY-----\nsesame\n-----END PRIVATE KEY-----\n"
    context = Context(5).begin()
    context.event("tossl.test", log.INFO, str(TosslError(f"a message with {hidden}").message))
    context.tell("step", private_key=hidden, problem={"nonce": "sesame"})
    assert "sesame" not in (tmp_path / "log").read_text()


# ---- the terminal tool ----


def test_log_file_of_the_terminal_tool(tmp_path: Path, scripted_ca: ScriptedCa, certificates: Certificates) -> None:
    tclsh, bundle = os.environ.get("TCLSH", "tclsh"), certificates.ca_bundle
    command = [tclsh, ROOT / "bin" / "tossl", "directory", scripted_ca.directory, "--ca-bundle", bundle]
    command += ["--config", "", "--log-file", tmp_path / "log", "--log-level", "debug"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ)
    assert any(f"GET {scripted_ca.directory} 200 ms=" in line for line in logged(tmp_path / "log"))
    command[-3] = "/no-folder/log"
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 2
    assert 'cannot write the log "/no-folder/log"' in done.stderr


def test_nothing_is_left_configured() -> None:
    LOG.configure("off", NOWHERE)
    assert not log.wants("tossl.acme", log.ERROR)
