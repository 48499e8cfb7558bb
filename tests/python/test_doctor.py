"""Broken set-ups, each named rightly by tossl::doctor; it orders nothing, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import dns.name
import dns.update
import pytest

from tests.servers.bind import Bind
from tests.servers.cloudflare import Cloudflare
from tests.servers.faults import FaultProxy
from tests.servers.pebble import ChallTestSrv, Pebble
from tests.servers.process import free_port
from tests.servers.scripted_ca import ScriptedCa
from tests.tclhost import Tcl
from tossl_acme.acme import clients
from tossl_acme.certificates import clock
from tossl_acme.certificates.doctor import reached, stored
from tossl_acme.challenges import seen

Found = list[dict[str, str]]


@pytest.fixture
def doctor(tcl: Tcl) -> Callable[..., Found]:
    """Calls tossl::doctor for names, with options."""
    tcl.eval("interp alias {} ::tossl::acme::doctor {} ::tossl::doctor")
    return lambda names=(), **options: tcl.dicts(tcl.acme("doctor", list(names), **options))


@pytest.fixture
def http_port(monkeypatch: pytest.MonkeyPatch) -> int:
    """A free port, which stands for port 80 of every name here."""
    port = free_port()
    monkeypatch.setitem(seen.PORTS, "http", port)
    return port


def of(found: Found, check: str, subject: str = "") -> list[dict[str, str]]:
    return [one for one in found if one["check"] == check and subject in one["subject"]]


def wrong(found: Found) -> list[tuple[str, str]]:
    """The checks that found something, with their status."""
    return [(one["check"], one["status"]) for one in found if one["status"] != "ok"]


def one_of(found: Found, check: str, subject: str = "") -> dict[str, str]:
    (one,) = of(found, check, subject)
    return one


@contextlib.contextmanager
def web_server(port: int, host: str, answer: Callable[[http.server.BaseHTTPRequestHandler], None]) -> Iterator[None]:
    """A web server of somebody else."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    with Server((host, port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


def not_found(handler: http.server.BaseHTTPRequestHandler) -> None:
    handler.send_error(HTTPStatus.NOT_FOUND)


def test_nothing_is_wrong(
    doctor: Callable[..., Found], calm_proxy: FaultProxy, challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path
) -> None:
    """The token is asked for over each address, and the CA for its directory alone."""
    challtestsrv.add_aaaa("well.example.com", "::1")
    challtestsrv.add_a("well.example.com", "127.0.0.1")
    options = {"directory": calm_proxy.directory, "port": http_port, "resolvers": challtestsrv.dns}
    found = doctor(["well.example.com"], **options, store=tmp_path / "store")
    assert wrong(found) == []
    assert [one["message"] for one in of(found, "port")] == [
        f"port {http_port} at ::1 (AAAA) answers the token",
        f"port {http_port} at 127.0.0.1 (A) answers the token",
    ]
    assert one_of(found, "addresses")["facts"] == "addresses {::1 127.0.0.1}"
    assert "its TLS certificate is of" in one_of(found, "ca")["message"]
    assert "a new account agrees to" in one_of(found, "terms")["message"]
    assert {"python", "libraries", "tcl", "clock", "account", "held", "limits", "caa"} >= {
        one["check"] for one in found
    } - {"ca", "terms", "store", "space", "addresses", "port", "options"}
    assert {one.method for one in calm_proxy.seen()} <= {"GET", "HEAD"}
    assert not (tmp_path / "store").exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", http_port))


# ---- the ten broken set-ups ----


def test_a_closed_port(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path
) -> None:
    found = doctor(["closed.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns)
    assert wrong(found) == [("ca", "warning"), ("addresses", "warning"), ("port", "failed")]
    closed = one_of(found, "port")
    assert f"port {http_port} at 127.0.0.1 (A) is closed, and the address is this machine's" in closed["message"]
    assert "dns-01" in closed["advice"] and "dns-persist-01" in closed["advice"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_there", [True, False], ids=["another server", "nobody"])
def test_a_wrong_aaaa(doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, is_there: bool) -> None:
    name = f"aaaa{is_there}.example.com".lower()
    challtestsrv.add_aaaa(name, "::1")
    with web_server(http_port, "::1", not_found) if is_there else contextlib.nullcontext():
        found = doctor([name], port=f"127.0.0.1:{http_port}", resolvers=challtestsrv.dns)
    bad, good = of(found, "port")
    assert (bad["status"], good["status"]) == ("failed", "ok")
    assert f"port {http_port} at ::1 (AAAA)" in bad["message"]
    assert ("HTTP status 404" if is_there else "is closed") in bad["message"]
    assert not is_there or "the AAAA record leads to another server: correct it, or remove it" in bad["advice"]


def test_caa_forbids(doctor: Callable[..., Found], scripted_ca: ScriptedCa, challtestsrv: ChallTestSrv) -> None:
    challtestsrv.add_caa("caa.example.com", "other.example")
    challtestsrv.add_caa("methods.example.com", "ca.example; validationmethods=http-01")
    challtestsrv.add_caa("account.example.com", "ca.example; accounturi=https://ca.example/acct/1")
    scripted_ca.script.caa_identities = ("ca.example",)
    names = ["caa.example.com", "free.example.com", "methods.example.com", "account.example.com"]
    options = {"directory": scripted_ca.directory, "challenge": "dns-persist-01", "resolvers": challtestsrv.dns}
    found = doctor(names, **options)
    assert one_of(found, "caa", "caa.")["status"] == "failed"
    assert 'CAA 0 issue "other.example" does not allow the CA' in one_of(found, "caa", "caa.")["message"]
    assert 'set caa.example.com. CAA 0 issue "ca.example"' in one_of(found, "caa", "caa.")["message"]
    assert one_of(found, "caa", "free.")["status"] == "ok"
    assert "does not allow this account or challenge type" in one_of(found, "caa", "methods.")["message"]
    # Whether it is this account is not known before it is made.
    assert one_of(found, "caa", "account.")["status"] == "warning"
    # No account is made for it.
    assert {one["status"] for one in of(found, "persist")} == {"failed"}
    assert scripted_ca.payloads("new-account") == scripted_ca.payloads("new-order") == []


def test_a_cname_loop(doctor: Callable[..., Found], bind: Bind, asking_bind: None) -> None:
    name = dns.name.from_text("_acme-challenge.loop.example.com")

    def add(update: dns.update.UpdateMessage, _at: dns.name.Name) -> None:
        update.add(name, 1, "CNAME", "b.loop.example.com.")
        update.add("b.loop.example.com.", 1, "CNAME", name.to_text())

    bind.update("example.com", add)
    options = {"provider": "rfc2136", "server": bind.address, "key_file": bind.key_file}
    found = doctor(["loop.example.com", "www.example.com"], **options)
    bad = one_of(found, "cname", "_acme-challenge.loop.")
    assert bad["status"] == "failed"
    assert "its CNAME records lead to no end" in bad["message"]
    assert one_of(found, "cname", "_acme-challenge.www.")["status"] == "ok"
    written = one_of(found, "credentials", "_acme-challenge.www.")
    assert (written["status"], written["message"]) == ("ok", "a TXT record was written, seen and removed again")
    assert bind.txt("_acme-challenge.www.example.com") == []


def test_a_token_for_another_zone(
    doctor: Callable[..., Found], cloudflare: Cloudflare, challtestsrv: ChallTestSrv
) -> None:
    options = {"provider": "cloudflare", "endpoint": cloudflare.url, "propagation": "none"}
    found = doctor(["www.elsewhere.net"], **options, api_key=cloudflare.token, resolvers=challtestsrv.dns)
    bad = one_of(found, "credentials")
    assert (bad["status"], bad["subject"]) == ("failed", "_acme-challenge.www.elsewhere.net")
    assert "errorcode {TOSSL DNS cloudflare zone}" in bad["facts"]
    assert "no such zone" in bad["advice"]
    assert cloudflare.token not in str(found)


def test_a_clock_a_day_off(doctor: Callable[..., Found], calm_pebble: Pebble, monkeypatch: pytest.MonkeyPatch) -> None:
    real = clock.wall
    monkeypatch.setattr(clock, "wall", lambda: real() - 86400)
    found = doctor(directory=calm_pebble.directory)
    assert wrong(found) == [("clock", "failed")]
    assert "the machine's clock is 1.0 days behind the CA's" in one_of(found, "clock")["message"]
    assert "NTP" in one_of(found, "clock")["advice"]


def test_a_full_disk(doctor: Callable[..., Found], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(store)]
    is_mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        if is_mounted:
            (store / "large").write_bytes(b"x" * (64 << 10))
        else:
            monkeypatch.setattr(stored, "LEAST_FREE_BYTES", 1 << 60)
        found = doctor(store=store)
    finally:
        if is_mounted:
            subprocess.run(["umount", str(store)], check=True)
    assert wrong(found) == [("space", "failed")] * (2 if is_mounted else 1) + [("ca", "warning")]
    assert "its disk is full" in of(found, "space")[0]["message"]
    assert not is_mounted or "No space left on device" in of(found, "space")[1]["message"]
    assert "make space" in of(found, "space")[0]["advice"]


def kept(tcl: Tcl, ca: ScriptedCa, store: Path, name: str = "a.example", **options: object) -> None:
    """Obtains a certificate that needs no proof."""
    ca.script.order = "ready"
    given = {"directory": ca.directory, "store": store, **(options or {"webroot": store.parent})}
    tcl.acme("obtain_certificate", [name], **given)


def test_a_foreign_owner_of_the_store(
    doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept(tcl, scripted_ca, tmp_path / "store")
    if os.geteuid() == 0:
        for path in [tmp_path / "store", *(tmp_path / "store").rglob("*")]:
            os.chown(path, 12345, -1, follow_symlinks=False)
    else:
        stranger = os.geteuid() + 1
        monkeypatch.setattr(os, "geteuid", lambda: stranger)
    found = doctor(["a.example"], store=tmp_path / "store")
    bad = of(found, "owner")
    assert {one["status"] for one in bad} == {"failed"}
    assert (
        "the store's folder" in bad[0]["message"] and "neither root nor the user of this process" in bad[0]["message"]
    )
    assert {"the account's key", "the certificate's key"} <= {
        what for what in ("the account's key", "the certificate's key") for one in bad if what in one["message"]
    }
    assert "chown" in bad[0]["advice"]
    # Nor is anything of this user's left in it.
    assert os.geteuid() != 0 or {path.lstat().st_uid for path in (tmp_path / "store").rglob("*")} == {12345}


def test_a_proxy_that_wants_a_password(doctor: Callable[..., Found], calm_pebble: Pebble) -> None:
    port = free_port()

    def refuse(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_error(HTTPStatus.PROXY_AUTHENTICATION_REQUIRED)

    class Proxy(http.server.BaseHTTPRequestHandler):
        do_CONNECT = refuse

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", port), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        found = doctor(directory=calm_pebble.directory, proxy=f"http://me:hidden-word@127.0.0.1:{port}")
        server.shutdown()
    assert wrong(found) == [("proxy", "failed")]
    bad = one_of(found, "proxy")
    assert bad["subject"] == f"http://127.0.0.1:{port}"
    assert "407" in bad["message"]
    assert "give the proxy's user and password" in bad["advice"]
    assert "hidden-word" not in str(found)


def test_by_which_proxy_a_ca_is_reached(doctor: Callable[..., Found], calm_proxy: FaultProxy) -> None:
    """The proxy leads to another CA here, whose directory names that."""
    found = doctor(directory="letsencrypt", proxy=calm_proxy.connect_url.replace("://", "://me:hidden-word@"))
    assert wrong(found) == []
    assert one_of(found, "ca")["message"].startswith(f"answers by the proxy {calm_proxy.connect_url}; its TLS")
    assert "hidden-word" not in str(found)


def test_a_clock_that_makes_tls_fail(calm_pebble: Pebble, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time is asked for without trust, and named first."""
    real = clock.wall
    monkeypatch.setattr(clock, "wall", lambda: real() + 3 * 86400)
    tcl = Tcl()
    found = tcl.dicts(tcl.eval(f"::tossl::doctor -directory {calm_pebble.directory}"))
    assert wrong(found) == [("clock", "failed"), ("ca", "failed")]
    assert "3.0 days ahead of the CA's" in one_of(found, "clock")["message"]
    assert "set the machine's clock" in one_of(found, "ca")["advice"]


def test_a_ca_with_an_unknown_tls_root(calm_pebble: Pebble) -> None:
    tcl = Tcl()
    found = tcl.dicts(tcl.eval(f"::tossl::doctor -directory {calm_pebble.directory}"))
    assert wrong(found) == [("ca", "failed")]
    bad = one_of(found, "ca")
    assert "certificate verify failed" in bad["message"]
    assert "errorcode {TOSSL HTTP tls}" in bad["facts"]
    assert "its certificate is of" in bad["advice"] and "-ca_bundle" in bad["advice"]


# ---- beyond these ----


def test_behind_nat_is_no_closed_port(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The address is of no interface, and refuses; the responder answers on this machine."""
    challtestsrv.add_a("nat.example.com", "127.9.9.9")
    monkeypatch.setattr(reached, "has_address", lambda _address: False)
    options = {"port": f"127.0.0.1:{http_port}", "resolvers": challtestsrv.dns}
    told = one_of(doctor(["nat.example.com"], **options), "nat")
    assert told["status"] == "warning"
    assert f"cannot be reached from here, while port {http_port} of this machine answers the token" in told["message"]
    assert "NAT" in told["advice"] and "dns-01" in told["advice"] and "dns-persist-01" in told["advice"]


def test_an_aaaa_that_leads_nowhere_is_no_nat(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IPv6 knows no such routers."""
    challtestsrv.add_aaaa("nowhere.example.com", "::1")
    monkeypatch.setattr(reached, "has_address", lambda _address: False)
    found = doctor(["nowhere.example.com"], port=f"127.0.0.1:{http_port}", resolvers=challtestsrv.dns)
    bad, good = of(found, "port")
    assert (bad["status"], good["status"]) == ("failed", "ok")
    assert (
        bad["message"] == f"port {http_port} at ::1 (AAAA) cannot be reached: cannot connect to it: Connection refused"
    )
    assert "correct the AAAA record, or remove it" in bad["advice"]


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://me:sesame@{host}:8081{path}?sesame", "it redirects to port 8081"),
        ("http://me:sesame@{host}:{port}{path}?sesame", "redirects more than 10 times"),
        ("ftp://me:sesame@{host}{path}?sesame", "which is no http or https URL"),
        ("http://127.0.0.1:{port}{path}", "to an IP address"),
    ],
    ids=["port", "loop", "scheme", "address"],
)
def test_redirects_that_no_ca_follows(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path, location: str, said: str
) -> None:
    """A user and a query that the web server names there are not shown."""
    host = "redirects.example.com"

    def redirect(handler: http.server.BaseHTTPRequestHandler) -> None:
        handler.send_response(HTTPStatus.FOUND)
        handler.send_header("Location", location.format(host=host, port=http_port, path=handler.path))
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with web_server(http_port, "127.0.0.1", redirect):
        found = doctor([host], webroot=tmp_path, resolvers=challtestsrv.dns)
    assert said in one_of(found, "redirect")["message"]
    assert one_of(found, "redirect")["status"] == "failed"
    assert "sesame" not in str(found)


def test_a_redirect_is_followed_to_the_token(
    doctor: Callable[..., Found], challtestsrv: ChallTestSrv, http_port: int, tmp_path: Path
) -> None:
    """To another host, which the DNS knows, and without a port: that is the scheme's."""

    def serve(handler: http.server.BaseHTTPRequestHandler) -> None:
        if handler.headers["Host"].startswith("from."):
            handler.send_response(HTTPStatus.MOVED_PERMANENTLY)
            handler.send_header("Location", f"http://to.example.com{handler.path}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        body = (tmp_path / handler.path.lstrip("/")).read_bytes()
        handler.send_response(HTTPStatus.OK)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    with web_server(http_port, "127.0.0.1", serve):
        found = doctor(["from.example.com"], webroot=tmp_path, resolvers=challtestsrv.dns)
    assert one_of(found, "port")["status"] == "ok"
    assert "to.example.com" in one_of(found, "port")["message"]


def test_the_responder_is_at_another_port(doctor: Callable[..., Found], challtestsrv: ChallTestSrv) -> None:
    """Where port 80 leads elsewhere, or nowhere."""
    port = free_port()
    found = doctor(["other.example.com"], port=port, resolvers=challtestsrv.dns)
    told = one_of(found, "port")
    assert told["status"] == "warning"
    assert f"the token is answered at port {port}, not at port 80 at 127.0.0.1 (A), where CAs ask" in told["message"]
    assert f"forward port 80 to port {port}" in told["advice"]


def test_tls_alpn(doctor: Callable[..., Found], challtestsrv: ChallTestSrv, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_port()
    monkeypatch.setitem(seen.PORTS, "https", port)
    options = {"challenge": "tls-alpn-01", "resolvers": challtestsrv.dns}
    found = doctor(["tls.example.com", "127.0.0.1"], **options, tls_port=port)
    assert [one["status"] for one in of(found, "port")] == ["ok", "ok"]
    with web_server(port, "127.0.0.1", not_found):
        found = doctor(["tls.example.com"], **options, tls_port=f"127.0.0.2:{port}")
    assert "no TLS connection for acme-tls/1" in one_of(found, "port")["message"]


def test_a_kept_certificate_needs_no_options(
    doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path, http_port: int,
    challtestsrv: ChallTestSrv, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Nor does a call without names; what it was obtained with is used, and a damaged record is named."""
    monkeypatch.setenv("TOSSL_RESOLVERS", challtestsrv.dns)
    kept(tcl, scripted_ca, tmp_path / "store", "kept.example.com", port=http_port)
    orders = len(scripted_ca.payloads("new-order"))
    for names in ([], ["kept.example.com"], ["KEPT.example.com."]):
        found = doctor(names, store=tmp_path / "store", count_limits=1)
        assert wrong(found) == []
        assert one_of(found, "held")["message"].startswith("valid until ")
        assert one_of(found, "port")["subject"] == "kept.example.com"
        assert scripted_ca.directory == one_of(found, "ca")["subject"]
        assert "is known" in one_of(found, "account")["message"]
        assert exactly(found)[0]["message"].startswith("1 of 5 certificates")
    assert len(scripted_ca.payloads("new-order")) == orders
    (record,) = (tmp_path / "store").glob("certificates/*/certificate.json")
    assert not (tmp_path / "store" / "runs").exists()  # nor anything else that writing was tried with
    assert "doctor" not in {path.name for path in (tmp_path / "store").rglob("*")}
    record.write_text("{")
    for names in ([], ["kept.example.com"]):
        damaged = one_of(doctor(names, store=tmp_path / "store"), "records")  # told once
        assert damaged["subject"] == "kept.example.com"
        assert "is damaged" in damaged["message"] and "move what is damaged away" in damaged["advice"]


def test_a_limit_is_near(doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    """Each issuance counts but those by renewal information; a domain's count for all names below it."""
    store = tmp_path / "store"
    for _ in range(2):
        kept(tcl, scripted_ca, store, "often.example.co.uk", webroot=tmp_path, force=1)
    own = {"directory": scripted_ca.directory, "challenge": "dns-persist-01", "as_kept": 0}
    options: dict[str, object] = {"store": store, **own}
    (exempt,) = exactly(doctor(["often.example.co.uk"], **options, count_limits=1))
    # The second took the first's place by its name in renewal information.
    assert (exempt["status"], exempt["message"][:6]) == ("ok", "1 of 5")
    scripted_ca.script.renewal = False
    clients.reset()
    store = options["store"] = tmp_path / "other"  # it knows of no renewal information
    for _ in range(3):
        kept(tcl, scripted_ca, store, "plain.example.co.uk", webroot=tmp_path, force=1)
    found = doctor(["plain.example.co.uk"], **options, count_limits=1)
    (near,) = exactly(found)
    assert (near["status"], near["message"][:6]) == ("warning", "3 of 5")
    assert "one is free again in 168 h" in near["advice"]
    (below,) = [one for one in of(found, "limits") if one["subject"] == "example.co.uk"]
    assert below["message"].startswith("3 of 50 certificates for names below example.co.uk in 168 hours")
    assert of(doctor(["plain.example.co.uk"], **options), "limits") == []


def exactly(found: Found) -> Found:
    return [one for one in of(found, "limits") if "exactly these names" in one["message"]]


def test_what_failed_last(doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path) -> None:
    scripted_ca.script.eab_required = True
    given = {"directory": scripted_ca.directory, "webroot": tmp_path, "store": tmp_path / "store"}
    tcl.failure("obtain_certificate", ["a.example"], **given)
    found = doctor(["a.example"], **given)
    assert "1 attempt failed" in one_of(found, "error")["message"]
    assert (one_of(found, "account")["status"], one_of(found, "held")["status"]) == ("failed", "ok")
    assert "binding" in one_of(found, "account")["message"]
    bound = doctor(["a.example"], **given, eab_kid="kid", eab_hmac_key="c2VjcmV0LXNlY3JldC1zZWNyZXQ")
    assert one_of(bound, "account")["status"] == "ok"
    assert "c2VjcmV0" not in str(bound)


def test_the_last_renewal_failed(
    doctor: Callable[..., Found], tcl: Tcl, scripted_ca: ScriptedCa, tmp_path: Path
) -> None:
    kept(tcl, scripted_ca, tmp_path / "store", deploy_command="exit 3", webroot=tmp_path)
    scripted_ca.script.refuse_replaces = scripted_ca.script.order = "invalid"
    tcl.failure("renew_certificate", "a.example", store=tmp_path / "store", force=1)
    found = doctor(store=tmp_path / "store")
    errors = of(found, "error")
    assert errors[0]["message"].startswith("the last renewal failed, ")
    assert errors[1]["message"].startswith("1 attempt failed")
    assert "its deployment has not succeeded" in one_of(found, "deploy")["message"]


def test_wrong_words_are_errors(tcl: Tcl, doctor: Callable[..., Found]) -> None:
    failure = tcl.failure("doctor", ["not a name"])
    assert failure.code == ("TOSSL", "VALUE", "names")
    assert tcl.failure("doctor", [], port="x").code == ("TOSSL", "VALUE", "port")
    assert "options" in [check for check, _status in wrong(doctor(["a.example"]))]
