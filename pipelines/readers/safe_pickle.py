"""Reading pickles from others: arrays of numbers, numbers and plain containers, and nothing else.

A pickle is a program that may call anything it can name. This reader gives it the stand-ins below
for the few names that arrays are pickled with, so that nothing is executed but them; numpy's own
functions, which trust their input, are not within its reach.
"""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError

_NUMBERS = "biuf"  # kinds of dtype: no objects, no structures


class _Kind:
    """Stands for `numpy.dtype`."""

    def __init__(self, code: str, *_: Any) -> None:
        self._code, self._order = code, "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._order = state[1]

    def dtype(self) -> np.dtype[Any]:
        dtype = np.dtype(self._order + self._code)
        if dtype.kind not in _NUMBERS:
            raise pickle.UnpicklingError(f"it holds an array of {dtype}")
        return dtype


class _Array:
    """Stands for an array that is made empty and filled later, as numpy pickles them."""

    def __init__(self, *_: Any) -> None:
        self.values: NDArray[Any] = np.zeros(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        self.values = _from_bytes(content, kind, shape, "F" if fortran else "C")


def _from_bytes(content: Any, kind: _Kind, shape: tuple[int, ...], order: Any) -> NDArray[Any]:
    if isinstance(content, str):  # written by Python 2
        content = content.encode("latin1")
    return np.frombuffer(content, kind.dtype()).reshape(shape, order=order)


def _scalar(kind: _Kind, content: Any) -> Any:
    return _from_bytes(content, kind, (), "C").item()


def _encode(text: str, _: str) -> bytes:
    return text.encode("latin1")  # how bytes are written in the older protocols


_STAND_INS = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): _Array,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_bytes,
    ("_codecs", "encode"): _encode,
}


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _STAND_INS[module.replace("numpy._core", "numpy.core"), name]  # numpy 2 and 1
        except KeyError:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no array needs") from None


def _plain(value: Any) -> Any:
    """The value with its arrays in place of their stand-ins."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_plain(entry) for entry in value)
    return value.values if isinstance(value, _Array) else value


def read_pickle(file: Path) -> Any:
    """The content of a pickle of arrays of numbers, numbers and plain containers.

    Raises:
        UserError: when the file is missing, broken, or wants anything else; none of it is executed.
    """
    try:
        with file.open("rb") as stream:
            return _plain(_Unpickler(stream, encoding="latin1").load())
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None
    except Exception as error:  # a broken pickle may fail anywhere in the machine
        reason = " ".join(str(error).split())
        raise UserError(f"{file} is not a pickle of arrays: {reason}") from None
