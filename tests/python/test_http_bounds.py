"""What a server may send: counted where the socket is read, framed as RFC 9112 says, decoded within the same bound."""

from __future__ import annotations

import contextlib
import gzip
import resource
import socket
import threading
import zlib
from collections.abc import Callable, Iterable, Iterator

import pytest

from tossl_acme.context import Context
from tossl_acme.errors import HttpError
from tossl_acme.http.client import HttpClient, HttpRequest
from tossl_acme.http.options import ConnectionOptions
from tossl_acme.http.response import Response

MOST = 100_000
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
#: More than any bound here, less than what would hurt the machine if there were none.
ENDLESS = 200 << 20


class Raw:
    """A server that sends pieces to whoever connects and tells how many bytes it got rid of."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.sent = 0
        self.heads: list[bytes] = []
        self.done = threading.Event()

    def serve(self, pieces: Iterable[bytes]) -> str:
        def run() -> None:
            connection, _ = self.listener.accept()
            with connection, contextlib.suppress(OSError):
                self.heads.append(connection.recv(65536))
                for piece in pieces:
                    connection.sendall(piece)
                    self.sent += len(piece)
            self.done.set()

        threading.Thread(target=run, daemon=True).start()
        return self.url


@pytest.fixture
def raw() -> Iterator[Raw]:
    server = Raw()
    yield server
    server.listener.close()


def get(url: str, method: str = "GET", most_bytes: int = MOST) -> Response:
    return HttpClient().exchange(Context(30).begin(), HttpRequest(method, url, most_bytes=most_bytes))


def refused(raw: Raw, pieces: Iterable[bytes], most_bytes: int = MOST) -> str:
    with pytest.raises(HttpError) as raised:
        get(raw.serve(pieces), most_bytes=most_bytes)
    return raised.value.kind


def forever(piece: bytes) -> Iterator[bytes]:
    for _ in range(ENDLESS // len(piece)):
        yield piece


def after(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    yield from forever(piece)


@pytest.mark.parametrize(
    ("head", "piece", "kind"),
    [
        (OK + b"\r\n", b"x" * 65536, "too_large"),
        (CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n", "too_large"),
        (CHUNKED, b"1\r\nx\r\n" * 10000, "too_large"),
        (CHUNKED + b"-1\r\n", b"x" * 65536, "malformed"),
        (CHUNKED + b"5;", b"x" * 65536, "malformed"),
        (CHUNKED + b"0\r\n", b"X: y\r\n" * 10000, "malformed"),
        (CHUNKED + b"0\r\n", b"x" * 65536, "malformed"),
        (OK, b"X: " + b"y" * 60000 + b"\r\n", "too_large"),
        (OK, b"X: y\r\n" * 10000, "malformed"),
        (OK + b"X: ", b"y" * 65536, "malformed"),
        (b"", b"y" * 65536, "malformed"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, "too_large"),
        (b"", b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n" * 1000, "too_large"),
        (OK + b"Content-Length: 200000000\r\n\r\n", b"x" * 65536, "too_large"),
    ],
    ids=lambda value: repr(value)[:30] if isinstance(value, bytes) else value,
)
def test_what_has_no_end_is_left(raw: Raw, head: bytes, piece: bytes, kind: str) -> None:
    """Soon: what the server got rid of is what the bound allows and what the kernel holds."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(raw, after(head, piece)) == kind
    assert raw.done.wait(10)
    assert raw.sent < ENDLESS // 8
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10  # in KB


@pytest.mark.parametrize("size", [b"-1", b"+1", b"0x1", b" 1", b"1_0", b"", b"1 1", b"g", b"1" * 17, b"\xd9\xa1"])
def test_a_chunk_size_is_hexadecimal_digits(raw: Raw, size: bytes) -> None:
    """Whatever Python's int() takes besides."""
    assert refused(raw, [CHUNKED + size + b"\r\nx\r\n0\r\n\r\n"]) == "malformed"


@pytest.mark.parametrize("body", [b"1\r\nxy\r\n0\r\n\r\n", b"1\r\nx\n0\r\n\r\n", b"2\r\nx\r\n0\r\n\r\n"])
def test_a_chunk_is_as_long_as_it_says(raw: Raw, body: bytes) -> None:
    """Else another reader of the same bytes might read something else."""
    assert refused(raw, [CHUNKED + body]) == "malformed"


@pytest.mark.parametrize(
    "fields",
    [
        b"Content-Length: -1",
        b"Content-Length: +1",
        b"Content-Length: 1_0",
        b"Content-Length: 0x1",
        b"Content-Length: 1, 2",
        b"Content-Length: 1\r\nContent-Length: 2",
        b"Content-Length: \xb2",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        b"X : y\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding : chunked",
        b"x\r\nContent-Length: 10",
        b"X: y\rTransfer-Encoding: chunked",
        b"X: y\r\r\nContent-Length: 10",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: chunked\v",
        b"Content-Length: 10\v",
        b"Transfer-Encoding: chunked \r\nContent-Length: 10",
        b"Content-Type: multipart/mixed; boundary=z\r\nx\r\n--z\r\nTransfer-Encoding: chunked",
        b"Content-Type: message/http\r\nx\r\nTransfer-Encoding: chunked",
    ],
)
def test_framing_that_is_read_in_two_ways_is_refused(raw: Raw, fields: bytes) -> None:
    """Whatever follows it."""
    assert refused(raw, [OK + fields + b"\r\n\r\n" + b"x" * 10]) == "malformed"


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 10\r\n\r\nabc",
        CHUNKED + b"a\r\nabc",
        CHUNKED + b"3\r\nabc\r\n",
        CHUNKED + b"3\r\nabc\r\n0\r\n",
        CHUNKED + b"3",
        CHUNKED,
        b"HTTP/1.1 200 OK\r\nX: y",
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_is_cut_off_is_none(raw: Raw, answer: bytes) -> None:
    """The connection broke, so the request may be sent again."""
    assert refused(raw, [answer]) == "reset"


@pytest.mark.parametrize("answer", [b"SSH-2.0-x\r\n", b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n", b""])
def test_a_proxy_that_does_not_speak_http_is_named(raw: Raw, answer: bytes) -> None:
    """The server has not answered."""
    http = HttpClient(ConnectionOptions(proxy=raw.serve([answer])))
    with pytest.raises(HttpError, match=r"the proxy (for|did not connect to) https://ca\.example/"):
        http.exchange(Context(30).begin(), HttpRequest("GET", "https://ca.example/"))


def test_a_line_that_is_no_header_takes_nothing_else_away(raw: Raw) -> None:
    assert get(raw.serve([OK + b"X: y\r\nnonsense\r\n\r\nabc"])).body == b"abc"


def test_chunks_are_put_together(raw: Raw) -> None:
    """With extensions, white space before those, and a trailer."""
    body = b"3;a=b\r\nabc\r\n2 \r\nde\r\n001\r\nf\r\n0\r\nX: y\r\nZ: w\r\n\r\n"
    assert get(raw.serve([CHUNKED, *(bytes([byte]) for byte in body)])).body == b"abcdef"


@pytest.mark.parametrize("value", [b"chunked ", b"chunked\t", b"\r\n chunked"])
def test_white_space_beside_the_coding_is_none_of_it(raw: Raw, value: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: " + value + b"\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    assert get(raw.serve([answer])).body == b"abc"


def test_a_small_answer_in_chunks_of_a_byte_is_taken(raw: Raw) -> None:
    """Six bytes each."""
    assert get(raw.serve([CHUNKED + b"1\r\nx\r\n" * 20000 + b"0\r\n\r\n"])).body == b"x" * 20000


def test_a_body_of_just_the_size_is_taken(raw: Raw) -> None:
    """And a byte more is not."""
    assert len(get(raw.serve([OK + b"\r\n" + b"x" * MOST])).body) == MOST
    assert refused(raw, [OK + b"\r\n" + b"x" * (MOST + 1)]) == "too_large"


def test_interim_answers_are_skipped(raw: Raw) -> None:
    """103 too, which is not the answer (RFC 9110 section 15.2)."""
    interim = [b"HTTP/1.1 %d Wait\r\nLink: </x>\r\n\r\n" % status for status in (100, 103, 102, 100)]
    response = get(raw.serve([*interim, OK + b"Content-Length: 3\r\n\r\nabc"]))
    assert (response.status, response.body) == (200, b"abc")


def test_a_head_has_no_body(raw: Raw) -> None:
    """However long it says that one would be, and however it would be sent."""
    for fields in (b"Content-Length: 200000000", b"Transfer-Encoding: chunked", b"Content-Encoding: gzip"):
        assert get(raw.serve([OK + fields + b"\r\n\r\n"]), "HEAD").body == b""


def test_cookies_are_bounded(raw: Raw) -> None:
    """Ten are sent back with the next request; a hundred long ones with none."""
    http, kept = HttpClient(keeps_cookies=True), []
    for count in (10, 40):
        cookies = b"".join(b"Set-Cookie: c%d=%b\r\n" % (number, b"x" * 300) for number in range(count))
        http.exchange(Context(30).begin(), HttpRequest("GET", raw.serve([OK + cookies + b"Content-Length: 0\r\n\r\n"])))
        http.exchange(Context(30).begin(), HttpRequest("GET", raw.serve([OK + b"Content-Length: 0\r\n\r\n"])))
        kept.append(raw.heads[-1].count(b"=xxx"))
    assert kept == [10, 0]


def test_cookies_are_neither_kept_nor_sent(raw: Raw) -> None:
    """By the clients of CAs and DNS APIs."""
    http = HttpClient()
    for cookie in (b"Set-Cookie: a=1; Path=/\r\n", b"Set-Cookie: b=%b\r\n" % (b"x" * 30_000), b""):
        http.exchange(Context(30).begin(), HttpRequest("GET", raw.serve([OK + cookie + b"Content-Length: 0\r\n\r\n"])))
    assert b"cookie" not in b"".join(raw.heads).lower()


def coded(body: bytes, coding: bytes = b"gzip") -> bytes:
    return OK + b"Content-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body


def deflated(body: bytes, bits: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, bits)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    "answer",
    [
        coded(gzip.compress(b"hello" * 1000)),
        coded(gzip.compress(b"hello" * 500) + gzip.compress(b"hello" * 500)),
        coded(gzip.compress(b"hello" * 1000), b"X-GZip"),
        coded(deflated(b"hello" * 1000, 15), b"deflate"),
        coded(deflated(b"hello" * 1000, -15), b"deflate"),
        coded(b"hello" * 1000, b"identity"),
    ],
)
def test_content_is_decoded(raw: Raw, answer: bytes) -> None:
    """As servers send it."""
    assert get(raw.serve([answer])).body == b"hello" * 1000


def bomb() -> bytes:
    """64 MB of zeros, which are never in memory here either: the test measures how much ever was."""
    packer, piece = zlib.compressobj(9, zlib.DEFLATED, 31), bytes(1 << 20)
    return b"".join([*(packer.compress(piece) for _ in range(64)), packer.flush()])


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (bomb, "too_large"),
        (lambda: gzip.compress(b"\0" * 2000) * 90, "too_large"),
        (lambda: gzip.compress(b"") * 1000, "malformed"),
        (lambda: gzip.compress(b"hello" * 1000)[:-10], "malformed"),
        (lambda: b"hello" * 10, "malformed"),
    ],
    ids=["bomb", "sum", "members", "cut", "plain"],
)
def test_what_is_decoded_is_bounded(raw: Raw, body: Callable[[], bytes], kind: str) -> None:
    """By what it becomes, and never all of that at once."""
    answer = coded(body())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refused(raw, [answer]) == kind
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 << 10  # in KB
