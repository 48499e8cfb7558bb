"""Each test server does what it says."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rdatatype
import pytest
import requests
from cryptography import x509

from tests.servers import actions, far
from tests.servers.bind import Bind
from tests.servers.certs import Certificates
from tests.servers.cloudflare import Cloudflare, zone_id
from tests.servers.dnsfront import DnsFront
from tests.servers.faults import FaultProxy
from tests.servers.httpreq import HttpReq
from tests.servers.pebble import ChallTestSrv, Pebble, new_eab_key
from tests.servers.process import Process, ServerError, free_port
from tests.servers.sinks import ChallTestSrvSink, DelayedSink

ROOT = Path(__file__).resolve().parents[2]
NAME = "_acme-challenge.servers.example.net"


def txt(address: str, name: str) -> list[str]:
    """Ask one DNS server for TXT values."""
    host, port = address.split(":")
    response = dns.query.udp(dns.message.make_query(name, "TXT"), host, port=int(port), timeout=5)
    records = [record for answer in response.answer if answer.rdtype == dns.rdatatype.TXT for record in answer]
    return sorted(b"".join(record.strings).decode() for record in records)


# Pebble and its mock DNS server


def test_pebble_answers_over_verified_tls(pebble: Pebble) -> None:
    """The API's certificate verifies with the bundle, and only with it."""
    directory = requests.get(pebble.directory, verify=pebble.ca_bundle, timeout=5).json()
    assert directory["newOrder"].startswith(f"https://127.0.0.1:{pebble.port}/")
    with pytest.raises(requests.exceptions.SSLError):
        requests.get(pebble.directory, timeout=5)


def test_pebble_has_the_roots_asked_for(certificates: Certificates) -> None:
    """Alternate roots and EAB are options; a restart forgets everything but the ports."""
    with Pebble(certificates=certificates, alternate_roots=1, eab={"kid-1": new_eab_key()}) as pebble:
        meta = requests.get(pebble.directory, verify=pebble.ca_bundle, timeout=5).json()["meta"]
        assert meta["externalAccountRequired"] is True
        roots = [x509.load_pem_x509_certificate(pebble.root(n).encode()) for n in (0, 1)]
        assert roots[0].subject != roots[1].subject
        before = pebble.directory
        pebble.restart()
        assert pebble.directory == before
        assert x509.load_pem_x509_certificate(pebble.root().encode()) not in roots


def test_pebble_says_why_it_does_not_start(certificates: Certificates) -> None:
    """A failed start carries the server's own words."""
    pebble = Pebble(certificates=certificates)
    pebble.config_path.write_text("{")
    with pytest.raises(ServerError, match="Reading JSON config"):
        pebble.start()


def test_mock_dns(challtestsrv: ChallTestSrv) -> None:
    """TXT values add up; clearing removes them all."""
    challtestsrv.set_txt(NAME, "one")
    challtestsrv.set_txt(NAME, "two")
    assert txt(challtestsrv.dns, NAME) == ["one", "two"]
    challtestsrv.clear_txt(NAME)
    assert txt(challtestsrv.dns, NAME) == []
    challtestsrv.add_cname("alias.example.net", NAME)
    challtestsrv.set_txt(NAME, "behind")
    assert "behind" in txt(challtestsrv.dns, "alias.example.net")
    assert challtestsrv.dns_history("alias.example.net")
    challtestsrv.clear_cname("alias.example.net")
    challtestsrv.clear_txt(NAME)


def test_a_sink_takes_back_one_value(challtestsrv: ChallTestSrv) -> None:
    """The mock DNS clears whole names; the sink keeps the other values."""
    sink = ChallTestSrvSink(challtestsrv)
    sink.add_txt(NAME, "one")
    sink.add_txt(NAME, "two")
    sink.remove_txt(NAME, "one")
    assert txt(challtestsrv.dns, NAME) == ["two"]
    sink.remove_txt(NAME, "two")
    assert txt(challtestsrv.dns, NAME) == []


# BIND


def test_bind_takes_signed_updates(bind: Bind) -> None:
    """A value comes and goes alone."""
    name = "_acme-challenge.signed.example.com"
    bind.add_txt(name, "one")
    bind.add_txt(name, 'two "quoted"')
    assert bind.txt(name) == ["one", 'two "quoted"']
    bind.remove_txt(name, "one")
    assert bind.txt(name) == ['two "quoted"']
    bind.remove_txt(name, 'two "quoted"')
    assert bind.txt(name) == []


def test_bind_refuses_other_keys(bind: Bind) -> None:
    """An update signed with a wrong secret changes nothing."""
    with Bind() as other:
        right, bind.key_secret = bind.key_secret, other.key_secret
        try:
            with pytest.raises(Exception, match=r"(?i)bad ?sig|tsig|signature|notauth"):
                bind.add_txt("wrong.example.com", "no")
        finally:
            bind.key_secret = right
    assert bind.txt("wrong.example.com") == []


def test_one_dns_address_for_both(bind: Bind, challtestsrv: ChallTestSrv) -> None:
    """BIND's records and the mock ones are seen through the front."""
    with DnsFront([bind.address, challtestsrv.dns]) as front:
        bind.add_txt("both.example.com", "bind")
        challtestsrv.set_txt("mock.example.com", "mock")
        assert txt(front.address, "both.example.com") == ["bind"]
        assert txt(front.address, "mock.example.com") == ["mock"]
        assert txt(front.address, "none.example.com") == []
    bind.remove_txt("both.example.com", "bind")
    challtestsrv.clear_txt("mock.example.com")


# The look-alike of Cloudflare's API


class Api:
    """A client of the look-alike."""

    def __init__(self, server: Cloudflare) -> None:
        self.server = server
        self.headers = {"Authorization": f"Bearer {server.token}"}
        self.records = f"zones/{server.zone_id('example.com')}/dns_records"

    def __call__(self, method: str, path: str, **more: object) -> requests.Response:
        """Send one request."""
        more = {"headers": self.headers, **more}
        return requests.request(method, f"{self.server.url}/{path}", timeout=5, **more)  # type: ignore[arg-type]

    def add(self, name: str, content: str) -> requests.Response:
        """Create a TXT record."""
        return self("POST", self.records, json={"type": "TXT", "name": name, "content": content, "ttl": 60})


@pytest.fixture
def api(cloudflare: Cloudflare) -> Api:
    """A client with the right token."""
    return Api(cloudflare)


def error_of(answer: requests.Response) -> tuple[int, int]:
    """Return the HTTP status and the code of the first error."""
    body = answer.json()
    assert body["success"] is False
    assert body["result"] is None
    return answer.status_code, body["errors"][0]["code"]


def test_cloudflare_pages(api: Api) -> None:
    """Pages are cut and counted as documented."""
    for number in range(5):
        api.add("a.example.com", f"v{number}")
    body = api("GET", api.records, params={"name": "a.example.com", "per_page": 2, "page": 3}).json()
    assert [record["content"] for record in body["result"]] == ["v4"]
    assert body["result_info"] == {"page": 3, "per_page": 2, "count": 1, "total_count": 5, "total_pages": 3}
    zones = api("GET", "zones", params={"name": "example.org"}).json()
    assert [zone["name"] for zone in zones["result"]] == ["example.org"]
    assert api("GET", "zones", params={"name": "a.example.org"}).json()["result"] == []


def test_cloudflare_publishes(api: Api, challtestsrv: ChallTestSrv) -> None:
    """A record is in the DNS until it is deleted; quotes are not part of the value."""
    record = api.add("_acme-challenge.example.com", '"value"').json()["result"]
    assert txt(challtestsrv.dns, "_acme-challenge.example.com") == ["value"]
    assert error_of(api.add("_acme-challenge.example.com", "value")) == (400, 81058)
    assert api("DELETE", f"{api.records}/{record['id']}").json()["result"] == {"id": record["id"]}
    assert txt(challtestsrv.dns, "_acme-challenge.example.com") == []
    assert error_of(api("DELETE", f"{api.records}/{record['id']}")) == (404, 81044)


def test_cloudflare_credentials(api: Api) -> None:
    """Both ways to authenticate work, and each mistake has its code."""
    email, key, token = api.server.email, api.server.key, api.server.token
    assert api("GET", "user/tokens/verify").json()["result"]["status"] == "active"
    assert api("GET", "zones", headers={"X-Auth-Email": email, "X-Auth-Key": key}).ok
    wrong = {
        (400, 9106): {},
        (400, 6003): {"Authorization": "Bearer short"},
        (403, 9109): {"Authorization": f"Bearer {token[::-1]}"},
        (403, 9103): {"X-Auth-Email": email, "X-Auth-Key": key[::-1]},
    }
    for expected, headers in wrong.items():
        assert error_of(api("GET", "zones", headers=headers)) == expected


def test_cloudflare_errors(api: Api) -> None:
    """Wrong zones and wrong records are refused as the real one refuses them."""
    assert error_of(api("GET", "zones/example.com/dns_records")) == (404, 7003)
    assert error_of(api("GET", f"zones/{zone_id('other.test')}/dns_records")) == (403, 10000)
    assert error_of(api("POST", api.records, json={"type": "TXT"})) == (400, 1004)
    assert error_of(api("POST", api.records, data="{")) == (400, 9207)


def test_cloudflare_misbehaves(api: Api) -> None:
    """The next answers are wrong in the ways asked for."""
    api.server.misbehave("429", "html", "500", "403")
    limited = api("GET", "zones")
    assert (limited.status_code, limited.headers["Retry-After"]) == (429, "1")
    assert "html" in api("GET", "zones").headers["Content-Type"]
    assert [api("GET", "zones").status_code for _ in range(3)] == [500, 403, 200]
    assert len(api.server.requests) == 5
    assert api.server.token not in repr(api.server.requests)


def test_cloudflare_is_slow_to_publish(bind: Bind) -> None:
    """With a delayed sink the API answers before the name servers know."""
    with Cloudflare(DelayedSink(bind, 0.2)) as server:
        Api(server).add("slow.example.com", "late")
        assert bind.txt("slow.example.com") == []
        deadline = time.monotonic() + 5
        while not bind.txt("slow.example.com"):
            assert time.monotonic() < deadline
    bind.remove_txt("slow.example.com", "late")


def test_httpreq(httpreq: HttpReq, challtestsrv: ChallTestSrv) -> None:
    """Records are presented and cleaned up with the right token only."""
    body = {"fqdn": f"{NAME}.", "value": "v"}
    headers = {"Authorization": f"Bearer {httpreq.token}"}
    assert requests.post(f"{httpreq.url}/present", json=body, timeout=5).status_code == 401
    assert requests.post(f"{httpreq.url}/present", json=body, headers=headers, timeout=5).ok
    assert txt(challtestsrv.dns, NAME) == ["v"]
    assert requests.post(f"{httpreq.url}/cleanup", json=body, headers=headers, timeout=5).ok
    assert txt(challtestsrv.dns, NAME) == []
    assert requests.post(f"{httpreq.url}/present", data="[]", headers=headers, timeout=5).status_code == 400


# The fault proxy


@pytest.fixture
def client(pebble: Pebble) -> Iterator[requests.Session]:
    """A session that trusts the servers."""
    with requests.Session() as session:
        session.verify = pebble.ca_bundle
        yield session


def test_proxy_passes_everything_on(fault_proxy: FaultProxy, client: requests.Session) -> None:
    """The CA's URLs lead back to the proxy; connections stay open; requests are recorded."""
    directory = client.get(fault_proxy.directory, timeout=5).json()
    assert directory["newNonce"].startswith(fault_proxy.url)
    nonce = client.head(directory["newNonce"], timeout=5)
    assert nonce.headers["Replay-Nonce"]
    refused = client.post(directory["newOrder"], data=b"{}", timeout=5)
    assert refused.json()["type"] == "urn:ietf:params:acme:error:malformed"
    assert [(s.method, s.status) for s in fault_proxy.seen()] == [("GET", 200), ("HEAD", 200), ("POST", 415)]
    assert fault_proxy.seen("newOrder")[0].body == b"{}"
    assert fault_proxy.connections == 1


@pytest.mark.parametrize(
    ("action", "delivered"),
    [
        (actions.drop(), False),
        (actions.reset(), False),
        (actions.deliver_then_drop(), True),
        (actions.deliver_then_reset(), True),
        (actions.cut_body(), True),
        (actions.endless(), False),
    ],
)
def test_lost_answers(
    fault_proxy: FaultProxy, client: requests.Session, pebble: Pebble, action: actions.Action, delivered: bool
) -> None:
    """The answer is lost, before or after the CA saw the request; the next request works."""
    fault_proxy.fault(action, path="directory")
    handled = pebble.process.tail(10_000).count("GET /dir ->")
    with pytest.raises(requests.RequestException), client.get(fault_proxy.directory, stream=True, timeout=5) as lost:
        lost.raw.enforce_content_length = True  # which older libraries do not by themselves
        for read, _ in enumerate(lost.iter_content(65536)):
            if read > 20:
                raise requests.ConnectionError("enough")
    assert pebble.process.tail(10_000).count("GET /dir ->") - handled == delivered
    assert client.get(fault_proxy.directory, timeout=5).ok


def test_only_the_nth(fault_proxy: FaultProxy, client: requests.Session) -> None:
    """A rule counts its own requests, and fires as often as it says."""
    rule = fault_proxy.fault(actions.html(503, "1"), method="GET", path="directory", nth=2, times=2)
    client.head(f"{fault_proxy.url}/nonce-plz", timeout=5)
    statuses = [client.get(fault_proxy.directory, timeout=5).status_code for _ in range(4)]
    assert (statuses, rule.fired) == ([200, 503, 503, 200], 2)


def test_wrong_answers(fault_proxy: FaultProxy, client: requests.Session) -> None:
    """Answers are made up or changed as asked for."""

    def get(action: actions.Action) -> requests.Response:
        fault_proxy.fault(action)
        return client.get(fault_proxy.directory, timeout=5, allow_redirects=False)

    limited = get(actions.problem(429, "rateLimited", retry_after="7"))
    assert (limited.json()["type"].rsplit(":")[-1], limited.headers["Retry-After"]) == ("rateLimited", "7")
    assert get(actions.redirect("https://127.0.0.1:1/")).headers["Location"] == "https://127.0.0.1:1/"
    assert len(get(actions.oversized(1_000_000)).content) > 1_000_000
    assert get(actions.content_type("text/plain")).headers["Content-Type"] == "text/plain"
    assert get(actions.json_array()).json() == []
    assert get(actions.delay(0.01)).ok
    assert get(actions.drip(0.0001)).json()["newOrder"]


def test_nonces(fault_proxy: FaultProxy, client: requests.Session) -> None:
    """A nonce can be left out, or be one that the CA did not give."""
    url = f"{fault_proxy.url}/nonce-plz"
    fault_proxy.fault(actions.no_nonce(), path="newNonce")
    assert "Replay-Nonce" not in client.head(url, timeout=5).headers
    fault_proxy.fault(actions.stale_nonce(), path="newNonce")
    assert re.fullmatch(r"[\w-]{22}", client.head(url, timeout=5).headers["Replay-Nonce"])


def test_documented_hosts_lead_here(
    fault_proxy: FaultProxy, cloudflare: Cloudflare, client: requests.Session, certificates: Certificates
) -> None:
    """Through CONNECT, Let's Encrypt's host is Pebble, and a host not named is refused."""
    client.proxies = {"https": fault_proxy.connect_url}
    directory = client.get("https://acme-staging-v02.api.letsencrypt.org/directory", timeout=5).json()
    assert directory["newNonce"].startswith("https://acme-staging-v02.api.letsencrypt.org/")
    assert client.head(directory["newNonce"], timeout=5).headers["Replay-Nonce"]
    with Cloudflare(certificates=certificates) as secure:
        fault_proxy.routes["api.cloudflare.com:443"] = secure.tls_origin.removeprefix("https://")
        answer = client.get("https://api.cloudflare.com/client/v4/zones", timeout=5)
        assert answer.json()["errors"][0]["code"] == 9106
    with pytest.raises(requests.exceptions.ProxyError):
        client.get("https://example.com/", timeout=5)


def test_rules_over_http(fault_proxy: FaultProxy, client: requests.Session) -> None:
    """A test that is not written in Python sets rules and reads what was seen."""
    control = f"{fault_proxy.connect_url}/control"
    rule = {"action": "problem", "args": {"status": 500}, "path": "directory"}
    assert requests.post(f"{control}/fault", json=rule, timeout=5).ok
    assert requests.post(f"{control}/fault", json={"action": "nonsense"}, timeout=5).status_code == 400
    assert client.get(fault_proxy.directory, timeout=5).status_code == 500
    seen = requests.get(f"{control}/requests", timeout=5).json()
    assert seen == {"requests": [{"method": "GET", "path": "/dir", "status": 500}], "connections": 1}
    assert requests.post(f"{control}/clear", timeout=5).ok
    assert fault_proxy.seen() == []


# Processes and the runner


def test_a_stubborn_process_is_ended(tmp_path: Path) -> None:
    """Whatever ignores SIGTERM is killed."""
    ready = tmp_path / "ready"
    script = f"trap '' TERM; touch {ready}; while :; do sleep 0.05; done"
    process = Process(["/bin/sh", "-c", script], tmp_path / "log")
    process.wait_ready(ready.exists)
    process.stop(within=0.1)
    assert not process.is_running()


def test_never_ready(tmp_path: Path) -> None:
    """Waiting for a server that never answers ends, and ends the server."""
    process = Process(["/bin/sleep", "60"], tmp_path / "log")
    with pytest.raises(ServerError, match="not ready"):
        process.wait_ready(lambda: False, within=0.05)
    assert not process.is_running()


def runner(*arguments: str) -> list[str]:
    """Return the command line of the runner."""
    return [sys.executable, "-m", "tests.servers", *arguments]


def test_runner_passes_the_status_on() -> None:
    """The command finds the servers in its environment, and its exit status is the runner's."""
    command = 'test "${TOSSL_TEST_DIRECTORY%%:*}" = https && test -r "$TOSSL_TEST_CA_BUNDLE" && exit 7'
    ended = subprocess.run(runner("--pebble", "--", "sh", "-c", command), cwd=ROOT, timeout=20, check=False)
    assert ended.returncode == 7


def test_servers_die_with_their_runner(tmp_path: Path) -> None:
    """A runner that is killed leaves no server behind."""
    command = f'echo "$TOSSL_TEST_CHALLTESTSRV" > {tmp_path}/url.tmp; mv {tmp_path}/url.tmp {tmp_path}/url; read x'
    with subprocess.Popen(
        runner("--pebble", "--logs", str(tmp_path / "logs"), "--", "sh", "-c", command), cwd=ROOT, stdin=subprocess.PIPE
    ) as started:
        deadline = time.monotonic() + 15
        while not (tmp_path / "url").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(started.pid, signal.SIGKILL)
    url = (tmp_path / "url").read_text().strip()
    while True:
        try:
            requests.get(url, timeout=1)
        except requests.ConnectionError:
            break
        assert time.monotonic() < deadline


def test_free_ports_are_free() -> None:
    """Ports differ from one another, and verify as free."""
    assert len({free_port() for _ in range(5)}) > 1


def test_server_certificate_names(certificates: Certificates) -> None:
    """The names that the documentation uses are in the certificate; a client accepts it strictly."""
    certificate = x509.load_pem_x509_certificate(certificates.cert.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "acme-staging-v02.api.letsencrypt.org" in names.get_values_for_type(x509.DNSName)
    context = ssl.create_default_context(cafile=str(certificates.ca_bundle))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    assert context.cert_store_stats()["x509_ca"] == 1


def test_a_relay_delays_connecting_and_each_direction() -> None:
    """What passes arrives whole and in order, and the client's end too; the first answer takes two round trips."""
    pieces = [bytes([65 + number]) * (number + 1) for number in range(20)]
    ended = asyncio.Event()

    async def lower(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1000):
            writer.write(piece.lower())
        ended.set()

    async def ask() -> tuple[bytes, float]:
        server = await asyncio.start_server(lower, "127.0.0.1", 0)
        relay = await far.serve(*server.sockets[0].getsockname(), 0.04)
        began = time.monotonic()
        reader, writer = await asyncio.open_connection(*relay.sockets[0].getsockname())
        writer.write(pieces[0])
        first = await reader.readexactly(1)
        took = time.monotonic() - began
        for piece in pieces[1:]:
            writer.write(piece)
        rest = await reader.readexactly(sum(map(len, pieces)) - 1)
        writer.close()
        await ended.wait()
        relay.close()
        server.close()
        return first + rest, took

    received, took = asyncio.run(ask())
    assert received == b"".join(pieces).lower()
    assert took >= 0.08
