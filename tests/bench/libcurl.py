"""The few calls of libcurl that send a request and read its answer, on one connection."""

from __future__ import annotations

import ctypes

_URL, _CAINFO, _POSTFIELDS, _POST = 10002, 10065, 10015, 47
_HTTPHEADER, _WRITEFUNCTION, _HEADERFUNCTION, _POSTFIELDSIZE = 10023, 20011, 20079, 60
_NOBODY, _HTTPGET, _PROXY = 44, 80, 10004
_RESPONSE_CODE = 0x200002
_READ = ctypes.CFUNCTYPE(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t, ctypes.c_void_p)


class Connection:
    """One easy handle: libcurl keeps its connection between two requests."""

    def __init__(self, ca_bundle: str) -> None:
        self._curl = ctypes.CDLL("libcurl.so.4")
        self._curl.curl_easy_init.restype = ctypes.c_void_p
        self._curl.curl_slist_append.restype = ctypes.c_void_p
        self._curl.curl_slist_append.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        self._curl.curl_easy_strerror.restype = ctypes.c_char_p
        self._handle = ctypes.c_void_p(self._curl.curl_easy_init())
        self._lines: list[bytes] = []
        self._pieces: list[bytes] = []
        self._readers = _READ(_keeper(self._lines)), _READ(_keeper(self._pieces))
        self._kind = ctypes.c_void_p(self._curl.curl_slist_append(None, b"Content-Type: application/jose+json"))
        self._set(_CAINFO, ca_bundle.encode())
        self._set(_PROXY, b"")
        self._set(_HEADERFUNCTION, self._readers[0])
        self._set(_WRITEFUNCTION, self._readers[1])

    def send(self, method: str, url: str, data: str | None) -> tuple[int, dict[str, str], bytes]:
        """Returns status, headers with small names, and body."""
        self._lines.clear()
        self._pieces.clear()
        self._set(_URL, url.encode())
        body = data.encode() if data else None  # libcurl reads it where it is
        if body is None:
            self._set(_HTTPGET, ctypes.c_long(1))
            self._set(_NOBODY, ctypes.c_long(method == "HEAD"))
        else:
            self._set(_POST, ctypes.c_long(1))
            self._set(_POSTFIELDSIZE, ctypes.c_long(len(body)))
            self._set(_POSTFIELDS, body)
        self._set(_HTTPHEADER, None if body is None else self._kind)
        self._check(self._curl.curl_easy_perform(self._handle))
        code = ctypes.c_long()
        self._check(self._curl.curl_easy_getinfo(self._handle, _RESPONSE_CODE, ctypes.byref(code)))
        headers = (line.decode("latin-1").partition(":") for line in self._lines)
        return code.value, {name.lower(): value.strip() for name, _, value in headers}, b"".join(self._pieces)

    def _set(self, option: int, value: object) -> None:
        self._check(self._curl.curl_easy_setopt(self._handle, option, value))

    def _check(self, code: int) -> None:
        if code:
            raise OSError(self._curl.curl_easy_strerror(code).decode())


def _keeper(kept: list[bytes]):  # type: ignore[no-untyped-def]
    def keep(data: int, size: int, count: int, _user: object) -> int:
        kept.append(ctypes.string_at(data, size * count))
        return size * count

    return keep
