"""tossl::doctor where little works: no time, no answers, nobody who listens, stores without files, wrong options."""

from __future__ import annotations

import contextlib
import http.server
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

import dns.message
import dns.name
import dns.rcode
import pytest

from tests.memory_store import MemoryStore
from tests.python.test_doctor import Found, kept, not_found, of, one_of, web_server, wrong
from tests.python.test_doctor import doctor as doctor
from tests.python.test_doctor import http_port as http_port
from tests.servers.certs import Certificates
from tests.servers.cloudflare import Cloudflare
from tests.servers.pebble import ChallTestSrv
from tests.servers.process import free_port
from tests.servers.scripted_ca import ScriptedCa
from tests.servers.scripted_dns import ScriptedDns
from tests.servers.web import Reply
from tests.tclhost import Tcl
from tossl_acme.acme import clients
from tossl_acme.certificates.answers import StoredAnswers
from tossl_acme.certificates.doctor import examine, reached, resolving
from tossl_acme.certificates.doctor.chosen import Given, examination
from tossl_acme.certificates.doctor.subjects import Examination
from tossl_acme.challenges import seen
from tossl_acme.challenges.elsewhere import BY_TOKEN
from tossl_acme.challenges.solver import SolverOptions
from tossl_acme.context import Context
from tossl_acme.dns.resolver import Nameserver, Resolver
from tossl_acme.http.options import ConnectionOptions


def test_a_store_without_files(context: Context) -> None:
    examined = Examination(MemoryStore(), ConnectionOptions(), (), ())
    found = [one.as_dict() for one in examine(context, examined)]
    assert [(one["check"], one["status"]) for one in found if one["check"] in ("store", "records")] == [
        ("store", "ok"),
        ("records", "ok"),
    ]
    assert not [one for one in found if one["check"] in ("owner", "space", "rights")]


def test_a_store_that_nobody_can_read(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path
) -> None:
    """That is told once, and not taken for a store without certificates."""
    (tmp_path / "store" / "certificates").mkdir(parents=True)
    (tmp_path / "store" / "format").write_text("99\n")
    options = {"store": tmp_path / "store", "resolvers": challtestsrv.dns}
    found = doctor(["a.example.com"], **options)
    assert wrong(found) == [("store", "failed"), ("ca", "warning"), ("options", "failed")]
    assert "the store is of a later version" in one_of(found, "options")["message"]
    found = doctor(["a.example.com"], **options, port=http_port)
    assert one_of(found, "port")["status"] == "ok"


def test_no_advice_takes_rights_from_what_is_everybodys_or_no_store(
    doctor: Callable[..., Found], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o1777)
    assert not [one for one in doctor([], store=tmp_path / "file") if "chmod" in one["advice"]]
    (rights,) = [one for one in doctor([], store=tmp_path / "open") if one["check"] == "rights"]
    assert rights["advice"] == "name a folder for tossl alone: -store"


def test_another_node_answers(context: Context, challtestsrv: ChallTestSrv, http_port: int) -> None:
    """The name leads to it; it looks in the store that both have. Nothing is left there."""
    store = MemoryStore(is_shared=True)

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        found = StoredAnswers(store).find(BY_TOKEN, handler.path.rpartition("/")[2])
        body = found.key_authorization.encode() if found else b""
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    options = SolverOptions(port=f"127.0.0.2:{http_port}", resolvers=(challtestsrv.dns,))
    given = Given(lambda: ([], None), lambda: options, ConnectionOptions(), {})
    with web_server(http_port, "127.0.0.1", answer):
        examined = examination(context, ["fleet.example.com"], store, given, {}, counts=False)
        found = [one for one in examine(context, examined) if one.check == "port"]
    assert [one.status for one in found] == ["ok"]
    assert not list(store.list("answers"))


def test_no_time_is_a_warning_of_each_look(doctor: Callable[..., Found], tmp_path: Path) -> None:
    begun = time.monotonic()
    with ScriptedDns(lambda _query, _by_tcp: None) as server:
        found = doctor(["slow.example.com"], webroot=tmp_path, resolvers=server.address, timeout=1)
    assert time.monotonic() - begun < 8
    assert one_of(found, "python")["status"] == one_of(found, "options")["status"] == "ok"
    late = [one for one in found if "slow.example.com" in one["subject"] and one["status"] != "ok"]
    assert late and {one["check"] for one in late} <= {"port", "addresses"}


def refused(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.REFUSED)
    return response


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "the machine's"])
def test_a_resolver_that_refuses(
    doctor: Callable[..., Found], cloudflare: Cloudflare, monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
    is_named: bool,
) -> None:  # fmt: skip
    """Nothing is said of zones, of which nothing is known."""
    with ScriptedDns(refused) as server:
        host, _, port = server.address.rpartition(":")
        at = Nameserver(host.strip("[]"), int(port), host.strip("[]"))
        if not is_named:
            monkeypatch.setattr(resolving, "resolver_for", lambda _resolvers: Resolver([at]))
            monkeypatch.setattr(reached, "resolver_for", lambda _resolvers: Resolver([at]))
        by_web = doctor(["dark.example.com"], webroot=tmp_path, resolvers=server.address)
        by_dns = doctor(
            ["dark.example.com"], provider="cloudflare", api_key="k", endpoint=cloudflare.url,
            resolvers=server.address,
        )  # fmt: skip
    bad = one_of(by_web, "addresses")
    whose = "the resolver that -resolvers" if is_named else "this machine's resolver (127.0.0.1) does not answer"
    assert bad["status"] == "failed" and whose in bad["message"], bad
    assert ("name another" if is_named else "/etc/resolv.conf") in bad["advice"]
    others = [one for one in by_dns if one["check"] in ("cname", "txt", "credentials")]
    assert {one["check"] for one in others} == {"cname", "txt", "credentials"}
    assert all(whose in one["advice"] for one in others), others
    assert not any("zone's" in one["advice"] for one in by_web + by_dns)


@pytest.mark.parametrize("is_offline", [True, False], ids=["offline", "one zone"])
def test_a_resolver_that_cannot_look_up(doctor: Callable[..., Found], tmp_path: Path, is_offline: bool) -> None:
    """A machine's own resolver answers SERVFAIL while it is offline, and where a zone's servers are away."""

    def answer(query: dns.message.Message, _by_tcp: bool) -> dns.message.Message:
        response = dns.message.make_response(query)
        if is_offline or query.question[0].name != dns.name.root:
            response.set_rcode(dns.rcode.SERVFAIL)
        return response

    with ScriptedDns(answer) as server:
        bad = one_of(doctor(["away.example.com"], webroot=tmp_path, resolvers=server.address), "addresses")
    assert bad["status"] == "failed"
    assert ("not even the root of the DNS" in bad["message"]) == is_offline, bad
    assert ("servers of its zone" in bad["advice"]) != is_offline, bad


def test_many_addresses_are_not_all_asked(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int
) -> None:
    name = "many.example.com"
    challtestsrv.add_a(name, *(f"127.0.1.{number}" for number in range(1, 101)))
    challtestsrv.add_aaaa(name, "::1")
    found = doctor([name], port=f"127.0.0.2:{http_port}", resolvers=challtestsrv.dns)
    assert [one["subject"] for one in of(found, "port")] == [name] * 9
    left = [one for one in of(found, "addresses") if "left_out" in one["facts"]]
    assert [one["message"] for one in left] == ["9 of its 101 addresses are asked, 92 are left out"]
    assert "and 85 more" in of(found, "addresses")[0]["message"]


def test_addresses_that_no_ca_reaches(
    doctor: Callable[..., Found], scripted_ca: ScriptedCa, challtestsrv: ChallTestSrv, http_port: int
) -> None:
    """Where no CA is named, it may be a public one. Nobody is asked at an address that names no server."""
    name, options = "near.example.com", {"port": f"127.0.0.1:{http_port}", "resolvers": challtestsrv.dns}
    challtestsrv.add_aaaa(name, "fe80::1")
    challtestsrv.add_a(name, "0.0.0.0", "127.0.0.1")
    own = {**options, "directory": scripted_ca.directory}
    (bad,) = of(doctor([name], **own), "addresses")
    assert (bad["status"], "no CA can reach fe80::1, 0.0.0.0" in bad["message"]) == ("failed", True), bad
    found = doctor([name], **own)
    assert [one["message"] for one in of(found, "port")] == [f"port {http_port} at 127.0.0.1 (A) answers the token"]
    challtestsrv.clear_aaaa(name)
    challtestsrv.clear_a(name)
    challtestsrv.add_a(name, "127.0.0.1")
    private = one_of(doctor([name], **options), "addresses")
    assert private["status"] == "warning" and "no public CA can reach 127.0.0.1" in private["message"]
    assert one_of(doctor([name], **own), "addresses")["status"] == "ok"


@pytest.mark.parametrize("said", [b"SSH-2.0-OpenSSH_9.2\r\n", b"", None], ids=["ssh", "broken off", "silence"])
def test_what_listens_is_no_web_server(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, said: bytes | None,
) -> None:  # fmt: skip
    monkeypatch.setattr(seen, "LOOK_SECONDS", 1.0)
    over = threading.Event()

    class Other(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if said is None:
                over.wait(20)
            else:
                self.request.sendall(said)

    with socketserver.ThreadingTCPServer(("127.0.0.1", http_port), Other) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        found = doctor(["other.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns)
        over.set()
        server.shutdown()
    bad = one_of(found, "port")
    assert f"what listens at port {http_port} is no web server, or answers too late" in bad["advice"], bad
    assert "webroot" not in bad["advice"]


def test_a_port_that_drops_packets_is_not_reached(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    """A full queue does as a firewall: connections are neither accepted nor refused."""
    monkeypatch.setattr(seen, "LOOK_SECONDS", 0.5)
    monkeypatch.setattr(seen, "CONNECT_SECONDS", 0.5)
    with contextlib.ExitStack() as stack:
        stack.enter_context(socket.create_server(("127.0.0.1", http_port), backlog=0))
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(("127.0.0.1", http_port))
        found = doctor(["dropped.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns)
    bad = one_of(found, "port")
    assert "is closed" in bad["message"] and "no connection within" in bad["message"], bad
    assert "open the firewall" in bad["advice"]


def test_a_cancelled_call_leaves_nothing(tcl: Tcl, challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path) -> None:
    """A server that never answers is asked; the job is cancelled meanwhile."""
    asked, over = threading.Event(), threading.Event()

    def hold(_handler: http.server.BaseHTTPRequestHandler) -> None:
        asked.set()
        over.wait(20)

    with web_server(http_port, "127.0.0.1", hold):
        job = tcl.eval(
            f"::tossl::doctor held.example.com -webroot {{{tmp_path}}} -resolvers {challtestsrv.dns}"
            " -store {} -command {set ::done}"
        )
        assert asked.wait(10)
        assert (tmp_path / ".well-known").exists()
        tcl.eval(f"::tossl::job::cancel {job}; vwait ::done")
        over.set()
    assert tcl.eval(f"::tossl::job::status {job}") == "cancelled"
    assert not (tmp_path / ".well-known").exists()


def test_a_ca_that_is_away_is_told_once(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int
) -> None:
    away = f"https://127.0.0.1:{free_port()}/dir"
    options = {"directory": away, "resolvers": challtestsrv.dns}
    found = doctor(["away.example.com"], **options, port=http_port)
    assert wrong(found) == [("ca", "failed")]
    assert "cannot connect" in one_of(found, "ca")["message"]
    assert one_of(found, "port")["status"] == "ok"


def test_a_ca_with_a_fault_is_not_taken_for_another_server(
    doctor: Callable[..., Found], scripted_ca: ScriptedCa
) -> None:
    scripted_ca.answers["/directory"].extend([Reply(502, b"<html>", {"Content-Type": "text/html"})] * 4)
    bad = one_of(doctor(directory=scripted_ca.directory), "ca")
    assert "answered 502" in bad["message"]
    assert "try again later" in bad["advice"] and "check -directory" not in bad["advice"]


def test_what_its_challenges_cannot_prove(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, tmp_path: Path
) -> None:
    found = doctor(["*.wild.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns)
    assert "a wildcard is proven through the DNS alone" in one_of(found, "challenge")["message"]
    found = doctor(["192.0.2.1"], challenge="dns-persist-01", resolvers=challtestsrv.dns)
    assert "no DNS record proves an address" in one_of(found, "challenge")["message"]
    found = doctor(["gone.example.com"], webroot=tmp_path / "gone", resolvers=challtestsrv.dns)
    assert ("options", "failed") in wrong(found)
    assert "there is no folder" in one_of(found, "options")["message"]


def test_names_that_no_public_ca_issues_for(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, tmp_path: Path
) -> None:
    """Nor does it reach private addresses. The CA itself is not there: its proxy refuses."""
    away = {"directory": "letsencrypt", "proxy": f"http://127.0.0.1:{free_port()}", "resolvers": challtestsrv.dns}
    found = doctor(["printer.local", "www.example.com", "192.168.0.1"], **away, webroot=tmp_path)
    assert {one["subject"] for one in of(found, "challenge")} == {"printer.local", "192.168.0.1"}
    assert "no public CA can reach 127.0.0.1" in one_of(found, "addresses", "www.example.com")["message"]


@pytest.mark.parametrize(
    ("location", "server", "said"),
    [
        ("http://{name}.well-known/acme-challenge/x", "nginx", "lacks a slash"),
        ("", "cloudflare", "Cloudflare's proxy"),
        ("https://{name}{path}", "nginx", "port 443 speaks HTTP without TLS"),
    ],
    ids=["slash", "cloudflare", "no tls"],
)
def test_answers_that_tell_their_cause(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path, location: str, server: str, said: str,
) -> None:  # fmt: skip
    monkeypatch.setitem(seen.PORTS, "https", http_port)
    name = "telling.example.com"

    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response_only(HTTPStatus.FOUND if location else HTTPStatus.FORBIDDEN)
        handler.send_header("Server", server)
        if location:
            handler.send_header("Location", location.format(name=name, path=handler.path))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with web_server(http_port, "127.0.0.1", answer):
        found = doctor([name], webroot=tmp_path, resolvers=challtestsrv.dns)
    (bad,) = [one for one in found if one["status"] == "failed"]
    assert said in bad["advice"], bad


def test_a_page_that_speaks_of_a_redirect_is_none(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path
) -> None:
    def answer(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(HTTPStatus.OK)
        handler.end_headers()
        handler.wfile.write(b"You will be redirected to our new home")

    with web_server(http_port, "127.0.0.1", answer):
        found = doctor(["page.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns)
    assert "redirected" in one_of(found, "port")["message"]
    assert one_of(found, "port")["status"] == "failed"


def test_a_port_that_another_program_has(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int
) -> None:
    with web_server(http_port, "127.0.0.1", not_found):
        found = doctor(["taken.example.com"], port=f"127.0.0.1:{http_port}", resolvers=challtestsrv.dns)
    taken = one_of(found, "port")
    assert taken["status"] == "failed"
    assert "free the port, or give another -port or -webroot" in taken["advice"]


def test_a_redirect_to_https_is_followed_whatever_its_certificate(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, certificates: Certificates, http_port: int,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    """As CAs do; and no proxy is asked, which a CA does not know either."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    port = free_port()
    monkeypatch.setitem(seen.PORTS, "https", port)

    def redirect(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(HTTPStatus.MOVED_PERMANENTLY)
        handler.send_header("Location", f"https://safe.example.com{handler.path}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    class Files(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(tmp_path))  # type: ignore[arg-type]

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Files) as server:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificates.cert, certificates.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        with web_server(http_port, "127.0.0.1", redirect):
            found = doctor(["safe.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns, ca_bundle="")
        server.shutdown()
    assert one_of(found, "port")["status"] == "ok"
    assert f"over https://safe.example.com:{port}/" in one_of(found, "port")["message"]


def test_a_permanent_record_that_ends_soon(
    doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, challtestsrv: ChallTestSrv, tmp_path: Path
) -> None:
    """It names the account that the store knows."""
    kept(tcl, scripted_ca, tmp_path / "store")
    scripted_ca.script.caa_identities = ("ca.example",)
    clients.reset()
    given = {"directory": scripted_ca.directory, "challenge": "dns-persist-01", "resolvers": challtestsrv.dns}
    options = {**given, "store": tmp_path / "store"}
    # The directory that the store keeps has no caaIdentities yet.
    for path in (tmp_path / "store").glob("accounts/*/directory.json"):
        path.unlink()
    account = dict(tcl.as_dict(one_of(doctor(["b.example"], **options), "account")["facts"]))["account"]
    assert one_of(doctor(["b.example"], **options), "persist")["status"] == "failed"
    challtestsrv.set_txt("_validation-persist.b.example.b.example", "typed with its zone")
    doubled = one_of(doctor(["b.example"], **options), "persist")
    assert "stands at _validation-persist.b.example.b.example: leave the zone out of its name" in doubled["advice"]
    ends = int(time.time()) + 86400
    value = f"ca.example; accounturi={account}; persistUntil={ends}"
    challtestsrv.set_txt("_validation-persist.b.example", value)
    soon = one_of(doctor(["b.example"], **options), "persist")
    assert (soon["status"], soon["facts"]) == ("warning", f"ends {ends}")
    challtestsrv.clear_txt("_validation-persist.b.example")
    challtestsrv.set_txt("_validation-persist.b.example", value.partition("; persist")[0])
    assert one_of(doctor(["b.example"], **options), "persist")["status"] == "ok"


def test_a_server_of_the_script_that_does_not_ask(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int
) -> None:
    with web_server(http_port, "127.0.0.1", not_found):
        found = doctor(["own.example.com"], http01_response=1, resolvers=challtestsrv.dns)
    assert "nothing in this process has asked tossl::acme::http01_response" in one_of(found, "port")["advice"]


def test_a_server_of_another_program(
    doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, challtestsrv: ChallTestSrv, http_port: int,
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path,
) -> None:  # fmt: skip
    """What it would answer to its own challenges is not known here."""
    monkeypatch.setenv("TOSSL_RESOLVERS", challtestsrv.dns)
    kept(tcl, scripted_ca, tmp_path / "store", "other.example.com", http01_response=1)
    with web_server(http_port, "127.0.0.1", not_found):
        found = doctor(store=tmp_path / "store")
    assert [check for check, _status in wrong(found)] == ["renewal", "port"]
    assert one_of(found, "port")["status"] == "warning"


def test_no_secret_is_told(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, cloudflare: Cloudflare, tmp_path: Path
) -> None:
    secret = "Sup3rSecretApiKeyValue99"
    found = doctor(
        ["a.example.com"], provider="cloudflare", api_key=secret, endpoint=cloudflare.url,
        resolvers=challtestsrv.dns, store=tmp_path / "store", eab_kid="k", follow_cname=0, eab_hmac_key=secret,
        directory=f"https://127.0.0.1:{free_port()}/dir",
    )  # fmt: skip
    assert [check for check, _status in wrong(found)] == ["ca", "credentials"]
    assert secret not in str(found)


def test_a_record_that_cannot_be_removed_is_named(tcl: Tcl, doctor: Callable[..., Found]) -> None:
    """A provider that writes, and refuses to delete."""
    tcl.eval("set ::values {}; proc keep {name value} {lappend ::values $value}; proc refuse args {error forbidden}")
    tcl.eval("::tossl::dns::register stubborn -present keep -cleanup refuse")
    found = doctor(["left.example.com"], provider="stubborn", propagation="none", follow_cname=0, store="")
    bad = one_of(found, "credentials")
    assert (bad["status"], "forbidden" in bad["message"]) == ("failed", True)
    value = tcl.eval("lindex $::values 0")
    assert value and f"remove the TXT record {value} at _acme-challenge.left.example.com by hand" in bad["advice"]


def test_wrong_options_are_findings_of_a_kept_certificate(
    doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path
) -> None:
    """A secret's file that is gone. Options that are given count where that is said."""
    key = tmp_path / "api-key"
    key.write_text("token")
    scripted_ca.script.authorization = "valid"
    kept(tcl, scripted_ca, tmp_path / "store", provider="cloudflare", api_key_file=key)
    key.unlink()
    found = doctor(store=tmp_path / "store")
    assert ("options", "failed") in wrong(found)
    assert "api-key" in one_of(found, "options")["message"]
    found = doctor(["a.example"], store=tmp_path / "store", challenge="dns-persist-01", as_kept=0)
    assert one_of(found, "options")["status"] == "ok"
    assert of(found, "persist")
