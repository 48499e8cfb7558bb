"""What stands in a message: nothing secret, nothing that does not print, and in linear time whatever the input."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable

import pytest
from requests.structures import CaseInsensitiveDict

from tossl_acme.acme.account import contact_urls
from tossl_acme.acme.links import links
from tossl_acme.acme.order import replaced_id
from tossl_acme.acme.problem import document_error, retry_after
from tossl_acme.acme.public_cas import directory_url
from tossl_acme.acme.urls import https_url
from tossl_acme.challenges.http_server import answer_to
from tossl_acme.challenges.registry import is_validation_name
from tossl_acme.dns.api import endpoint_url
from tossl_acme.dns.options import ProviderOptions
from tossl_acme.dns.registry import open_provider
from tossl_acme.dns.resolver import parse_resolver
from tossl_acme.dns.txt import txt_value
from tossl_acme.errors import TosslError
from tossl_acme.http.get import body_value, header_dict, prepare
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.response import Response
from tossl_acme.identifiers import parse_identifiers
from tossl_acme.pki.keys import load_private_key
from tossl_acme.pki.pem import PemError, certificate_blocks, read_blocks
from tossl_acme.tcl.values import converter
from tossl_acme.text import Secret, clean, masked, quoted, without_credentials


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PRIVATE KEY-----",
        "MHcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY",
        "/HcCAQEEIIrYSSNQFaA2Hwf1duRSxKtLYX5CB04fSeQ6tF1aY",  # no path
        "0123456789abcdef0123456789abcdef",
        '{"kty":"OKP","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',
        "correct horse battery staple",
        "a" * 5000,
    ],
)
def test_what_may_be_secret_is_its_length_alone(secret: str) -> None:
    """Whatever argument it was given for by mistake."""
    assert quoted(secret) == f"a value of {len(secret)} characters"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("example.com", '"example.com"'),
        ("a b.example", '"a b.example"'),
        ("tab\tbell\a", '"tab?bell?"'),
        ("/srv/my files/of all my sites/", '"/srv/my files/of all my sites/"'),
        ("a" * 100, f'"{"a" * 77}..."'),
        ("https://user:sesame@a.example/x?key=sesame#sesame", '"https://a.example/x"'),
        ("https://sesame@a.example", '"https://a.example"'),
    ],
)
def test_what_a_person_typed_is_shown(value: str, shown: str) -> None:
    """On one line, without the secrets of a URL."""
    assert quoted(value) == shown


def test_a_url_keeps_what_is_no_secret() -> None:
    """An @ in the path is no user."""
    assert without_credentials("http://a:b@c.example:80/@x") == "http://c.example:80/@x"
    assert without_credentials("b@c.example?x=1") == "c.example"
    assert without_credentials("http://[::1]:80/@x") == "http://[::1]:80/@x"
    assert without_credentials("http://[::1]/@x") == "http://[::1]/@x"


@pytest.mark.parametrize("delimiter", "/?#")
def test_a_password_may_hold_a_delimiter(delimiter: str) -> None:
    """It should be encoded, but people do not."""
    for scheme in ("http://", ""):
        assert without_credentials(f"{scheme}u:ses{delimiter}ame@c.example:80/x?y") == f"{scheme}c.example:80/x"
    assert "ses" not in quoted(f"http://u:ses{delimiter}ame@c.example")


def test_a_servers_words_are_one_line() -> None:
    """Of bounded length, without control characters and reversed text."""
    assert clean("a\r\n  b\x1b[2J\u202ec") == "a b?[2J?c"
    assert clean("x" * 2000) == "x" * 997 + "..."
    assert clean("y" * 50, 10) == "y" * 7 + "..."
    assert clean({"a": 1}) == "{'a': 1}"


def test_an_error_is_safe_and_bounded_wherever_its_words_are_from() -> None:
    """The https URL at its end stays whole, up to 2,000 characters."""
    url = f"https://ca.example/{'u' * 1980}"
    error = TosslError(f"a\x1b\u202e\n{'x' * 5000} {url}", "ACME", "odd\x9b\u2066" + "y" * 5000)
    assert error.message.startswith("a?? x")
    assert error.message.endswith(f"x... {url}")
    assert len(error.message) <= 3900
    assert error.errorcode[2].startswith("odd??y")
    assert len(error.errorcode[2]) < 300
    assert len(TosslError(f"{'x' * 5000} {url}uu").message) == 3900


def response(body: bytes = b"", **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response("https://ca.example/x", 200, CaseInsensitiveDict(named), body, tuple(named.items()))


CONVERTERS = [converter(name) for name in ("int", "float", "bool")]

#: Everything that reads text of a user, a CA, an API or a CA's validation servers.
READERS = {
    "quoted": quoted,
    "without_credentials": without_credentials,
    "clean": clean,
    "identifiers": lambda text: parse_identifiers([text]),
    "international identifiers": lambda text: parse_identifiers(["ü" + text]),
    "directory URL": directory_url,
    "https URL": lambda text: https_url("https://" + text, "url"),
    "mail": contact_urls,
    "contact": lambda text: contact_urls("", [text]),
    "replaces": replaced_id,
    "problem": lambda text: document_error({"type": text, "detail": text, "subproblems": [{"detail": text}]}, 400),
    "Retry-After": lambda text: retry_after({"Retry-After": text}),
    "Link": lambda text: links(response(Link=text), "next"),
    "PEM": read_blocks,
    "certificate blocks": certificate_blocks,
    "key": load_private_key,
    "request line": lambda text: answer_to(text.encode("utf-8", "replace"), lambda _token: None),
    "provider": lambda text: open_provider(ProviderOptions(text)),
    "credentials": lambda text: open_provider(ProviderOptions("cloudflare", {"api_key": Secret(text)})),
    "zone id": lambda text: open_provider(ProviderOptions("cloudflare", {"api_key": Secret("key")}, text)),
    "endpoint": endpoint_url,
    "record name": is_validation_name,
    "resolver": parse_resolver,
    "TXT content": txt_value,
    "proxy": lambda text: ConnectionOptions(proxy=text),
    "http::get's URL": lambda text: prepare("https://" + text, {}),
    "http::get's headers": lambda text: prepare("https://a.example", {text: text}, text, text, text),
    "headers": lambda text: header_dict(response(X=text)),
    "charset": lambda text: body_value(response(b"x", Content_Type="text/plain" + text)),
    "media type": lambda text: body_value(response(b"x", Content_Type=text)),
    **{f"convert {at}": lambda text, to=to: to(None, "-x", text) for at, to in enumerate(CONVERTERS)},
}
#: Repeated to a length: what matches the beginning of a pattern again and again.
PIECES = (
    "a", "1", "a1", "-", "/", ".", "ü", "ü.", " ", "\t", "\n", "<", "<a>;", '<a>;b="', '\\"', '"\\"', "\\", ";a=", "; ",
    ";charset", ";charset=", "://", "@", ":", "[", "%", "-----BEGIN ", "-----BEGIN A-----", "-----", "0x", "_", "+",
    ",", "xn--", "GET ", "é", "\u3002", "\ud800", "*.", "text/", "=",
)  # fmt: skip
#: 64 KB: what takes the square of that takes seconds to minutes, what is linear takes milliseconds.
CHARACTERS = 1 << 16
SECONDS = 0.5


@pytest.mark.parametrize("reader", READERS)
def test_a_long_input_takes_no_square_of_its_length(reader: str) -> None:
    """Of any kind that one of the patterns here might stumble over."""
    for piece, lead in itertools.product(PIECES, ("", '"', "<a>")):
        took = seconds_for(READERS[reader], lead + piece * (CHARACTERS // len(piece)))
        assert took < SECONDS, f"{reader} took {took:.1f} s for 64 KB of {lead + piece!r}"


@pytest.mark.parametrize("reader", READERS)
def test_a_megabyte_ends(reader: str) -> None:
    """It is read once, or refused for its length."""
    for piece in ("a1", '"\\"', " ", "-----BEGIN A-----"):
        assert seconds_for(READERS[reader], piece * ((1 << 20) // len(piece))) < 4 * SECONDS


def seconds_for(read: Callable[[str], object], text: str) -> float:
    began = time.thread_time()
    with contextlib.suppress(TosslError, PemError):
        read(text)
    return time.thread_time() - began


@pytest.mark.parametrize("line", ["/ab1CdEfGh/jKlMnOpQrStUvW/yZ0123456789aB/dEfGh/JkLmNoPqRsT", "/aB1/" * 12 + "+w=="])
def test_a_keys_line_that_looks_like_a_path(line: str) -> None:
    assert quoted(line) == f"a value of {len(line)} characters"


@pytest.mark.parametrize("path", ["/srv/www/Sites2/example.com/htdocs/public_html", "/usr/local/share/tossl/certs"])
def test_a_path_is_shown(path: str) -> None:
    assert quoted(path) == f'"{path}"'


@pytest.mark.parametrize(
    "line",
    [
        "api_key=swordfish",
        "API-KEY: 'sword fish'",
        'the answer was {"token": "swordfish"}',
        "password = swordfish",
        "Authorization: Bearer swordfish more of it",
        "Proxy-Authorization: Basic swordfish",
        "https://hooks.example/swordfish/aB3aB3aB3aB3aB3aB3aB3aB3",
        "https://hooks.example/v1.0-a_B3-aB3_aB3-aB3aB3x/swordfish-A1-swordfish",
        "it is aB3aB3aB3aB3aB3aB3aB3aB3swordfish.",
    ],
)
def test_a_secret_in_a_text_of_others_is_masked(line: str) -> None:
    shown = masked(line.replace("/swordfish/", "/"))
    assert "swordfish" not in shown and "aB3aB3" not in shown
    assert "(hidden)" in shown


@pytest.mark.parametrize(
    "line",
    [
        "order https://ca.example/order/12 is ready for www.example.com",
        "api_key_file = /etc/tossl/api-key",
        "2026-11-26T07:05:59.123Z info    tossl.acme [3f9a] new key: certificates/example.com",
    ],
)
def test_the_rest_of_it_stays(line: str) -> None:
    assert masked(line) == line
