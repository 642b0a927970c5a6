"""Pickles from others: arrays come through, nothing is executed."""

import os
import pickle
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from pipelines.readers.safe_pickle import read_pickle

TABLE = {
    "u": 3,
    "l": np.int64(4),
    "coor": np.arange(12, dtype=np.float32).reshape(2, 2, 3),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "other order": np.arange(3, dtype=">i2"),
    "rest": [(1, "x"), None, True, b"\x00\xff", {"y": 0.5}],
}


class Calls:
    """Pickles as a call of any function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.call


def read(content: bytes, folder: Path) -> Any:
    file = folder / "x.pkl"
    file.write_bytes(content)
    return read_pickle(file)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_and_plain_containers_come_through(tmp_path: Path, protocol: int) -> None:
    found = read(pickle.dumps(TABLE, protocol=protocol), tmp_path)
    assert set(found) == set(TABLE)
    for name, value in TABLE.items():
        if isinstance(value, np.ndarray):
            assert found[name].dtype == value.dtype
            np.testing.assert_array_equal(found[name], value)
        else:
            assert found[name] == value


def test_pickles_of_python_2_and_numpy_1_come_through(tmp_path: Path) -> None:
    content = (
        b"\x80\x02}U\x04coorcnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
        b"(K\x01K\x02K\x01\x86cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R"
        b"(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x08" + np.array([1.5, -2.0], "<f4").tobytes() + b"tbs."
    )
    np.testing.assert_array_equal(read(content, tmp_path)["coor"], np.array([[1.5], [-2.0]], np.float32))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("inside", [False, True])
def test_malicious_pickles_do_not_execute(tmp_path: Path, protocol: int, inside: bool) -> None:
    made = tmp_path / "made"
    attacks = [
        Calls(os.system, f"touch {made}"),
        Calls(subprocess.check_call, ["touch", str(made)]),
        Calls(open, str(made), "w"),
        Calls(eval, f"open({str(made)!r}, 'w')"),
        Calls(np.ndarray.tofile, np.zeros(1), str(made)),
    ]
    for attack in attacks:
        value = {"coor": np.zeros((2, 2, 3)), "u": attack} if inside else attack
        with pytest.raises(UserError, match=r"x\.pkl is not a pickle of arrays: it names .*no array needs"):
            read(pickle.dumps(value, protocol=protocol), tmp_path)
    assert not made.exists()
    pickle.loads(pickle.dumps(attacks[2]))  # the attack is real: the usual reader falls for it
    assert made.exists()


@pytest.mark.parametrize(
    "value",
    [
        np.array([{}], object),
        np.zeros(2, [("a", "f4")]),
        np.array(["text"]),
        np.zeros(2, "M8[s]"),
        Path("somewhere"),
        {1, 2}.__iter__(),
    ],
)
def test_other_arrays_and_objects_are_refused(tmp_path: Path, value: Any) -> None:
    with pytest.raises(UserError, match="is not a pickle of arrays"):
        read(pickle.dumps(value), tmp_path)


@pytest.mark.parametrize(
    "content", [b"", b"\x80", b"not a pickle", pickle.dumps(TABLE)[:-40], b"\x80\x04]\x94h\x00a."]
)
def test_broken_pickles_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(UserError, match=r"x\.pkl is not a pickle of arrays"):
        read(content, tmp_path)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*x\.pkl"):
        read_pickle(tmp_path / "x.pkl")
