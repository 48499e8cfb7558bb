"""http::get against real servers on loopback: what a script gets, and what it never gives away."""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import os
import socket
import socketserver
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.servers.certs import Certificates, make_certificates
from tests.servers.process import free_port
from tests.servers.web import Listener, QuietHandler
from tossl_acme.commands.http import get
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError, Cancelled, HttpError
from tossl_acme.http import get as fetch
from tossl_acme.http import trust
from tossl_acme.http.client import HttpClient, HttpRequest
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.response import Response

Answer = tuple[int, list[tuple[str, str]], bytes]
JSON = [("Content-Type", "application/json")]
SECRET = "s3cr3t-word"


class Site:
    """A server that tells what it was asked, and does what the path says."""

    def __init__(self, certificates: Certificates | None = None) -> None:
        site = self
        self.seen: list[dict[str, str]] = []
        self.paths: dict[str, Callable[[], Answer]] = {}

        class Handler(QuietHandler):
            def do_GET(self) -> None:
                site.seen.append({"path": self.path, **{name.lower(): value for name, value in self.headers.items()}})
                made = site.paths.get(self.path.partition("?")[0])
                status, headers, body = made() if made else (200, JSON, json.dumps(site.seen[-1]).encode())
                self.send_response_only(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._listener = Listener(Handler, certificates)
        self.url = self._listener.url
        self.stop = self._listener.stop

    def serve(self, path: str, body: bytes, content_type: str = "", *more: tuple[str, str], status: int = 200) -> str:
        headers = [("Content-Type", content_type)] if content_type else []
        self.paths[path] = lambda: (status, [*headers, *more], body)
        return self.url + path

    def redirect(self, path: str, location: str, status: int = 302) -> str:
        return self.serve(path, b"moved", "text/plain", ("Location", location), status=status)


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    yield made
    made.stop()


@pytest.fixture
def other() -> Iterator[Site]:
    made = Site()
    yield made
    made.stop()


@pytest.fixture
def secure(certificates: Certificates) -> Iterator[Site]:
    made = Site(certificates)
    yield made
    made.stop()


def fetched(url: str, **options: Any) -> dict[str, Any]:
    way = {name: options.pop(name) for name in ("ca_bundle", "proxy") if name in options}
    return get(url, **{"context": Context(20).begin(), "connection": ConnectionOptions(**way), **options})


def seen(result: dict[str, Any]) -> dict[str, str]:
    return json.loads(result["body"])


def test_answer(site: Site) -> None:
    url = site.serve("/a", b"hello", "text/plain", ("x-Thing", "1"), ("X-thing", "2"), ("etag", '"e"'))
    assert fetched(url) == {
        "status_code": 200,
        "body": "hello",
        "headers": {"Content-Type": "text/plain", "X-Thing": "1, 2", "ETag": '"e"', "Content-Length": "5"},
    }


@pytest.mark.parametrize("status", [201, 204, 304, 404, 429, 500])
def test_any_status_is_an_answer(site: Site, status: int) -> None:
    assert fetched(site.serve("/s", b"", status=status))["status_code"] == status


def test_cookies_of_the_answer_are_kept_apart(site: Site) -> None:
    two = [("Set-Cookie", "a=1; Expires=Wed, 09 Jun 2032 10:18:14 GMT"), ("Set-Cookie", "b=2")]
    headers = fetched(site.serve("/c", b"", "", *two))["headers"]
    assert headers["Set-Cookie"] == "a=1; Expires=Wed, 09 Jun 2032 10:18:14 GMT\nb=2"


def test_details(site: Site) -> None:
    site.serve("/end", b"12345", "text/plain; charset=utf-8")
    result = fetched(site.redirect("/start", "/end"), return_details=True)
    assert result["url"] == f"{site.url}/end"
    assert result["redirects"] == [f"{site.url}/start"]
    assert (result["redirect_count"], result["response_size"], result["http_version"]) == (1, 5, "1.1")
    assert (result["error_message"], result["error_kind"], result["ssl_info"]) == ("", "", "")
    assert result["content_type"] == "text/plain; charset=utf-8"
    assert 0 <= result["request_time"] < 20000


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("grün".encode(), "text/html; charset=utf-8", "grün"),
        ("grün".encode("latin-1"), 'text/html; Charset="ISO-8859-1"', "grün"),
        ("grün".encode(), "text/html", "grün"),
        ("grün".encode("latin-1"), "text/html", "grün"),
        ("\ufeffgrün".encode(), "application/problem+json", "grün"),
        ("Ж".encode("cp1251"), "text/plain; charset=windows-1251", "Ж"),
        ("a😀".encode(), "application/json", "a😀"),
        (b"a\xff", "text/plain; charset=utf-8", "a\ufffd"),
        (b"abc", "text/plain; charset=no-such", "abc"),
        (b"abc", "text/plain; charset=rot13", "abc"),
        (b"abc-", "text/plain; charset=punycode", "abc-"),
        (b"abc", "text/plain; charset=hex", "abc"),
        (b"\x00\xff", "application/octet-stream", b"\x00\xff"),
        (b"\x00\xff", "image/png", b"\x00\xff"),
        (b"\x00\xff", "", b"\x00\xff"),
        (b"", "text/plain", ""),
    ],
)
def test_body(site: Site, body: bytes, content_type: str, expected: str | bytes) -> None:
    assert fetched(site.serve("/b", body, content_type))["body"] == expected


def test_compressed_body(site: Site) -> None:
    url = site.serve("/z", gzip.compress(b"x" * 5000), "text/plain", ("Content-Encoding", "gzip"))
    assert fetched(url)["body"] == "x" * 5000


@pytest.mark.parametrize("body", [b"x" * 1001, gzip.compress(b"x" * 100_000)])
def test_body_is_bounded(site: Site, body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "MAX_BODY_BYTES", 1000)
    more = [("Content-Encoding", "gzip")] if body[:1] == b"\x1f" else []
    result = fetched(site.serve("/big", body, "text/plain", *more), return_details=True)
    assert (result["status_code"], result["error_kind"], result["body"]) == (0, "too_large", "")


def test_what_is_sent(site: Site) -> None:
    sent = seen(fetched(f"{site.url}/p?q=1", headers={"X-A": "é  b ", "accept": "text/plain"}, user_agent="me/1"))
    assert sent["path"] == "/p?q=1"
    assert sent["user-agent"] == "me/1"
    assert sent["accept"] == "text/plain"
    assert sent["x-a"].encode("latin-1").decode() == "é  b"


def test_header_lines_of_one_word_are_a_dict_too(site: Site) -> None:
    sent = seen(fetched(site.url, headers={"Accept:": "text/plain", "X-A:": "b"}))
    assert (sent["accept"], sent["x-a"]) == ("text/plain", "b")


def test_user_agent(site: Site) -> None:
    assert seen(fetched(site.url))["user-agent"].startswith("tossl/")
    assert seen(fetched(site.url, headers={"user-agent": "h"}))["user-agent"] == "h"
    assert seen(fetched(site.url, headers={"user-agent": "h"}, user_agent="o"))["user-agent"] == "o"


def test_auth_and_cookies(site: Site) -> None:
    sent = seen(fetched(site.url, auth="us:pä:ss", cookies="a=b; c=d", headers={"Cookie": "z=y"}))
    assert base64.b64decode(sent["authorization"].removeprefix("Basic ")).decode() == "us:pä:ss"
    assert sent["cookie"] == "z=y; a=b; c=d"


def test_auth_in_the_url(site: Site) -> None:
    url = site.url.replace("//", f"//me:{SECRET}%20x@")
    result = fetched(url, return_details=True)
    sent = base64.b64decode(seen(result)["authorization"].removeprefix("Basic ")).decode()
    assert sent == f"me:{SECRET} x"
    assert SECRET not in result["url"]


def test_netrc_is_not_read(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text(f"machine 127.0.0.1 login me password {SECRET}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert "authorization" not in seen(fetched(site.url))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(site: Site, status: int) -> None:
    assert seen(fetched(site.redirect("/old", "new?x=%20y#part", status)))["path"] == "/new?x=%20y"


def test_redirects_are_left_when_told(site: Site) -> None:
    result = fetched(site.redirect("/old", "/new"), follow_redirects=False)
    assert (result["status_code"], result["headers"]["Location"], result["body"]) == (302, "/new", "moved")


def test_redirects_are_bounded(site: Site) -> None:
    result = fetched(site.redirect("/loop", "/loop"), return_details=True)
    assert (result["status_code"], result["error_kind"]) == (0, "redirect")
    assert len(site.seen) == 11


@pytest.mark.parametrize("location", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://[bad", "http://"])
def test_redirects_to_nowhere(site: Site, location: str) -> None:
    result = fetched(site.redirect("/r", location), return_details=True)
    assert (result["status_code"], result["error_kind"]) == (0, "redirect")


def test_a_redirect_without_location_is_an_answer(site: Site) -> None:
    assert fetched(site.serve("/r", b"", status=302))["status_code"] == 302


def test_credentials_stay_on_the_same_origin(site: Site) -> None:
    options = {"auth": "u:p", "cookies": "a=b", "headers": {"X-Api-Key": "k", "X-Other": "o"}}
    sent = seen(fetched(site.redirect("/r", "/to"), **options))
    assert {"authorization", "cookie", "x-api-key", "x-other"} <= set(sent)


def test_credentials_are_not_sent_to_another_host(site: Site, other: Site) -> None:
    private = {"Authorization": f"Bearer {SECRET}", "X-Api-Key": SECRET, "Cookie": SECRET, "X-Other": "o"}
    url = site.redirect("/r", f"{other.url}/to").replace("//", f"//me:{SECRET}@")
    sent = seen(fetched(url, headers=private, cookies=f"a={SECRET}"))
    assert sent["x-other"] == "o"
    assert SECRET not in json.dumps(sent)
    assert "authorization" not in sent
    assert SECRET in json.dumps(site.seen[0])


def test_a_user_that_a_redirect_names_is_sent_to_nobody_and_not_shown(site: Site, other: Site) -> None:
    """Nor one of before: who redirects does not choose whom this process is."""
    steps: list[dict[str, object]] = []
    strange = f"//me:{SECRET}@".join(other.url.split("//"))
    at_home = f"//me:{SECRET}@".join(site.url.split("//"))
    for target, asked in ((f"{strange}/to", other), (f"{at_home}/to", site)):
        context = Context(20).begin(listener=steps.append)
        result = fetched(site.redirect("/r", target), context=context, return_details=True)
        assert result["url"] == f"{asked.url}/to"
        assert "authorization" not in seen(result)
        assert SECRET not in json.dumps([result, steps, site.seen, other.seen])
    assert "authorization" in seen(fetched(site.redirect("/r", f"{at_home}/to"), auth="u:p"))
    for target in (f"{strange}0/x", f"ftp://me:{SECRET}@127.0.0.1/", f"http://me:{SECRET}@127.0.0.1:{free_port()}/"):
        result = fetched(site.redirect("/r", target), return_details=True)
        assert (result["status_code"], SECRET in json.dumps(result)) == (0, False)


@pytest.mark.parametrize("user", ["", "x@", "x\\y@"])
def test_a_backslash_does_not_make_another_host_of_it(site: Site, other: Site, user: str) -> None:
    """Some read `other\\@site` as a user at the site, others as the host `other`."""
    location = f"{other.url}\\@{user}{site.url.removeprefix('http://')}/to"
    result = fetched(site.redirect("/r", location), auth=f"u:{SECRET}", return_details=True)
    assert (result["status_code"], result["error_kind"]) == (0, "redirect")
    assert not other.seen


def test_credentials_do_not_come_back_with_a_redirect_back(site: Site, other: Site) -> None:
    back = other.redirect("/back", f"{site.url}/home")
    assert "authorization" not in seen(fetched(site.redirect("/r", back), auth="u:p"))


def test_cookies_set_on_the_way_are_kept_for_that_call(site: Site) -> None:
    site.serve("/in", b"", "", ("Set-Cookie", "sid=1; Path=/"), ("Location", "/home"), status=302)
    assert seen(fetched(f"{site.url}/in"))["cookie"] == "sid=1"
    assert "cookie" not in seen(fetched(site.url))


def test_tls_is_verified(secure: Site, certificates: Certificates) -> None:
    refused = fetched(secure.url, return_details=True)
    assert (refused["status_code"], refused["error_kind"]) == (0, "tls")
    trusted = fetched(secure.url, ca_bundle=str(certificates.ca_bundle), return_details=True)
    assert (trusted["status_code"], trusted["ssl_info"]) == (200, "verified")
    unverified = fetched(secure.url, verify_ssl=False, return_details=True)
    assert (unverified["status_code"], unverified["ssl_info"]) == (200, "not verified")


def test_https_is_not_left(secure: Site, site: Site, certificates: Certificates) -> None:
    url = secure.redirect("/r", site.url)
    result = fetched(url, ca_bundle=str(certificates.ca_bundle), return_details=True)
    assert (result["status_code"], result["error_kind"]) == (0, "redirect")
    assert not site.seen


def test_http_may_go_to_https(secure: Site, site: Site, certificates: Certificates) -> None:
    url = site.redirect("/r", secure.url)
    assert fetched(url, ca_bundle=str(certificates.ca_bundle))["status_code"] == 200


def test_proxy(site: Site) -> None:
    proxy = site.url.replace("//", f"//me:{SECRET}@")
    sent = seen(fetched("http://example.invalid/x", proxy=proxy))
    assert sent["path"] == "http://example.invalid/x"
    assert sent["proxy-authorization"].startswith("Basic ")


class SocksProxy(socketserver.ThreadingTCPServer):
    """SOCKS 5 (RFC 1928): no login, CONNECT alone; the names that it was to look up are in `asked`."""

    daemon_threads = allow_reuse_address = True

    def __init__(self) -> None:
        proxy = self
        self.asked: list[str] = []

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.rfile.read(self.rfile.read(2)[1])
                self.wfile.write(b"\x05\x00")
                kind = self.rfile.read(4)[3]
                size = self.rfile.read(1)[0] if kind == 3 else 4
                name = self.rfile.read(size)
                host = name.decode() if kind == 3 else socket.inet_ntoa(name)
                port = int.from_bytes(self.rfile.read(2), "big")
                proxy.asked.append(host)
                if host.endswith(".invalid"):
                    self.wfile.write(b"\x05\x04\x00\x01" + bytes(6))
                    return
                with socket.create_connection(("127.0.0.1", port)) as far:
                    self.wfile.write(b"\x05\x00\x00\x01" + bytes(6))
                    there = threading.Thread(target=self._copy, args=(self.connection, far), daemon=True)
                    there.start()
                    self._copy(far, self.connection)

            @staticmethod
            def _copy(source: socket.socket, target: socket.socket) -> None:
                with contextlib.suppress(OSError):
                    while piece := source.recv(65536):
                        target.sendall(piece)
                    target.shutdown(socket.SHUT_WR)

        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"socks5h://127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def socks() -> Iterator[SocksProxy]:
    pytest.importorskip("socks", reason="the extra socks is not installed")
    with SocksProxy() as made:
        yield made
        made.shutdown()


@pytest.mark.parametrize("by_environment", [True, False], ids=["environment", "option"])
def test_a_proxy_that_speaks_socks(
    site: Site, secure: Site, certificates: Certificates, socks: SocksProxy, monkeypatch: pytest.MonkeyPatch,
    by_environment: bool,
) -> None:  # fmt: skip
    """It looks up the name itself; TLS goes through it."""
    options = {} if by_environment else {"proxy": socks.url}
    if by_environment:
        monkeypatch.setenv("ALL_PROXY", socks.url)
        monkeypatch.setenv("no_proxy", "")
    url = site.url.replace("127.0.0.1", "far.example")
    assert seen(fetched(f"{url}/x", **options))["host"].startswith("far.example")
    bundle = str(certificates.ca_bundle)
    assert fetched(secure.url.replace("127.0.0.1", "localhost"), **options, ca_bundle=bundle)["status_code"] == 200
    assert socks.asked == ["far.example", "localhost"]
    refused = fetched("https://ca.invalid/", **options, return_details=True)
    assert refused["error_kind"] == "connect"
    assert "the proxy did not connect" in refused["error_message"]


def test_socks_without_its_library_names_the_extra(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes past the proxy."""
    monkeypatch.setitem(sys.modules, "socks", None)
    for way in ({"proxy": "socks5h://127.0.0.1:1"}, {}):
        if not way:
            monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1")
        with pytest.raises(ArgumentError, match=r"tossl-acme\[socks\]") as raised:
            fetched(site.url, **way)
        assert raised.value.errorcode == ("TOSSL", "VALUE", "proxy")
    assert not site.seen


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_nobody_knows_is_not_the_servers_fault(scheme: str) -> None:
    result = fetched(f"{scheme}://127.0.0.1:1/", proxy="http://proxy.invalid:3128", return_details=True)
    assert result["error_kind"] == "dns"
    assert "cannot find the address of the proxy for" in result["error_message"]


def test_proxy_of_the_environment(site: Site, other: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", site.url)
    assert seen(fetched("http://example.invalid/x"))["path"] == "http://example.invalid/x"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert seen(fetched(f"{other.url}/y"))["path"] == "/y"


def test_failures_have_the_same_details(site: Site) -> None:
    failed = fetched(f"http://127.0.0.1:{free_port()}/", return_details=True)
    assert failed.keys() == fetched(site.url, return_details=True).keys()
    assert failed["error_message"].startswith("Server communication error: cannot connect to http://127.0.0.1:")
    assert failed["error_kind"] == "connect"


def test_a_failure_tells_what_its_page_says(site: Site) -> None:
    """The address that was asked for, the time that it took, and nothing of an answer."""
    url = site.redirect("/r", f"http://127.0.0.1:{free_port()}/")
    failed = fetched(url, return_details=True)
    assert (failed["status_code"], failed["error_kind"], failed["url"]) == (0, "connect", url)
    known = ("status_code", "error_message", "error_kind", "url", "request_time")
    assert not any(value for name, value in failed.items() if name not in known)


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"])
def test_a_relative_bundle_is_looked_for_once(
    secure: Site, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    """Each new connection reads it, also after the process changed its directory."""
    (tmp_path / "ca.pem").write_bytes(certificates.ca_bundle.read_bytes())
    monkeypatch.setenv(variable, "ca.pem")
    monkeypatch.chdir(tmp_path)
    client = HttpClient(ConnectionOptions())
    monkeypatch.chdir("/")
    assert client.exchange(Context(10).begin(), HttpRequest("GET", secure.url, {})).status == 200


@pytest.mark.parametrize("variable", ["", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"], ids=["option", "ssl", "requests"])
@pytest.mark.parametrize(
    ("kind", "cause"),
    [
        ("empty", "it is empty"),
        ("words", "no PEM certificate"),
        ("not_der", "damaged"),
        ("cut", "cut off"),
        ("cut_later", "cut off"),
        ("der", "openssl x509 -inform DER"),
        ("utf16", "UTF-16"),
        ("key", "a private key"),
        ("folder", "no file of PEM certificates"),
        ("folder_cut", "of its file \"b.pem\", a certificate in it is cut off"),
        ("pipe", "neither a file nor a folder"),
    ],
)
def test_a_broken_ca_bundle_is_named(
    site: Site, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    kind: str, cause: str, variable: str,
) -> None:  # fmt: skip
    """Before anything is sent: the peer is not blamed for it."""
    bundle = tmp_path / "ca"
    good = certificates.ca_bundle.read_bytes()
    contents = {
        "empty": b" \n",
        "words": b"no certificate",
        "not_der": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "cut": good[:300],
        "cut_later": good + good[:300],
        "der": ssl.PEM_cert_to_DER_cert(good.decode()),
        "utf16": good.decode().encode("utf-16"),
        "key": certificates.key.read_bytes(),
    }
    if kind in contents:
        bundle.write_bytes(contents[kind])
    elif kind == "pipe":
        os.mkfifo(bundle)
    else:
        bundle.mkdir()
        (bundle / "README").write_text("no certificate")
        if kind == "folder_cut":
            (bundle / "a.pem").write_bytes(good)
            (bundle / "b.pem").write_bytes(good[:300])
    options = {} if variable else {"ca_bundle": str(bundle)}
    if variable:
        monkeypatch.setenv(variable, str(bundle))
    with pytest.raises(ArgumentError, match="cannot be used") as raised:
        fetched(site.url, **options)
    assert raised.value.errorcode == ("TOSSL", "VALUE", "ca_bundle")
    assert cause in raised.value.message
    assert str(bundle) in raised.value.message
    assert not site.seen


@pytest.mark.parametrize("kind", ["plain", "hashed", "bom", "commented", "trusted"])
def test_ca_certificates_as_they_are_kept(
    secure: Site, certificates: Certificates, tmp_path: Path, kind: str
) -> None:
    """A folder works without openssl rehash; a file whatever stands around its blocks."""
    good = certificates.ca_bundle.read_bytes()
    bundle = tmp_path / "ca.pem"
    if kind in ("plain", "hashed"):
        bundle = tmp_path / "ca"
        bundle.mkdir()
        (bundle / "root.crt").write_bytes(good)
        (bundle / "README").write_text("the roots of our house")
        (bundle / "key.pem").write_bytes(certificates.key.read_bytes())
    if kind == "hashed":
        subprocess.run(["openssl", "rehash", str(bundle)], check=False, capture_output=True)
    elif kind == "trusted":
        made = ["openssl", "x509", "-in", str(certificates.ca_bundle), "-trustout", "-out", str(bundle)]
        subprocess.run(made, check=True, capture_output=True)
    elif kind == "bom":
        bundle.write_bytes(b"\xef\xbb\xbf" + good)
    elif kind == "commented":
        bundle.write_bytes("Größte Wurzel\r\n".encode() + good.replace(b"\n", b"\r\n") + good)
    assert fetched(secure.url, ca_bundle=str(bundle))["status_code"] == 200


def test_the_systems_roots_are_trusted(
    secure: Site, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As curl and Go do; also one that comes while the program runs. The error says where it was looked for."""
    bundle = tmp_path / "ca-certificates.crt"
    monkeypatch.setattr(trust, "SYSTEM_BUNDLES", [str(tmp_path / "nothing"), str(bundle)])
    client = HttpClient(ConnectionOptions())

    def ask() -> int:
        return client.exchange(Context(10).begin(), HttpRequest("GET", secure.url)).status

    with pytest.raises(HttpError) as raised:
        ask()
    assert raised.value.kind == "tls"
    assert "-ca_bundle" in raised.value.message
    bundle.write_bytes(certificates.ca_bundle.read_bytes())
    assert ask() == 200
    bundle.write_bytes(certificates.cert.read_bytes().replace(b"M", b"N"))
    client.close()
    with pytest.raises(HttpError, match="it was looked for in "):
        ask()


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A system's bundle, which is not there yet, and its folder."""
    bundle, folder = tmp_path / "bundle.crt", tmp_path / "certs"
    folder.mkdir()
    monkeypatch.setattr(trust, "SYSTEM_BUNDLES", [str(bundle)])
    monkeypatch.setattr(trust, "SYSTEM_FOLDERS", [str(folder)])
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(openssl_cafile=str(bundle)))
    trust.reset()
    return bundle, folder


def hashed(folder: Path, root: bytes) -> Path:
    """Puts a root into the folder, and returns the link by its hash."""
    (folder / "root.pem").write_bytes(root)
    subprocess.run(["openssl", "rehash", str(folder)], check=True, capture_output=True)
    (link,) = folder.glob("*.0")
    return link


@pytest.mark.parametrize(
    ("kind", "loaded"),
    [("same", 0), ("one more", 2), ("unlinked", 1), ("gap", 1), ("gap of no certificate", 1), ("two", 1), ("bom", 1)],
)
def test_openssl_reads_the_systems_roots_where_it_finds_them_by_itself(
    secure: Site, certificates: Certificates, tmp_path: Path, system: tuple[Path, Path], kind: str, loaded: int
) -> None:
    """Reading a bundle of 140 takes 30 ms. If it would not find all of it in the folder, all of it is loaded.

    The other root has the same subject, of which OpenSSL would look for no second one.
    """
    root, (bundle, folder) = certificates.ca_bundle.read_bytes(), system
    link = hashed(folder, root)
    other = make_certificates(tmp_path / "other").ca_bundle.read_bytes()
    bundle.write_bytes(root + other if kind == "one more" else root)
    if kind == "unlinked":
        link.rename(folder / "0123abcd.1")
    elif kind.startswith("gap"):
        link.rename(link.with_suffix(".1"))
        if kind == "gap of no certificate":
            link.write_bytes(b"no certificate")
    elif kind in ("two", "bom"):
        (folder / "root.pem").write_bytes(other + root if kind == "two" else b"\xef\xbb\xbf" + root)
    found = trust.Trust()
    assert found.context().cert_store_stats()["x509"] == loaded
    assert found.places == (str(bundle), str(folder))
    assert fetched(secure.url)["status_code"] == 200


def test_a_root_that_leaves_the_folder_comes_from_the_bundle(
    secure: Site, certificates: Certificates, system: tuple[Path, Path]
) -> None:
    """While a system's roots are renewed, their links are missing for a moment."""
    bundle, folder = system
    bundle.write_bytes(certificates.ca_bundle.read_bytes())
    link = hashed(folder, bundle.read_bytes())
    found = trust.trust_in()
    assert found.context().cert_store_stats()["x509"] == 0
    link.unlink()
    os.utime(folder, (1, 1))  # it may have changed twice in one tick of the clock
    assert fetched(secure.url)["status_code"] == 200
    assert found.context().cert_store_stats()["x509"] == 1


def test_a_root_whose_link_has_the_hash_of_another_name_is_trusted(
    secure: Site, certificates: Certificates, system: tuple[Path, Path]
) -> None:
    """An administrator has replaced it under its file's name. One more connection is made, once in a process."""
    bundle, folder = system
    bundle.write_bytes(certificates.ca_bundle.read_bytes())
    hashed(folder, bundle.read_bytes()).rename(folder / "0123abcd.0")
    for loaded in (0, 1):
        assert trust.trust_in().context().cert_store_stats()["x509"] == loaded
        assert fetched(secure.url)["status_code"] == 200


def test_all_connections_share_the_roots(certificates: Certificates, tmp_path: Path) -> None:
    """Threads that need them at the same time, and clients of one after the other: reading them takes 30 ms."""
    bundle = tmp_path / "many.pem"
    bundle.write_bytes(certificates.ca_bundle.read_bytes() * 100)
    found = trust.trust_in("", [str(tmp_path)])
    start = threading.Barrier(8)

    def make(_number: int) -> ssl.SSLContext:
        start.wait()
        return found.context()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(make, range(8)))) == 1
    options = ConnectionOptions(ca_bundle=str(bundle))
    assert options.trust() is ConnectionOptions(ca_bundle=str(bundle)).trust()
    assert options.trust() is not ConnectionOptions().trust()
    bundle.write_bytes(b"no certificate")
    with pytest.raises(ArgumentError, match="no PEM certificate"):
        options.trust()


def test_certifi_where_the_system_has_no_roots(secure: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "SYSTEM_BUNDLES", [])
    monkeypatch.setattr(trust, "SYSTEM_FOLDERS", [])
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: SimpleNamespace(openssl_cafile="/no/such/file"))
    with pytest.raises(HttpError, match=r"looked for in .*cacert\.pem; -ca_bundle"):
        HttpClient().exchange(Context(10).begin(), HttpRequest("GET", secure.url))


@pytest.mark.parametrize("is_hashed", [True, False], ids=["hashed", "plain"])
def test_folders_of_the_environment_are_trusted(
    secure: Site, certificates: Certificates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_hashed: bool
) -> None:
    """SSL_CERT_DIR, several of them, also where one is missing; -ca_bundle is for itself."""
    (tmp_path / "root.pem").write_bytes(certificates.ca_bundle.read_bytes())
    if is_hashed:
        subprocess.run(["openssl", "rehash", str(tmp_path)], check=True, capture_output=True)
    monkeypatch.setenv("SSL_CERT_DIR", f"/no/such/folder:{tmp_path}")
    assert fetched(secure.url)["status_code"] == 200
    (tmp_path / "other.crt").write_bytes(make_certificates(tmp_path / "other").ca_bundle.read_bytes())
    assert fetched(secure.url, ca_bundle=str(tmp_path / "other.crt"))["status_code"] == 0
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "other.crt"))
    assert fetched(secure.url)["status_code"] == 200


def test_nobody_there() -> None:
    result = fetched(f"http://127.0.0.1:{free_port()}/x?token={SECRET}")
    assert result["status_code"] == 0
    assert result["headers"] == {}
    assert result["body"] == ""
    assert "127.0.0.1" in result["error_message"]
    assert SECRET not in result["error_message"]


def test_an_answer_lost_on_its_way_through_a_proxy_was_no_failure_to_connect(raw: Callable[[bytes], str]) -> None:
    """Where it counts: a request that may have been carried out is not sent again."""
    result = fetched("http://far.example/", proxy=raw(CLOSES), return_details=True)
    assert (result["status_code"], result["error_kind"]) == (0, "reset")
    gone = fetched("http://far.example/", proxy=f"http://127.0.0.1:{free_port()}", return_details=True)
    assert gone["error_kind"] == "connect"


def test_a_proxy_that_is_not_there_shows_no_password(site: Site) -> None:
    proxy = f"http://me:{SECRET}@127.0.0.1:{free_port()}"
    for url in (site.url, "https://127.0.0.1:1/"):
        result = fetched(url, proxy=proxy, auth=f"u:{SECRET}", cookies=f"a={SECRET}")
        assert result["status_code"] == 0
        assert SECRET not in str(result)
    assert not site.seen


CLOSES = b"(closes)"


@pytest.fixture
def raw() -> Iterator[Callable[[bytes], str]]:
    """A server that sends these bytes to whoever connects, then closes; CLOSES closes alone, no bytes are silence."""
    listener = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve(answer: bytes) -> str:
        def run() -> None:
            connection, _ = listener.accept()
            held.append(connection)
            connection.recv(65536)
            if answer:
                connection.sendall(answer.removeprefix(CLOSES))
                connection.close()

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield serve
    for connection in held:
        connection.close()
    listener.close()


def test_silence_ends_with_the_timeout(raw: Callable[[bytes], str]) -> None:
    result = fetched(raw(b""), context=Context(0.3).begin(), return_details=True)
    assert (result["status_code"], result["error_kind"]) == (0, "timeout")
    assert "0.3 s" in result["error_message"]
    assert 250 <= result["request_time"] < 3000


@pytest.mark.parametrize(
    "answer",
    [
        b"not http at all\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n",
        b"\x16\x03\x01",
    ],
)
def test_broken_answers(raw: Callable[[bytes], str], answer: bytes) -> None:
    result = fetched(raw(answer))
    assert result["status_code"] == 0
    assert result["error_message"].startswith("Server communication error: ")


def test_a_cancelled_call_is_an_error(raw: Callable[[bytes], str]) -> None:
    context = Context(20).begin()
    threading.Timer(0.1, context.cancel).start()
    with pytest.raises(Cancelled):
        fetched(raw(b""), context=context)


UNUSABLE = [
    "",
    "example.com",
    "/path",
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "http://",
    "http:///x",
    "http://[::1/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:x/",
    "http://127.0.0.1/a b",
    "http://127.0.0.1:81\\@127.0.0.1:82/",
    "http://127%2e0.0.1/",
    f"http://{'a' * 254}/",
    f"http://127.0.0.1/{'a' * 10000}",
    "http://127.0.0.1/\r\nX: y",
    "http://127.0.0.1/\x00",
    "http://127.0.0.1/\ud800",
]

BAD = [
    ("headers", {"X": "a\r\nY: b"}),
    ("headers", {"X": "a\nb"}),
    ("headers", {"X": "a\x00b"}),
    ("headers", {"X": "\ud800"}),
    ("headers", {"X\r\nY": "b"}),
    ("headers", {"X Y": "b"}),
    ("headers", {"": "b"}),
    ("headers", {"Authorization:": "Bearer", "t": "X-A:", "b": "c"}),
    ("headers", {"é": "b"}),
    ("headers", {"content-length": "5"}),
    ("headers", {"Transfer-Encoding": "chunked"}),
    ("user_agent", "a\r\nX: y"),
    ("cookies", "a=b\r\nX: y"),
    ("auth", "nobody"),
    ("proxy", "ftp://127.0.0.1:1"),
    ("proxy", "http://"),
    ("proxy", "http://127.0.0.1:x"),
    ("proxy", "http://127.0.0.1 1"),
    ("ca_bundle", "/no/such/file"),
]


@pytest.mark.parametrize(("argument", "value"), BAD)
def test_bad_arguments(site: Site, argument: str, value: Any) -> None:
    for url in (site.url, "://x"):
        with pytest.raises(ArgumentError) as raised:
            fetched(url, **{argument: value})
        assert raised.value.errorcode == ("TOSSL", "VALUE", argument)
    assert not site.seen


@pytest.mark.parametrize("url", UNUSABLE)
def test_unusable_urls(site: Site, url: str) -> None:
    found = fetched(url, return_details=True)
    assert (found["status_code"], found["body"], found["headers"], found["error_kind"]) == (0, "", {}, "scheme")
    assert str(found["error_message"]).startswith("Server communication error: the URL ")
    assert not site.seen


@pytest.mark.parametrize(
    "options",
    [
        {"headers": {"X": f"{SECRET}\r\n"}},
        {"headers": {f"{SECRET} ": "x"}},
        {"cookies": f"{SECRET}\n"},
        {"auth": SECRET},
        {"proxy": f"ftp://me:{SECRET}@127.0.0.1"},
        {"user_agent": f"{SECRET}\n"},
    ],
)
def test_refusals_show_no_secret(site: Site, options: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as raised:
        fetched(site.url, **options)
    assert SECRET not in str(raised.value)


def test_url_refusals_show_no_secret() -> None:
    for url in (f"ftp://me:{SECRET}@127.0.0.1/", f"http://me:{SECRET}@/", f"http://me:{SECRET}@127.0.0.1:x/?{SECRET}"):
        assert SECRET not in str(fetched(url, return_details=True))


def test_the_way_is_told(site: Site) -> None:
    steps: list[dict[str, object]] = []
    site.redirect("/a", "/b?x=1")
    fetched(f"{site.url}/a", context=Context(20).begin(listener=steps.append))
    assert steps == [{"step": "request", "url": f"{site.url}{path}"} for path in ("/a", "/b")]


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("http://h/", "http://h:80/x", True),
        ("http://h/", "https://h/", True),
        ("http://H/", "http://h/", True),
        ("https://h/", "https://h:444/", False),
        ("https://h/", "https://h.example/", False),
        ("https://h/", "https://g.h/", False),
        ("http://h:8080/", "https://h:8443/", False),
    ],
)
def test_same_origin(old: str, new: str, same: bool) -> None:
    class Two:
        def exchange(self, context: Context, request: HttpRequest) -> Response:
            sent.append(request.headers)
            return Response(request.url, 302 if len(sent) == 1 else 200, {"Location": new}, b"")

    sent: list[Mapping[str, str]] = []
    fetch.fetch(Context(1).begin(), Two(), fetch.prepare(old, {}, auth="u:p"))  # type: ignore[arg-type]
    assert ("Authorization" in sent[1]) is same
