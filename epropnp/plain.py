"""Config dataclasses as plain dictionaries, and back."""

import dataclasses
import functools
import json
import types
import typing
from pathlib import Path
from typing import Any, Literal, TypeVar

from epropnp.errors import UserError, nearest

T = TypeVar("T")
Plain = str | int | float | bool


def to_dict(config: Any) -> dict[str, Any]:
    """Nested dictionary of plain values (tuples become lists)."""
    result: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(config)))
    return result


def flatten(config: Any) -> dict[str, Plain]:
    """One level of dotted keys, as MLflow's parameters want them."""
    return _flat(to_dict(config))


def differing(before: dict[str, Any], now: dict[str, Any]) -> list[tuple[str, Plain | None, Plain]]:
    """Dotted key and both values of the settings that differ between two of `to_dict`'s dictionaries."""
    earlier = _flat(before)
    return [(key, earlier.get(key), value) for key, value in _flat(now).items() if earlier.get(key) != value]


def _flat(values: dict[str, Any]) -> dict[str, Plain]:
    def walk(prefix: str, value: Any) -> typing.Iterator[tuple[str, Any]]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(f"{prefix}.{key}" if prefix else key, inner)
        else:
            yield prefix, value if isinstance(value, str | int | float | bool) else str(value)

    return dict(walk("", values))


def from_dict(kind: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build a config dataclass from a nested dictionary.

    Raises:
        UserError: a key that the config does not have, naming the nearest that it has; a value of another
            kind than the setting's.
    """
    hints = _hints(typing.cast(Any, kind))
    for key in values:
        if key not in hints:
            raise UserError(f"{where}: unknown key '{key}'{nearest(key, hints)}")
    return kind(**{k: convert(hints[k], v, f"{where}.{k}") for k, v in values.items()})


@functools.cache  # thousands of configs are read for one table
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def without_none(hint: Any) -> Any:
    """`X` for the type hint `X | None`; any other hint as it is."""
    if typing.get_origin(hint) not in (types.UnionType, typing.Union):
        return hint
    return next(option for option in typing.get_args(hint) if option is not type(None))


def convert(hint: Any, value: Any, where: str) -> Any:
    """The value as its setting's type has it; UserError, saying where, if it is of another kind."""
    bare = without_none(hint)
    if bare is not hint:
        return None if value is None else convert(bare, value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise UserError(f"{where}: {value!r} is not a group of settings")
        return from_dict(hint, value, where)
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is tuple:
        return _convert_tuple(arguments, value, where)
    if typing.get_origin(hint) is Literal:
        if value not in arguments:
            allowed = ", ".join(map(str, arguments))
            raise UserError(f"{where}: '{value}' is not one of {allowed}")
        return value
    accepted = (int, float) if hint is float else hint
    if not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise UserError(f"{where}: {value!r} is not {_KINDS[hint]}")
    return hint(value)


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text", Path: "a path"}


def _convert_tuple(hints: tuple[Any, ...], value: Any, where: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise UserError(f"{where}: {value!r} is not a list")
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise UserError(f"{where}: {value!r} does not have {len(hints)} values")
    return tuple(convert(h, v, f"{where}[{i}]") for i, (h, v) in enumerate(zip(hints, value, strict=True)))
