"""Writes the pages, or the man pages."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tossl_acme import __version__

from .index import PATH, index
from .page import DOCS, MADE, pages
from .providers import PAGE, with_table
from .troff import man_page


def main(arguments: list[str]) -> int:
    """Writes each page; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m docs.generator", description="Make the pages of docs/.")
    parser.add_argument("--man", type=Path, metavar="FOLDER", help="write man pages there instead")
    folder: Path | None = parser.parse_args(arguments).man
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        if folder is None:
            (MADE / f"{name}.md").write_text(text, "utf-8")
        else:
            title = "tossl" if name == "tossl" else f"tossl_{name}"
            (folder / f"{title}.n").write_text(man_page(title, __version__, text), "utf-8")
    if folder is None:
        PAGE.write_text(with_table(PAGE.read_text("utf-8")), "utf-8")
        Path(PATH).write_text(index(), "utf-8")
    else:
        terminal = (DOCS / "terminal.md").read_text("utf-8")
        (folder / "tossl.1").write_text(man_page("tossl", __version__, terminal, "1"), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
