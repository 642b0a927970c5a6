"""Released checkpoints: the official network, written down here, and ours after the import say the same."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torchvision
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.models import backbones
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet
from epropnp.models.released import load_released

State = dict[str, Tensor]


class OfficialHead(nn.Module):
    """The official rotation head: 27 layers in one list, a readout, and scales from the pooled feature."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for stage in range(3):
            first = nn.ConvTranspose2d(512 if stage == 0 else 256, 256, 3, 2, 1, 1, bias=False)
            for conv in (first, *(nn.Conv2d(256, 256, 3, 1, 1, bias=False) for _ in range(2))):
                layers += [conv, nn.BatchNorm2d(256), nn.ReLU(inplace=True)]
        self.features = nn.ModuleList(layers)
        self.out_layer = nn.Conv2d(256, 5, 1)
        self.scale_branch = nn.Linear(256, 2)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        for layer in self.features:
            x = layer(x)
        x3d, w2d = self.out_layer(x).split([3, 2], dim=1)
        return x3d, w2d, self.scale_branch(x.flatten(2).mean(dim=-1)).exp()


class Official(nn.Module):
    """Backbone and rotation head under the official names; images are BGR in [0, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = torchvision.models.resnet34(weights=None)
        self.backbone.fc = nn.Identity()
        self.rot_head_net = OfficialHead()

    def forward(self, bgr: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        net = self.backbone
        x = net.maxpool(net.relu(net.bn1(net.conv1(bgr))))
        out: tuple[Tensor, Tensor, Tensor] = self.rot_head_net(
            net.layer4(net.layer3(net.layer2(net.layer1(x))))
        )
        return out


@pytest.fixture(scope="module")
def official() -> Official:
    """With statistics of batch normalisation that are not those of a fresh network."""
    torch.manual_seed(0)
    net = Official().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.1)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return net


@pytest.fixture
def released(official: Official) -> State:
    """A state dict as the official code saves it; the translation head is ignored, so its size is free."""
    extra = {"monte_carlo_pose_loss.norm_factor": torch.tensor(7.5)}
    return official.state_dict() | extra | {"trans_head_net.linears.0.weight": torch.zeros(4, 4)}


@pytest.fixture
def cdpn(released: State) -> State:
    """CDPN's first stage: no scales, no loss, and the readout of 3 + 1 channels as layer 27 of the list."""
    dropped = ("rot_head_net.out_layer", "rot_head_net.scale_branch", "monte_carlo")
    state = {key: value for key, value in released.items() if not key.startswith(dropped)}
    readout = {"weight": torch.randn(4, 256, 1, 1), "bias": torch.randn(4)}
    return state | {f"rot_head_net.features.27.{key}": value for key, value in readout.items()}


def config(**settings: object) -> ModelConfig:
    given = {"backbone": "resnet34", "head": "deconv", "input_px": 64, "cell_anchor": 0.0} | settings
    return ModelConfig(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "torch-1.5"])
def test_our_network_says_what_the_official_one_says(
    official: Official, released: State, tmp_path: Path, zipped: bool
) -> None:
    file = tmp_path / "model.checkpoint"
    torch.save({"state_dict": released}, file, _use_new_zipfile_serialization=zipped)
    net = CorrespondenceNet(config(released=str(file))).eval()
    bgr = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        x3d, w2d, scale = official(bgr)
        ours = net(bgr.flip(1))
    assert x3d.abs().max() > 0.1
    torch.testing.assert_close(ours.coords, x3d, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.weight_logits, w2d, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.log_scale.exp(), scale, rtol=1e-5, atol=1e-5)


def test_the_import_counts_and_returns_what_belongs_to_the_loss(released: State, tmp_path: Path) -> None:
    torch.save(released, tmp_path / "bare.pth")
    found = load_released(CorrespondenceNet(config()), tmp_path / "bare.pth")
    (translation,) = (key for key in released if key.startswith("trans_head_net."))
    assert tuple(found) == (7.5, len(released) - 2, (translation,), 0.0)
    assert found.summary == f"{len(released) - 2} tensors taken over; left out: 1 of trans_head_net.*"


@pytest.mark.parametrize("anchor", [0.5, 0.25])
def test_another_anchor_than_the_files_is_refused(
    released: State, cdpn: State, tmp_path: Path, anchor: float
) -> None:
    for name, state in (("official.pth", released), ("cdpn.pth", cdpn)):
        torch.save(state, tmp_path / name)
    with pytest.raises(UserError, match=r"official\.pth: .* at 0 of a cell, .*; set model\.cell_anchor=0$"):
        CorrespondenceNet(config(released=str(tmp_path / "official.pth"), cell_anchor=anchor))
    found = CorrespondenceNet(config(released=str(tmp_path / "cdpn.pth"), cell_anchor=anchor)).released
    assert found is not None
    assert found.cell_anchor is None


def test_cdpn_gives_all_but_the_readouts(official: Official, cdpn: State, tmp_path: Path) -> None:
    torch.save({"state_dict": cdpn}, tmp_path / "cdpn_stage_1.pth")
    net = CorrespondenceNet(config())
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found = load_released(net, tmp_path / "cdpn_stage_1.pth")
    after = net.state_dict()
    assert found.norm_factor is None
    assert len(found.ignored) == 3
    prefixes = ("trans_head_net.", "rot_head_net.features.27.")
    assert set(found.ignored) == {key for key in cdpn if key.startswith(prefixes)}
    assert found.summary.endswith("left out: 1 of trans_head_net.*, 2 of rot_head_net.features.27.*")
    theirs = official.rot_head_net.features[24].weight
    torch.testing.assert_close(after["head.stages.24.weight"], theirs, rtol=0, atol=0)
    same = [key for key in after if torch.equal(after[key], before[key]) and "num_batches" not in key]
    fresh = {"output.weight", "output.bias", "scale.weight", "scale.bias"}
    assert fresh <= set(same)
    assert not [key for key in same if key.endswith("weight") and after[key].dim() > 1 and key not in fresh]


def _unknown(state: State) -> State:
    return state | {"rot_head_net.extra.weight": torch.zeros(1)}


def _deeper(state: State) -> State:
    return state | {"backbone.layer4.3.conv1.weight": torch.zeros(1)}


def _missing(state: State) -> State:
    return {key: value for key, value in state.items() if key != "rot_head_net.out_layer.bias"}


def _narrow(state: State) -> State:
    return state | {"rot_head_net.out_layer.weight": torch.zeros(4, 256, 1, 1)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_unknown, "'rot_head_net.extra.weight' is not part of"),
        (_deeper, r"backbone.net.layer4.3.conv1.weight has no counterpart \(1 unknown, 0 missing"),
        (_missing, "output.bias is missing"),
        (_narrow, r"output.weight has shape \(4, 256, 1, 1\), ours \(5, 256, 1, 1\)"),
    ],
)
def test_tensors_that_do_not_map_are_errors(
    released: State, tmp_path: Path, change: Callable[[State], State], words: str
) -> None:
    torch.save({"state_dict": change(released)}, tmp_path / "odd.pth")
    with pytest.raises(UserError, match=words), torch.device("meta"):
        CorrespondenceNet(config(released=str(tmp_path / "odd.pth")))


def test_only_files_of_tensors_are_read(tmp_path: Path) -> None:
    torch.save(nn.Linear(2, 2), tmp_path / "model_cpu.pth")
    (tmp_path / "text.pth").write_text("no checkpoint")
    torch.save([torch.zeros(2)], tmp_path / "list.pth")
    torch.save({"state_dict": [torch.zeros(2)]}, tmp_path / "inner_list.pth")
    torch.save({"epoch": 3, "optimizer": {}}, tmp_path / "other.pth")
    torch.save({"weight": torch.zeros(1000)}, tmp_path / "whole.pth")
    whole = (tmp_path / "whole.pth").read_bytes()
    old = {"weight": torch.zeros(1000)}
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for name, content in [("cut.pth", whole), ("cut_old.pth", (tmp_path / "old.pth").read_bytes())]:
        (tmp_path / name).write_bytes(content[: len(content) // 2])
    net = nn.Identity()
    for name, words in [
        ("none.pth", "no file"),
        ("model_cpu.pth", "could run code"),
        ("text.pth", "not a state dict"),
        ("list.pth", "not a state dict"),
        ("inner_list.pth", "not a state dict"),
        ("other.pth", "no state dict"),
        ("cut.pth", "or a damaged one"),
        ("cut_old.pth", "or a damaged one"),
    ]:
        with pytest.raises(UserError, match=words):
            load_released(net, tmp_path / name)


def test_counters_of_batches_may_be_missing(official: Official, cdpn: State, tmp_path: Path) -> None:
    old = {key: value for key, value in cdpn.items() if not key.endswith(".num_batches_tracked")}
    assert len(cdpn) - len(old) == 36 + 9
    torch.save({"state_dict": old}, tmp_path / "torch_0.4.pth")
    net = CorrespondenceNet(config())
    assert load_released(net, tmp_path / "torch_0.4.pth").loaded == len(old) - 3
    ours = net.state_dict()["head.stages.25.running_var"]
    torch.testing.assert_close(ours, official.rot_head_net.features[25].running_var, rtol=0, atol=0)


def test_imagenet_weights_are_not_fetched_for_a_released_network(
    released: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save(released, tmp_path / "bare.pth")
    monkeypatch.setattr(
        backbones, "create_pretrained", lambda *_, **__: pytest.fail("ImageNet weights asked for")
    )
    net = CorrespondenceNet(config(released=str(tmp_path / "bare.pth"), pretrained=True))
    torch.testing.assert_close(net.scale.weight, released["rot_head_net.scale_branch.weight"], rtol=0, atol=0)
