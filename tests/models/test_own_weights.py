"""A training starts from an earlier trial's network, whatever the data."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from epropnp.errors import UserError
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet
from epropnp.training.identity import identity
from epropnp.training.trainer import Trainer
from tests.training.tiny import result_of, tiny, with_optim

SMALL = ModelConfig(backbone="test_resnet", head="deconv", input_px=64, deconv_stride=16, head_width=8)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, CorrespondenceNet]:
    torch.manual_seed(1)
    net = CorrespondenceNet(SMALL)
    (tmp_path / "trial").mkdir()
    torch.save({"net": net.state_dict(), "config": {}}, tmp_path / "trial" / "best.pt")
    return tmp_path / "trial", net


@pytest.mark.parametrize("named", ["", "best.pt"])
def test_all_weights_are_taken_over(saved: tuple[Path, CorrespondenceNet], named: str) -> None:
    folder, net = saved
    torch.manual_seed(2)
    found = CorrespondenceNet(dataclasses.replace(SMALL, start=str(folder / named)))
    for name, tensor in net.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], tensor, rtol=0, atol=0)


def test_a_plan_checks_it_without_memory(saved: tuple[Path, CorrespondenceNet]) -> None:
    folder, _ = saved
    with torch.device("meta"):
        CorrespondenceNet(dataclasses.replace(SMALL, start=str(folder)))
        with pytest.raises(UserError, match=r"has shape \(192, 8, 3, 3\), ours \(192, 16, 3, 3\)"):
            CorrespondenceNet(dataclasses.replace(SMALL, start=str(folder), head_width=16))
        with pytest.raises(UserError, match=r"\d+ unknown, \d+ missing tensors"):
            CorrespondenceNet(dataclasses.replace(SMALL, start=str(folder), head="upsample"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no file .*: model.start takes a trial's folder, or its best.pt"),
        (b"nonsense", "cannot be read .*: copy it again"),
        ({"weight": torch.zeros(2)}, "is no checkpoint of a trial; .* model.weights_file, .* model.released"),
    ],
)
def test_what_is_no_network_of_ours_is_refused(content: object, words: str, tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        torch.save(content, file)
    with pytest.raises(UserError, match=re.escape(str(file))) as caught:
        CorrespondenceNet(dataclasses.replace(SMALL, start=str(file)))
    assert re.search(words, str(caught.value))


def test_its_content_is_part_of_the_trial_and_its_place_is_not(
    saved: tuple[Path, CorrespondenceNet], tmp_path: Path
) -> None:
    def found(start: Path) -> object:
        config = tiny()
        model = dataclasses.replace(config.model, start=str(start))
        return identity(dataclasses.replace(config, model=model))["model.start"]

    folder, net = saved
    copy = tmp_path / "copy.pt"
    copy.write_bytes((folder / "best.pt").read_bytes())
    assert found(folder) == found(folder / "best.pt") == found(copy)
    torch.save({"net": {k: v + 1 for k, v in net.state_dict().items()}}, tmp_path / "other.pt")
    assert found(tmp_path / "other.pt") != found(copy)


@pytest.mark.slow
def test_a_training_goes_on_from_it(trained: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    config = with_optim(epochs=1)
    model = dataclasses.replace(config.model, start=str(trained))
    second = Trainer(dataclasses.replace(config, model=model), tiny_dataset, tmp_path, "cpu").fit()
    assert second.val_before == pytest.approx(result_of(trained).val_after, abs=1e-6)
    assert second.pretrained
    assert second.weights_sha256 is not None


def test_two_starts_are_refused() -> None:
    config = tiny()
    model = dataclasses.replace(config.model, start="a", released="b")
    with pytest.raises(UserError, match="holds all weights: leave"):
        dataclasses.replace(config, model=model)
