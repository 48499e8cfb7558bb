"""No provider shows a secret: a service that quotes all that it gets is quoted without them."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.servers.web import LookAlike, Reply, Request
from tossl_acme.context import Context
from tossl_acme.dns import hosted
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.provider import AccountKeeper
from tossl_acme.dns.registry import open_provider, provider_credentials, provider_type
from tossl_acme.errors import TosslError
from tossl_acme.text import Secret

NAME = "_acme-challenge.example.com"
PROVIDERS = [name for name in provider_credentials() if not getattr(provider_type(name), "has_variants", False)]


def marked(field: str) -> str:
    """A secret that is recognised, in base64 as TSIG wants it."""
    return base64.b64encode(f"secret of the field {field} .......".ljust(45, ".").encode()).decode()


class Echo(LookAlike):
    """Answers with the request itself."""

    def __init__(self, status: int, kind: str) -> None:
        self.status = status
        self._kind = kind
        super().__init__(None)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        said = " ".join([request.target, *request.headers.values(), request.body.decode()])
        body = {
            "plain": said,
            "json": json.dumps({"message": said, "error": said, "detail": said, "success": False,
                                "errors": [{"code": 1, "message": said}]}),
            "aws": f"<ErrorResponse><Error><Code>Odd</Code><Message>{said}</Message></Error></ErrorResponse>",
        }[self._kind]  # fmt: skip
        return Reply(self.status, body.encode(), {"Content-Type": "application/json"})


@pytest.fixture(params=[(400, "json"), (401, "plain"), (403, "aws"), (200, "plain")], ids=str)
def echo(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Echo]:
    monkeypatch.setattr(hosted, "zone_name", lambda *_words: None)
    with Echo(*request.param) as server:
        yield server


@pytest.mark.parametrize("name", PROVIDERS)
def test_secrets_are_in_no_message(name: str, echo: Echo, capfd: pytest.CaptureFixture[str]) -> None:
    fields = {"server": echo.origin.partition("://")[2]}
    credentials = {}
    for one in provider_credentials()[name]:
        if one.secret:
            credentials[one.field] = Secret(marked(one.field))
        elif one.field in fields:
            credentials[one.field] = Secret(fields[one.field])
        elif one.field in ("key_name", "access_key_id", "subdomain", "application_key"):
            credentials[one.field] = Secret("public")
    told: list[object] = []
    context = Context(0.2 if name == "rfc2136" else 5).begin(listener=told.append)
    provider = open_provider(ProviderOptions(name, credentials, endpoint=echo.origin))
    if isinstance(provider, AccountKeeper):
        provider.keep_accounts({})
    for act in (provider.publish, provider.remove):
        try:
            act(context, NAME, "v" * 43)
        except TosslError as error:
            assert error.errorcode[1] != "INTERNAL"
            told += [error.message, error.details, repr(error)]
    assert told or (name, echo.status) == ("generic", 200)
    told += [repr(provider), *capfd.readouterr()]
    secrets = [secret.value for field, secret in credentials.items() if field in
               {one.field for one in provider_credentials()[name] if one.secret}]  # fmt: skip
    assert secrets
    assert not [secret for secret in secrets if secret in repr(told)]


class Cutting(LookAlike):
    """Quotes the key where a message ends, and in its headers."""

    def __init__(self, before: int, status: int, header: str) -> None:
        self._before, self._status, self._header = before, status, header
        super().__init__(None)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        key = base64.b64encode(b"user:").decode()[:6]
        sent = next(value for value in request.headers.values() if value.startswith(("Bearer ", f"Basic {key}")))
        said = sent.partition(" ")[2]
        headers = {self._header: f"https://127.0.0.1:1/{said}?{said}" if self._header == "Location" else said}
        text = ("x" * self._before + said) * 3
        body = {"success": False, "message": text, "errors": [{"code": 1, "message": text}]}
        return Reply(self._status, json.dumps(body).encode(), headers)


@pytest.mark.parametrize("before", [0, 270, 290, 599])
@pytest.mark.parametrize(("status", "header"), [(403, "X-Odd"), (302, "Location"), (400, "Content-Type")])
@pytest.mark.parametrize("name", ["cloudflare", "digitalocean"])
def test_no_part_of_a_secret_is_shown_where_a_text_is_cut(
    monkeypatch: pytest.MonkeyPatch, name: str, status: int, header: str, before: int
) -> None:
    """Nor one in a header: a key is hidden before a text is cut."""
    monkeypatch.setattr(hosted, "zone_name", lambda *_words: None)
    key = "Sesame0Open1Sesame2Open3Sesame4Open5Sesame"
    with Cutting(before, status, header) as server:
        provider = open_provider(ProviderOptions(name, {"api_key": Secret(key)}, endpoint=server.origin))
        with pytest.raises(TosslError) as caught:
            provider.publish(Context(5).begin(), NAME, "v" * 43)
    assert caught.value.errorcode[1] in ("DNS", "HTTP")
    shown = f"{caught.value.message} {caught.value.details}"
    assert key[:6] not in shown, shown


@pytest.mark.parametrize("line", ["{}", "HTTP/1.1 {}", "HTTP/1.1 200 OK\r\n{}", "HTTP/{} 200 OK"])
def test_no_part_of_a_secret_is_shown_of_an_answer_that_is_none_of_http(
    monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    """A first line that is wrong is quoted, without the key."""
    monkeypatch.setattr(hosted, "zone_name", lambda *_words: None)
    key = "Sesame0Open1Sesame2Open3Sesame4Open5Sesame"
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as peer:
                        peer.recv(65536)
                        peer.sendall(f"{line.format('x' * 190 + key)}\r\n\r\n".encode())

        threading.Thread(target=serve, daemon=True).start()
        endpoint = f"http://127.0.0.1:{listener.getsockname()[1]}"
        provider = open_provider(ProviderOptions("cloudflare", {"api_key": Secret(key)}, endpoint=endpoint))
        with pytest.raises(TosslError) as caught:
            provider.publish(Context(5).begin(), NAME, "v" * 43)
        listener.shutdown(socket.SHUT_RDWR)
    assert caught.value.errorcode[1] in ("DNS", "HTTP")
    assert key[:6] not in f"{caught.value.message} {caught.value.details}"
