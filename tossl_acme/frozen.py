"""Frozen dataclasses that cost little to define: a process defines fifty of them before its first request.

The standard library compiles six functions for each, and loads `inspect`: 35 ms in all. Here all classes share their
methods. Otherwise they are dataclasses: is_dataclass(), fields(), asdict() and replace() of the standard library take
them, and to type checkers they are the standard library's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import Field
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
    from typing import Any

_MISSING: Any = object()
_SHAPE = "__frozen_shape__"
_FIELDS = "__dataclass_fields__"


class _Shape:
    """The fields of a class, inherited ones first."""

    __slots__ = ("compared", "fields", "names", "shown")

    def __init__(self, cls: type) -> None:
        inherited: _Shape | None = getattr(cls, _SHAPE, None)
        self.fields: dict[str, _Field] = dict(inherited.fields) if inherited is not None else {}
        for name, annotation in cls.__annotations__.items():
            given = cls.__dict__.get(name, _MISSING)
            self.fields[name] = found = given if isinstance(given, _Field) else _Field(given)
            found.annotation = annotation
            if found.default is not _MISSING:
                setattr(cls, name, found.default)
            elif given is found:
                delattr(cls, name)
        self.names = tuple(self.fields)
        self.compared = tuple(name for name, each in self.fields.items() if each.compare)
        self.shown = tuple(name for name, each in self.fields.items() if each.repr)


class _Field:
    """What field() says about a value."""

    __slots__ = ("annotation", "compare", "default", "default_factory", "repr")

    def __init__(
        self,
        default: Any = _MISSING,
        default_factory: Callable[[], object] | None = None,
        *,
        repr: bool = True,
        compare: bool = True,
    ) -> None:
        self.default = default
        self.default_factory = default_factory
        self.repr = repr
        self.compare = compare
        self.annotation: Any = None

    def value(self) -> Any:
        """Returns the default; _MISSING without one."""
        return self.default_factory() if self.default_factory is not None else self.default

    def standard(self) -> Any:
        """Returns the standard library's field."""
        from dataclasses import field as standard_field

        more = {} if self.default is _MISSING else {"default": self.default}
        if self.default_factory is not None:
            more["default_factory"] = self.default_factory
        return standard_field(repr=self.repr, compare=self.compare, **more)


class _StandardFields:
    """The fields as the standard library has them, made when it asks for the first time."""

    def __get__(self, instance: object, cls: type) -> dict[str, Field[Any]]:
        from dataclasses import make_dataclass

        shape: _Shape = getattr(cls, _SHAPE)
        members = [(name, each.annotation, each.standard()) for name, each in shape.fields.items()]
        found: dict[str, Field[Any]] = getattr(make_dataclass(cls.__name__, members, frozen=True), _FIELDS)
        setattr(cls, _FIELDS, found)
        return found


def _init(self: Any, *values: object, **named: object) -> None:
    shape: _Shape = getattr(self, _SHAPE)
    names = shape.names
    if len(values) == len(names) and not named:
        given = dict(zip(names, values, strict=True))
    else:
        given = _completed(type(self).__name__, shape, values, named)
    self.__dict__.update(given)
    check = getattr(self, "__post_init__", None)
    if check is not None:
        check()


def _completed(of: str, shape: _Shape, values: tuple[object, ...], named: dict[str, object]) -> dict[str, object]:
    """Returns a value for each field. Raises TypeError for values of no field, or of one field twice, or too few."""
    if len(values) > len(shape.names):
        raise TypeError(f"{of}() takes {len(shape.names)} values, but {len(values)} were given")
    given = dict(zip(shape.names, values, strict=False))
    for name in named:
        if name in given or name not in shape.fields:
            raise TypeError(f"{of}() got {'two values' if name in given else 'an unexpected value'} for {name!r}")
    given |= named
    for name, each in shape.fields.items():
        if name not in given:
            given[name] = value = each.value()
            if value is _MISSING:
                raise TypeError(f"{of}() needs a value for {name!r}")
    return given


def _values(self: object) -> tuple[object, ...]:
    shape: _Shape = getattr(self, _SHAPE)
    return tuple(map(self.__dict__.__getitem__, shape.compared))


def _eq(self: object, other: object) -> bool:
    return _values(self) == _values(other) if other.__class__ is self.__class__ else NotImplemented


def _hash(self: object) -> int:
    return hash(_values(self))


def _lt(self: object, other: object) -> bool:
    return _values(self) < _values(other) if other.__class__ is self.__class__ else NotImplemented


def _le(self: object, other: object) -> bool:
    return _values(self) <= _values(other) if other.__class__ is self.__class__ else NotImplemented


def _gt(self: object, other: object) -> bool:
    return _values(self) > _values(other) if other.__class__ is self.__class__ else NotImplemented


def _ge(self: object, other: object) -> bool:
    return _values(self) >= _values(other) if other.__class__ is self.__class__ else NotImplemented


def _repr(self: object) -> str:
    shape: _Shape = getattr(self, _SHAPE)
    shown = (f"{name}={self.__dict__[name]!r}" for name in shape.shown)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _setattr(self: object, name: str, value: object) -> None:
    _refuse(self, name, "assign to")
    object.__setattr__(self, name, value)


def _delattr(self: object, name: str) -> None:
    _refuse(self, name, "delete")
    object.__delattr__(self, name)


def _refuse(self: object, name: str, action: str) -> None:
    shape: _Shape = getattr(self, _SHAPE)
    if _SHAPE in type(self).__dict__ or name in shape.fields:
        from dataclasses import FrozenInstanceError

        raise FrozenInstanceError(f"cannot {action} field {name!r}")


_ALWAYS: dict[str, Any] = {"__init__": _init, "__setattr__": _setattr, "__delattr__": _delattr}
_COMPARES: dict[str, Any] = {"__eq__": _eq, "__hash__": _hash}
_SHOWS: dict[str, Any] = {"__repr__": _repr}
_ORDERS: dict[str, Any] = {"__lt__": _lt, "__le__": _le, "__gt__": _gt, "__ge__": _ge}


def _shaped(cls: type, methods: dict[str, Any]) -> type:
    shape = _Shape(cls)
    for name, method in methods.items():
        # Python sets __hash__ to None in a class with an __eq__.
        if cls.__dict__.get(name) is None:
            setattr(cls, name, method)
    setattr(cls, _SHAPE, shape)
    setattr(cls, "__match_args__", shape.names)  # noqa: B010 - a class in general has none
    setattr(cls, _FIELDS, _StandardFields())
    return cls


def is_frozen(value: object) -> bool:
    """Returns whether this is a frozen dataclass, or an object of one."""
    return hasattr(value, _SHAPE)


def field_names(value: object) -> tuple[str, ...]:
    """Returns the names of a frozen dataclass's fields, in order."""
    shape: _Shape = getattr(value, _SHAPE)
    return shape.names


if not TYPE_CHECKING:
    field = _Field

    def dataclass(*, frozen: bool, eq: bool = True, order: bool = False, repr: bool = True) -> Callable[[type], type]:
        """Makes a class a frozen dataclass, as the standard library's decorator of this name does."""
        if not frozen:
            raise TypeError("only frozen dataclasses are made here")
        methods = _ALWAYS | (_COMPARES if eq else {}) | (_ORDERS if order else {}) | (_SHOWS if repr else {})
        return lambda cls: _shaped(cls, methods)

    def replace(one: Any, /, **changes: object) -> Any:
        """Returns a copy with other values, as the standard library's function of this name does."""
        shape: _Shape = getattr(one, _SHAPE)
        return type(one)(**({name: one.__dict__[name] for name in shape.names} | changes))
