"""The names that a server reads, made links to the files of the store: its configuration need not change."""

from __future__ import annotations

import stat
from collections.abc import Mapping

from ...errors import ArgumentError
from ...files import FilePath, Folder, refusals

#: What had the name is kept under it with this behind.
BEFORE = ".before-tossl"


def check_linkable(files: Mapping[str, FilePath], kept: Mapping[str, FilePath]) -> None:
    """Raises ArgumentError "links" where a name cannot become a link, or what it leads to now cannot be kept.

    kept: the store's files by their kinds, as servers can read them.
    """
    _check_kept(files, kept)
    for path in files.values():
        folder, name = _place(path)
        with refusals("links", path), Folder.open(folder) as opened:
            if not opened.is_writable():
                raise ArgumentError("links", f"cannot make {path.shown} a link: its folder cannot be written to")
            if opened.status(f"{name}{BEFORE}") is not None and opened.status(name) is not None:
                raise ArgumentError("links", f"{path.shown} was made a link before: {name}{BEFORE} is there still")


def put_links(files: Mapping[str, FilePath], kept: Mapping[str, FilePath]) -> None:
    """Makes each name a link to the store's file of its kind, in one step; what had it stays beside it."""
    _check_kept(files, kept)
    for kind, path in files.items():
        folder, name = _place(path)
        with refusals("links", path), Folder.open(folder) as opened:
            if target := opened.link_target(name):
                opened.make_link(f"{name}{BEFORE}", target)
            elif (content := opened.read(name, follow=False)) is not None:
                status = opened.status(name)
                mode = stat.S_IMODE(status.st_mode) & 0o777 if status is not None else 0o600
                opened.write_whole(f"{name}{BEFORE}", content, mode)
            opened.make_link(name, kept[kind])
            opened.sync()


def _check_kept(files: Mapping[str, FilePath], kept: Mapping[str, FilePath]) -> None:
    if missing := sorted(set(files) - set(kept)):
        cause = f"this store has no {missing[0]} as a file that they can read, for it is sealed or no folder"
        raise ArgumentError("links", f"-links 1 is for files of servers, and {cause}: -files writes them")


def _place(path: FilePath) -> tuple[FilePath, str]:
    folder, _, name = path.rpartition("/")
    return FilePath(folder or "/"), name
