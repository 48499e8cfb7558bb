"""Work for each of some things side by side, with its results in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ...context import Context
from ..crew import side_by_side

_S = TypeVar("_S")
_T = TypeVar("_T")
#: Things that are looked at at the same time.
_WIDTH = 8


def each_result(context: Context, work: Callable[[Context, _S], _T], items: Sequence[_S]) -> list[_T]:
    """Returns work(context, item) for each item. Raises as side_by_side() does."""
    found: dict[int, _T] = {}

    def do(part: Context, index: int) -> None:
        found[index] = work(part, items[index])

    side_by_side(context, do, range(len(items)), _WIDTH)
    return [found[index] for index in range(len(items))]


def each_finding(context: Context, work: Callable[[Context, _S], Sequence[_T]], items: Sequence[_S]) -> list[_T]:
    """Returns the lists that work(context, item) returns, joined."""
    return [finding for result in each_result(context, work, items) for finding in result]
