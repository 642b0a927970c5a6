"""JSON and text files of others: what is wrong with them is a `UserError` that names file, place and key.

Numbers are read as decimals: shifting the point by three places turns millimetres into exactly the metres
that were exported, which a product with 0.001 does not.
"""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError

_LARGEST = 1e6  # millimetres or pixels: nothing real comes near

Array = NDArray[np.float64]


def read_text(file: Path, purpose: str = "") -> str:
    """A text file's content; `purpose` tells whoever lacks it what it says."""
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        told = f", which says {purpose}" if purpose else ""
        raise UserError(f"cannot read {file}{told}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{file} is not a text file") from None


def read_json(file: Path, purpose: str = "") -> Any:
    """A JSON file's content, fractions as decimals; `purpose` as of `read_text`."""
    text = read_text(file, purpose)
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{file} is not JSON: {error}") from None


def by_number(table: dict[str, Any], file: Path, what: str) -> dict[int, Any]:
    """A table whose keys are numbers, padded or not; UserError where they are not, or say one twice."""
    found: dict[int, Any] = {}
    for name, entry in table.items():
        if not (name.isascii() and name.isdecimal()):
            raise UserError(f"{file} has {what} that is no integer: {name!r}")
        if int(name) in found:
            raise UserError(f"{file} has {what} twice, with and without zeros in front: {name!r}")
        found[int(name)] = entry
    return found


def key(table: Any, name: str, file: Path | str, where: str = "the file") -> Any:
    """An entry of a table; the error names file, place and key."""
    try:
        return table[name]
    except (KeyError, TypeError):
        raise UserError(f"{file}: {where} has no key {name!r}") from None


def numbers(table: Any, name: str, count: int, file: Path | str, where: str) -> Array:
    """`count` finite numbers (count,) under a key; one number need not be a list."""
    return np.array([float(value) for value in _decimals(table, name, count, file, where)])


def metres(table: Any, name: str, count: int, file: Path | str, where: str) -> Array:
    """As `numbers`, millimetres in the file."""
    return np.array([float(value.scaleb(-3)) for value in _decimals(table, name, count, file, where)])


def integer(table: Any, name: str, file: Path | str, where: str) -> int:
    """An integer under a key."""
    value = key(table, name, file, where)
    if isinstance(value, bool) or not isinstance(value, int):
        raise UserError(f"{file}: {where} needs an integer under {name!r}, not {value!r}")
    return value


def is_camera_matrix(K: Array) -> bool:
    """Whether K (3, 3) is the matrix of a pinhole camera."""
    return bool(K[0, 0] > 0 and K[1, 1] > 0 and K[1, 0] == 0 and K[2].tolist() == [0, 0, 1])


def _decimals(table: Any, name: str, count: int, file: Path | str, where: str) -> list[Decimal]:
    found = key(table, name, file, where)
    values = found if isinstance(found, list) else [found]
    if len(values) != count or not all(map(_is_number, values)):
        raise UserError(f"{file}: {where} needs {count} number{'s' * (count > 1)} under {name!r}")
    return [Decimal(value) for value in values]


def _is_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return False
    return bool(-_LARGEST <= value <= _LARGEST)  # NaN and infinities are not
