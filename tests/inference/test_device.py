"""The device that is asked for, if it is there."""

import pytest
import torch

from epropnp.errors import UserError
from epropnp.inference.device import chosen_device


def test_named_and_chosen_devices() -> None:
    assert chosen_device("cpu") == torch.device("cpu")
    assert chosen_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["cudaa", "cuda:99", "meta:x", "", "xpu"])
def test_what_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(UserError, match=f"device '{name}': there is no such device here"):
        chosen_device(name)
