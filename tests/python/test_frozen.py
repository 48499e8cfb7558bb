"""The frozen dataclasses of this package behave as the standard library's."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
import typing
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from tossl_acme import frozen

#: A library's dataclass and field.
Maker = Any
LIBRARIES = pytest.mark.parametrize("made", [dataclasses, frozen], ids=["standard", "ours"])


def classes(made: Maker) -> tuple[Any, Any, Any]:
    """A class with every kind of field, one that inherits from it, and one that is compared by identity."""

    @made.dataclass(frozen=True, order=True)
    class Point:
        """It has a place."""

        x: int
        y: int = 2
        names: list[str] = made.field(default_factory=list)
        secret: str = made.field(default="s", repr=False)
        note: str = made.field(default="", compare=False)

        def __post_init__(self) -> None:
            if self.x < 0:
                object.__setattr__(self, "x", 0)

        @cached_property
        def double(self) -> int:
            return self.x * 2

    @made.dataclass(frozen=True)
    class Named(Point):
        title: str = "none"

        def __repr__(self) -> str:
            return f"<{self.title}>"

    @made.dataclass(frozen=True, eq=False, repr=False)
    class Itself:
        value: int

    return Point, Named, Itself


@LIBRARIES
def test_values_are_given_by_place_and_by_name_and_have_defaults(made: Maker) -> None:
    Point, Named, _ = classes(made)
    one = Point(1, note="n")
    assert (one.x, one.y, one.names, one.secret, one.note) == (1, 2, [], "s", "n")
    assert Point(1).names is not Point(1).names
    assert Point(-4).x == 0
    assert Point(3).double == 6
    assert Named(1, 2, [], "s", "", "t").title == "t"
    assert Named(x=5).title == "none"
    assert Point.y == 2
    assert not hasattr(Point, "names")
    assert Point.__match_args__ == ("x", "y", "names", "secret", "note")
    assert Point.__doc__ == "It has a place."


@LIBRARIES
@pytest.mark.parametrize(
    "call",
    [
        lambda Point: Point(),
        lambda Point: Point(1, 2, [], "s", "", 6),
        lambda Point: Point(1, x=1),
        lambda Point: Point(1, z=1),
    ],
    ids=["too few", "too many", "twice", "unknown"],
)
def test_wrong_values_are_refused(made: Maker, call: Callable[[Any], object]) -> None:
    with pytest.raises(TypeError):
        call(classes(made)[0])


@LIBRARIES
def test_nothing_can_be_changed(made: Maker) -> None:
    one = classes(made)[0](1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
        one.x = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'other'"):
        one.other = 2
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
        del one.x


@LIBRARIES
def test_comparison_and_hash_are_those_of_the_compared_values(made: Maker) -> None:
    Point, Named, Itself = classes(made)
    assert Point(1, note="a") == Point(1, note="b")
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert Point(1) != 1
    assert Point(1) < Point(2) <= Point(2)
    assert Point(2) > Point(1) >= Point(1)
    with pytest.raises(TypeError):
        _ = Point(1) < 2
    first, same = Itself(1), Itself(1)
    assert first != same
    assert len({first, same, first}) == 2
    Key = made.dataclass(frozen=True)(type("Key", (), {"__annotations__": {"x": "int"}}))
    assert hash(Key(1)) == hash(Key(1))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Point(1))


@LIBRARIES
def test_what_is_shown(made: Maker) -> None:
    Point, Named, Itself = classes(made)
    assert repr(Point(1)) == "classes.<locals>.Point(x=1, y=2, names=[], note='')"
    assert repr(Named(1)) == "<none>"
    assert "Itself object" in repr(Itself(1))


@LIBRARIES
def test_the_standard_library_takes_them(made: Maker) -> None:
    Point, Named, _ = classes(made)
    one = Named(1, names=["a"])
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.is_dataclass(one)
    fields = {each.name: each for each in dataclasses.fields(one)}
    assert list(fields) == ["x", "y", "names", "secret", "note", "title"]
    assert (fields["y"].default, fields["names"].default_factory) == (2, list)
    assert (fields["secret"].repr, fields["note"].compare, fields["x"].type) == (False, False, "int")
    assert dataclasses.asdict(one)["names"] == ["a"]
    assert dataclasses.replace(one, x=7) == Named(7, names=["a"])
    assert made.replace(one, x=-7) == Named(0, names=["a"])
    assert copy.deepcopy(one) == one
    assert typing.get_type_hints(Point)["y"] is int


def test_only_frozen_classes_are_made() -> None:
    make: Any = frozen.dataclass
    with pytest.raises(TypeError, match="frozen"):
        make(frozen=False)


def test_names_of_fields() -> None:
    Point, _, Itself = classes(frozen)
    assert frozen.field_names(Point) == frozen.field_names(Point(1)) == ("x", "y", "names", "secret", "note")
    assert frozen.is_frozen(Itself)
    assert frozen.is_frozen(Itself(1))
    assert not frozen.is_frozen("text")


@frozen.dataclass(frozen=True)
class Kept:
    value: int


def test_they_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Kept(3))) == Kept(3)


def test_a_request_needs_no_code_to_be_generated() -> None:
    """What defines the classes of one exchange loads neither `dataclasses` nor `inspect`."""
    script = "import sys, tossl_acme.http.client; print(*{'dataclasses', 'inspect'} & set(sys.modules))"
    argv = [sys.executable, "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {script}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    assert done.stdout.split() == []
