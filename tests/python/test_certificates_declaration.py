"""A declared set in a file that is read again."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.earth import DAY, MINUTE, Earth
from tossl_acme.certificates.declaration import DeclaredFile, without_comments
from tossl_acme.certificates.managed import Managed
from tossl_acme.context import Context
from tossl_acme.errors import ArgumentError
from tossl_acme.files import FilePath


def parse_names(earth: Earth) -> Callable[[Context, str], Mapping[str, Managed]]:
    """Reads a file of names; the same object for the same name."""
    known: dict[str, Managed] = {}

    def parse(_context: Context, text: str) -> Mapping[str, Managed]:
        if "{" in text:
            raise ArgumentError("certificates", "unmatched open brace")
        return {name: known.setdefault(name, earth.managed(name)) for name in text.split()}

    return parse


def test_a_file_is_read_again_and_what_left_it_is_said(earth: Earth, tmp_path: Path) -> None:
    path = tmp_path / "set"
    path.write_text("# mine\na.example b.example\n")
    source = DeclaredFile(FilePath(str(path)), parse_names(earth))
    manager = earth.manager(source.read(earth.context), source)
    earth.run(manager, 2 * MINUTE)
    assert [one["name"] for one in earth.renewed] == ["a.example", "b.example"]
    path.write_text("b.example c.example\n")
    earth.run(manager, 2 * MINUTE)
    assert [one["name"] for one in earth.renewed] == ["a.example", "b.example", "c.example"]
    assert [step["name"] for step in earth.told if step["step"] == "unmanaged"] == ["a.example"]
    earth.run(manager, 70 * DAY, DAY)
    assert {one["name"] for one in earth.renewed[3:]} == {"b.example", "c.example"}
    assert not earth.failed


@pytest.mark.parametrize("wrong", ["{", None, b"\xff"], ids=["no dict", "gone", "no UTF-8"])
def test_a_file_that_became_wrong_leaves_the_last_good_set(earth: Earth, tmp_path: Path, wrong: str | None) -> None:
    path = tmp_path / "set"
    path.write_text("a.example\n")
    source = DeclaredFile(FilePath(str(path)), parse_names(earth))
    manager = earth.manager(source.read(earth.context), source)
    earth.run(manager, MINUTE)
    if wrong is None:
        path.unlink()
    else:
        path.write_bytes(wrong if isinstance(wrong, bytes) else wrong.encode())
    earth.run(manager, 70 * DAY, DAY)
    assert len(earth.renewed) == 2
    assert earth.errors == [["TOSSL", "VALUE", "certificates"]]
    assert str(path) in earth.failed[0]["message"]
    path.write_text("a.example b.example\n")
    earth.run(manager, 2 * MINUTE)
    assert earth.renewed[-1]["name"] == "b.example"
    assert len(earth.failed) == 1


def test_a_pipe_is_refused_and_not_waited_for(earth: Earth, tmp_path: Path) -> None:
    path = tmp_path / "set"
    os.mkfifo(path)
    closing = os.open(path, os.O_RDWR)
    os.write(closing, b"a.example\n")
    os.set_blocking(closing, False)
    try:
        with pytest.raises(ArgumentError, match="is not a regular file"):
            DeclaredFile(FilePath(str(path)), parse_names(earth)).read(earth.context)
        assert os.read(closing, 10) == b"a.example\n"
    finally:
        os.close(closing)


def test_only_line_feeds_end_a_comment() -> None:
    text = "# a\u2028b {\r\nweb {domains a -api_key x\x0c#y\u2028#z}\r\n"
    assert without_comments(text) == "\nweb {domains a -api_key x\x0c#y\u2028#z}\r\n"
