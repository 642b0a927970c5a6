"""Where weights are looked for, what is said where there are none, and the fingerprint of what was found."""

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from torch import Tensor

from epropnp.errors import UserError
from epropnp.models import pretrained
from epropnp.models.pretrained import PACKAGED, create_pretrained, one_line, tensors_sha256

LITE = "tf_efficientnet_lite0"


def state(**changes: Tensor) -> dict[str, Tensor]:
    return {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor([1, 2])} | changes


@pytest.mark.parametrize(
    "other",
    [
        state(a=torch.arange(6.0).view(3, 2)),
        state(a=torch.arange(6.0).view(2, 3).double()),
        state(a=torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.000001]])),
        state(b=torch.tensor([2, 1])),
        state(c=torch.zeros(0)),
        {"b": state()["a"], "a": state()["b"]},
        {"a": state()["a"]},
    ],
)
def test_the_fingerprint_changes_with_names_types_shapes_and_values(other: dict[str, Tensor]) -> None:
    assert tensors_sha256(other) != tensors_sha256(state())


def test_the_fingerprint_does_not_see_order_memory_or_gradients() -> None:
    expected = tensors_sha256(state())
    assert len(expected) == 64
    turned = torch.arange(6.0).view(2, 3).T.contiguous().T
    assert not turned.is_contiguous()
    same = {"b": torch.tensor([1, 2]), "a": turned.requires_grad_()}
    assert tensors_sha256(same) == expected


def unavailable(*_: Any, **__: Any) -> None:
    raise OSError("no route\nto the hub")


def test_weights_that_are_nowhere_stop_the_trial_and_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretrained, "_packaged_file", lambda name: None)
    monkeypatch.setattr(pretrained, "silence", lambda name: "")
    monkeypatch.setattr(timm, "create_model", unavailable)
    with pytest.raises(UserError) as error:
        create_pretrained("resnet34", None)
    assert str(error.value) == (
        "pretrained weights of 'resnet34' cannot be had (no route to the hub); fetch them with `prepare.py "
        "weights resnet34` on a machine with network and share its cache, name a state dict in "
        "model.weights_file, or train from scratch with --pretrained no"
    )
    with pytest.raises(UserError, match="share its cache, install the package 'efficientnet-lite0-"):
        create_pretrained(LITE, None)


def test_timms_own_weights_are_asked_for_where_no_package_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def create(name: str, **kwargs: Any) -> torch.nn.Module:
        asked.append({"name": name, **kwargs})
        return torch.nn.Identity()

    monkeypatch.setattr(timm, "create_model", create)
    create_pretrained("resnet34", None, features_only=True)
    assert asked == [
        {"name": "resnet34", "pretrained": True, "pretrained_cfg_overlay": None, "features_only": True}
    ]


def test_packaged_weights_are_taken_in_order_and_only_where_all_shapes_fit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        wanted = timm.create_model(LITE).state_dict()
    file = tmp_path / "packaged.pth"
    monkeypatch.setattr(
        pretrained, "_packaged_file", lambda package: file if package == PACKAGED[LITE] else None
    )
    torch.save({f"other.{i}": value for i, value in enumerate(wanted.values())}, file)
    found = create_pretrained(LITE, None).state_dict()
    assert all(torch.equal(found[key], value) for key, value in wanted.items())
    short = dict(list(wanted.items())[:-1])
    turned = wanted | {"conv_stem.weight": wanted["conv_stem.weight"].transpose(0, 1)}
    for bad in (short, turned):
        torch.save(bad, file)
        with pytest.raises(UserError, match=f"'{LITE}': the tensors in {file} do not have timm's shapes"):
            create_pretrained(LITE, None)


def test_a_file_goes_over_a_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pretrained, "_packaged_file", lambda name: pytest.fail("the package was asked"))
    torch.manual_seed(2)
    given = timm.create_model(LITE).state_dict()
    torch.save(given, tmp_path / "own.pth")
    found = create_pretrained(LITE, str(tmp_path / "own.pth")).state_dict()
    assert torch.equal(found["conv_stem.weight"], given["conv_stem.weight"])
    assert LITE in PACKAGED


def test_an_error_in_one_line() -> None:
    assert one_line(ValueError("a\n  b\tc ")) == "a b c"
    assert one_line(ValueError(" \n")) == "ValueError"
    assert one_line(ValueError("x" * 300)) == "x" * 200
