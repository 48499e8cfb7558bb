"""Work for each of some things side by side, with its results in their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from ...context import Context
from ...errors import Cancelled, ForkedError, TosslError, foreign_error
from ..crew import side_by_side
from .diagnosis import Diagnosis

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


def each_finding(
    context: Context,
    check: str,
    work: Callable[[Context, _S], list[Diagnosis]],
    items: Sequence[_S],
    name_of: Callable[[_S], str],
) -> list[Diagnosis]:
    """Returns what work(context, item) finds of each item; an error is a finding of its item alone.

    check, name_of: under which check and subject an error is told. Raises Cancelled.
    """

    def safely(part: Context, item: _S) -> list[Diagnosis]:
        return findings_of(check, name_of(item), lambda: work(part, item))

    return [finding for result in each_result(context, safely, items) for finding in result]


def findings_of(check: str, subject: str, look: Callable[[], list[Diagnosis]]) -> list[Diagnosis]:
    """Returns what a look finds; its error is a finding: also a defect does not hide those of others.

    Raises Cancelled.
    """
    try:
        return look()
    except (Cancelled, ForkedError):
        raise
    except TosslError as error:
        return [Diagnosis.of_error(check, subject, error)]
    except Exception as error:  # noqa: BLE001 - as above
        return [Diagnosis.of_error(check, subject, foreign_error(error), "this is a defect of tossl: please report it")]
