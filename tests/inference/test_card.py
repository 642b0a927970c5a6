"""What travels beside the weights comes back as it was, and what is no such text is one line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.errors import UserError
from epropnp.inference.card import from_text, to_text

HERE = Path("net.onnx")


def test_tensors_and_plain_values_come_back_to_the_bit() -> None:
    third = torch.tensor([[1 / 3, -0.0, 1e-30], [float("inf"), 2, 3]])
    saved = {
        "objects": [{"points": third.T, "bounds": third.double() / 7, "name": "cup \u00e9"}],
        "objective": {"layer.log_delta": torch.tensor(-2.5)},
        "config": {"a": [1, 0.1, None, True]},
    }
    found = from_text(to_text(saved), HERE)
    assert found["config"] == saved["config"]
    assert found["objective"]["layer.log_delta"].shape == ()
    assert found["objective"]["layer.log_delta"] == -2.5
    (row,) = found["objects"]
    assert row["name"] == "cup \u00e9"
    for name, expected in (("points", third.T), ("bounds", third.double() / 7)):
        assert row[name].dtype == expected.dtype
        assert row[name].numpy().tobytes() == expected.contiguous().numpy().tobytes()


def test_arrays_are_their_bytes_in_base64() -> None:
    """1.0 is 0x3ff0000000000000, and little-endian."""
    written = json.loads(to_text({"x": torch.ones(1, dtype=torch.float64)}))
    assert written == {"x": {"dtype": "float64", "shape": [1], "base64": "AAAAAAAA8D8="}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "net.onnx cannot be read (JSONDecodeError)"),
        ("[]", "net.onnx cannot be read (TypeError)"),
        ('{"x": {"dtype": "O", "shape": [1], "base64": "AAAAAAAAAAA="}}', "ValueError"),
        ('{"x": {"dtype": "float64", "shape": [2], "base64": "AAAAAAAA8D8="}}', "ValueError"),
    ],
)
def test_other_texts_are_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError) as error:
        from_text(text, HERE)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_what_is_read_can_be_written_to() -> None:
    found = from_text(to_text({"x": torch.zeros(3)}), HERE)["x"]
    found += 1
    np.testing.assert_array_equal(found, np.ones(3))
