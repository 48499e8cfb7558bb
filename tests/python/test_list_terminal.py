"""`tossl list` in a real terminal, of several widths: tmux's, which says what a person would see."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stores import put, put_set

TREE = Path(__file__).parents[2]
BARS = "█░┃"
WHY = "DNS problem: 域名验证失败, looking up A for failed.example - check that a DNS A record exists for this domain"
LONG = f"a-name-that-is-rather-long-{'and-goes-on-' * 6}until-it-ends.sub.domain.example.com"


class Terminal:
    """One terminal, in which one program after another runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._words = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null", "-u"]
        plain = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._environment = {**plain, "LANG": "C.UTF-8", "TOSSL_CONF": "", "TMUX_TMPDIR": str(folder)}
        self.tmux("new-session", "-d", "-x", "80", "-y", "60", "exec cat")

    def tmux(self, *words: str) -> str:
        ran = subprocess.run(
            [*self._words, *words], env=self._environment, capture_output=True, text=True, check=True, timeout=60
        )
        return ran.stdout

    def show(self, width: int, *words: str, shown_as: str = "", **environment: str) -> list[str]:
        """Resizes it, runs tossl with these words, and returns the lines that are seen: none is wider than it.

        shown_as: options of capture-pane.
        """
        self.tmux("resize-window", "-x", str(width), "-y", "400")
        settings = [f"{name}={value}" for name, value in environment.items()]
        command = shlex.join(["env", *settings, os.environ.get("TCLSH", "tclsh"), str(TREE / "bin" / "tossl"), *words])
        waiting = shlex.join([*self._words, "wait-for", "-S", "shown"])
        self.tmux("respawn-pane", "-k", f"stty -echo; {command}; {waiting}; exec cat")
        self.tmux("wait-for", "shown")
        seen = self.tmux("capture-pane", "-p", *shown_as.split())
        assert self._lines(self.tmux("capture-pane", "-p")) == self._lines(self.tmux("capture-pane", "-pJ"))
        return self._lines(seen)

    def _lines(self, seen: str) -> list[str]:
        return [line.rstrip() for line in seen.split("\n") if line.strip()]


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("t"))
    yield terminal
    terminal.tmux("kill-server")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("listed") / "s"
    put(store, "a.example", -30, 60)
    put(store, "due.example", -61, 29)
    put(store, "expired.example", -100, -10)
    put(store, "failed.example", -70, 20)
    put_set(store, "renewal/failed.example", "renewal.json", {"last_error": {"message": WHY}})
    put(store, "future.example", 1.5, 91.5)
    put(store, LONG, -10, 80)
    put(store, "revoked.example", -100, -10, revoked=1)
    put(store, "xn--fiqs8s.example", -45, 45, renewable=False)
    put_set(store, "certificates/zz.example", "certificate.json", "{")
    return store


@pytest.mark.parametrize("width", [200, 40, 120, 80], ids=str)
def test_a_life_is_a_bar_in_the_width_that_there_is(terminal: Terminal, store: Path, width: int) -> None:
    """The terminal is resized in between."""
    lines = terminal.show(width, "list", "--store", str(store))
    rows = {line.split()[0]: line for line in lines}
    bars = {name: re.findall(f"[{BARS}]{{4,}}", row) for name, row in rows.items() if name != "name"}
    joined = re.sub(r"\s", "", "".join(lines))
    assert LONG in joined
    assert re.sub(r"\s", "", WHY) in joined
    if width == 40:
        assert not any(bars.values())
        assert re.fullmatch(r"a\.example +\d{4}-\d\d-\d\d +valid", rows["a.example"])
        return
    (bar,) = bars["a.example"]
    lasting = len(bar)
    assert lasting >= {80: 16, 120: 50, 200: 130}[width]
    assert (bar.count("┃"), bar.index("┃")) == (1, lasting * 2 // 3)
    assert abs(bar.count("█") - lasting / 3) <= 1
    assert bar.rstrip("░").endswith("┃")
    assert bars["due.example"][0].startswith("█" * (lasting * 2 // 3) + "┃")
    assert "░" in bars["due.example"][0]
    assert set(bars["expired.example"][0]) == {"█", "┃"}
    assert set(bars["future.example"][0]) == {"░", "┃"}
    assert not bars["zz.example"]
    states = {"a": "valid", "due": "due", "expired": "expired", "revoked": "revoked", "zz": "damaged"}
    assert {name: rows[f"{name}.example"].split()[-1] for name in states} == states
    assert rows["future.example"].endswith("not yet valid")
    assert rows["xn--fiqs8s.example"].endswith("not renewable")
    if width > 80:
        assert re.fullmatch(r"name +valid until +issued ██ now ░░ ┃ due ░░ end +state", lines[0])


def test_colours_and_characters_are_those_that_the_terminal_has(terminal: Terminal, store: Path) -> None:
    words = ("list", "--store", str(store))
    colours = terminal.show(80, *words, shown_as="-e")
    red, green, yellow = (
        next(line for line in colours if f"{name}.example " in line) for name in ("expired", "a", "due")
    )
    assert "\x1b[31m" in red
    assert "\x1b[32m" in green
    assert "\x1b[33m" in yellow
    for without in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert "\x1b[3" not in "".join(terminal.show(80, *words, shown_as="-e", **without))
    ascii_alone = terminal.show(80, *words, LC_ALL="C")
    (row,) = (line for line in ascii_alone if line.startswith("a.example"))
    assert re.search(r" #+-+\|-+ ", row)
    assert not set("".join(ascii_alone)) & set(BARS)


def test_in_a_terminal_that_is_hardly_there_nothing_is_lost(terminal: Terminal, store: Path) -> None:
    for width in (24, 12, 4):
        lines = terminal.show(width, "list", "--store", str(store))
        assert LONG in "".join(line.strip() for line in lines)
