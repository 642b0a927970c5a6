"""Weights from a file: one that fills the backbone is loaded; any other stops the trial."""

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.models.backbones import Backbone
from epropnp.models.pretrained import PACKAGED

State = dict[str, Tensor]


def state_of(name: str) -> State:
    torch.manual_seed(7)
    state: State = timm.create_model(name).state_dict()
    return state


def load(name: str, file: Path, stride: int = 32, px: int = 128) -> Backbone:
    torch.manual_seed(0)
    return Backbone(name, strides=[stride], input_px=px, pretrained=True, weights_file=str(file))


@pytest.mark.parametrize("form", ["bare.pth", "wrapped.pth", "bare.safetensors"])
def test_a_classifiers_file_fills_the_backbone(tmp_path: Path, form: str) -> None:
    state, file = state_of("test_resnet"), tmp_path / form
    if form.endswith("safetensors"):
        from safetensors.torch import save_file

        save_file(state, file)
    else:
        torch.save({"model": state, "epoch": 3} if form.startswith("wrapped") else state, file)
    found = load("test_resnet", file).net.state_dict()
    assert len(found) == len(state) - 2  # but the classifier
    assert all(torch.equal(value, state[key]) for key, value in found.items())


@pytest.mark.parametrize(
    ("name", "stride", "px"),
    [
        ("test_vit", 16, 128),  # its position embedding is for 160 px
        ("hrnet_w18_small", 4, 64),  # without incremental layers
    ],
)
def test_files_of_other_families_and_sizes_fit(tmp_path: Path, name: str, stride: int, px: int) -> None:
    torch.save(state_of(name), tmp_path / "w.pth")
    load(name, tmp_path / "w.pth", stride, px)


def test_a_file_without_counters_of_batches_fits(tmp_path: Path) -> None:
    state = {key: value for key, value in state_of("test_resnet").items() if "num_batches" not in key}
    torch.save(state, tmp_path / "old.pth")
    load("test_resnet", tmp_path / "old.pth")


def test_the_packaged_weights_load() -> None:
    module, inner, _ = PACKAGED["tf_efficientnet_lite0"]
    package = pytest.importorskip(module)
    given = torch.load(Path(package.__file__).parent / inner, weights_only=True)
    net = Backbone("tf_efficientnet_lite0", strides=[32], input_px=64, pretrained=True)
    assert torch.equal(net.net.state_dict()["conv_stem.weight"], next(iter(given.values())))


def _prefixed(state: State) -> State:
    return {f"encoder.{key}": value for key, value in state.items()}


def _partly_prefixed(state: State) -> State:
    return {f"net.backbone.{key}": value for key, value in state.items()} | {"head.weight": torch.zeros(2)}


def _cut(state: State) -> State:
    return {key: value for key, value in state.items() if not key.startswith("layer4.")}


def _empty(state: State) -> State:
    return {}


def _foreign(state: State) -> State:
    return state_of("test_convnext")


def _wide(state: State) -> State:
    return state | {"conv1.0.weight": torch.zeros(1, 3, 3, 3)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_prefixed, r"lacks 15 of 15 weights, such as conv1\.0\.weight, .* begin with 'encoder\.'"),
        (_partly_prefixed, r"lacks 15 of 15 weights, .* begin with 'net\.backbone\.'"),
        (_cut, r"lacks \d of 15 weights, such as layer4\.0\.conv1\.weight, [^;]*; name a state dict"),
        (_empty, r"lacks 15 of 15 weights, such as [^;]*; name a state dict"),
        (_foreign, r"lacks 15 of 15 weights, such as [^;]*; name a state dict"),
        (_wide, r"does not fit \(.*size mismatch for conv1\.0\.weight"),
    ],
)
def test_a_file_that_does_not_fill_the_backbone_is_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, change: Callable[[State], State], words: str
) -> None:
    file = tmp_path / "odd.pth"
    torch.save(change(state_of("test_resnet")), file)
    with pytest.raises(UserError, match=rf"'test_resnet': {file} {words}"):
        load("test_resnet", file)
    assert not caplog.records  # timm would list every name


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    torch.save(state_of("test_resnet"), tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    (tmp_path / "cut.pth").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.pth").write_text("no checkpoint")
    (tmp_path / "text.safetensors").write_text("no checkpoint")
    (tmp_path / "empty.pth").touch()
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    torch.save(nn.Linear(2, 2), tmp_path / "model.pth")
    for name in ("cut.pth", "text.pth", "text.safetensors", "empty.pth", "list.pth", "model.pth"):
        with pytest.raises(UserError, match=rf"^{tmp_path / name}: not a state dict, or a damaged one; copy"):
            load("test_resnet", tmp_path / name)


def test_the_check_draws_no_numbers_from_the_trials_stream(tmp_path: Path) -> None:
    torch.save(state_of("test_resnet"), tmp_path / "w.pth")
    load("test_resnet", tmp_path / "w.pth")
    after = torch.rand(3)
    torch.manual_seed(0)
    Backbone("test_resnet", strides=[32], input_px=128)
    torch.testing.assert_close(after, torch.rand(3), rtol=0, atol=0)
