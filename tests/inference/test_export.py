"""What is written as ONNX or as a program says what the network says, and predicts the same poses."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.errors import UserError
from epropnp.evaluation.network_test import predict_test
from epropnp.evaluation.predictions import Predictions
from epropnp.inference import Predictor, export
from epropnp.inference.card import from_text
from epropnp.inference.export import export_onnx, export_program
from epropnp.inference.model import card, load_checkpoint, load_model, save_checkpoint
from epropnp.models.config import HEAD_NAMES
from epropnp.training.trainer import Trainer
from tests.inference.untrained import untrained
from tests.training.tiny import tiny

BATCHES = (1, 3, 32)


def images(batch: int) -> torch.Tensor:
    return torch.rand(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))


def assert_same(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert list(found) == ["coords", "weight_logits", "log_scale"]
    for name, values in expected.items():
        assert found[name].shape == values.shape
        assert values.std() > 1e-2  # there is something to compare
        assert (found[name] - values).abs().max() < 1e-4, name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "head"), [*(("test_resnet", head) for head in HEAD_NAMES), ("test_convnext", "fpn")]
)
def test_maps_of_every_head_at_every_batch_are_torchs(backbone: str, head: str, tmp_path: Path) -> None:
    model = untrained(tmp_path, backbone=backbone, head=head)
    deviation = export_onnx(model, tmp_path / "new" / "net.onnx")
    assert deviation < 1e-5
    exported = load_model(tmp_path / "new" / "net.onnx").inference.net
    for batch in BATCHES:
        with torch.no_grad():
            expected = model.inference.net(images(batch))
        assert_same(vars(exported(images(batch))), vars(expected))
    graph = onnx.load(tmp_path / "new" / "net.onnx").graph
    dims = graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in dims] == ["batch", 3, 64, 64]


@pytest.mark.slow
def test_a_program_gives_the_same_maps_by_name_and_holds_the_rest(tmp_path: Path) -> None:
    model = untrained(tmp_path)
    assert export_program(model, tmp_path / "net.pt2") < 1e-5
    files = {"epropnp.json": ""}
    program: Any = torch.export.load(tmp_path / "net.pt2", extra_files=files).module()
    for batch in BATCHES:
        with torch.no_grad():
            expected = model.inference.net(images(batch))
        assert_same(program(images(batch)), vars(expected))
    held, expected_card = from_text(files["epropnp.json"], tmp_path / "net.pt2"), card(model)
    assert held.keys() == expected_card.keys()
    assert held["temperatures"] == expected_card["temperatures"]


@pytest.mark.slow
def test_the_network_itself_stays_as_it_was(tmp_path: Path) -> None:
    model = untrained(tmp_path)
    before = {name: value.clone() for name, value in model.inference.net.state_dict().items()}
    model.inference.net.train()
    export_program(model, tmp_path / "net.pt2")
    assert model.inference.net.training
    assert all(value.requires_grad for value in model.inference.net.parameters())
    for name, value in model.inference.net.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.slow
def test_a_file_that_deviates_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = untrained(tmp_path), tmp_path / "net.pt2"
    path.write_text("an earlier one")
    load = torch.export.load

    class Wrong:
        def __init__(self, program: Any) -> None:
            self.program = program.module()

        def module(self) -> Any:
            return lambda image: {name: 1.01 * value for name, value in self.program(image).items()}

    monkeypatch.setattr(torch.export, "load", lambda file: Wrong(load(file)))
    with pytest.raises(UserError, match=r"net.pt2 is not written: coords would deviate .* by 1.0e-02"):
        export_program(model, path)
    assert path.read_text() == "an earlier one"
    assert [each.name for each in tmp_path.glob("net*")] == ["net.pt2"]


def test_what_cannot_be_exported_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object, **__: object) -> None:
        raise ValueError("no such operator\nsecond line")

    model = untrained(tmp_path)
    monkeypatch.setattr(torch.export, "export", fails)
    with pytest.raises(UserError) as error:
        export.export_program(model, tmp_path / "net.pt2")
    assert str(error.value) == (
        "backbone 'test_resnet' with head 'deconv' cannot be exported (ValueError: no such operator)"
    )
    assert not (tmp_path / "net.pt2").exists()


@dataclasses.dataclass(frozen=True)
class Trial:
    """The file of a trained network, its export, and what its own test said."""

    best: Path
    exported: Path
    predictions: Predictions


@pytest.fixture(scope="module")
def trial(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Objects reach three times as far ahead of their origin as behind it; units stay |bounds_min|."""
    folder = tmp_path_factory.mktemp("export")
    Trainer(tiny(), tiny_dataset, folder, "cpu").fit()
    state = load_checkpoint(folder / "best.pt")
    for row in state["objects"]:
        row["bounds_max"] = 3 * row["bounds_min"].abs()
    save_checkpoint(folder / "best.pt", state)
    export_onnx(load_model(folder / "best.pt"), folder / "best.onnx")
    return Trial(folder / "best.pt", folder / "best.onnx", Predictions.read(folder / "predictions.parquet"))


@pytest.mark.slow
def test_poses_of_onnx_are_those_of_the_network(trial: Trial, tiny_dataset: Path) -> None:
    saved, config = trial.predictions, tiny()
    crops = CropDataset(
        ArrowDataset(tiny_dataset),
        "test",
        input_px=config.model.input_px,
        map_px=config.model.map_px,
        noise=config.evaluation.detector,
    )
    shown = crops.__getitems__([(0, i, i) for i in range(len(crops))]).image.numpy()
    expected, found = (
        Predictor(path, "cpu")(shown, saved.K, saved.crop, saved.object_id.tolist())
        for path in (trial.best, trial.exported)
    )
    np.testing.assert_allclose(found.T_cam_obj[:, :3, 3], expected.T_cam_obj[:, :3, 3], rtol=0, atol=1e-5)
    np.testing.assert_allclose(found.T_cam_obj[:, :3, :3], expected.T_cam_obj[:, :3, :3], rtol=0, atol=1e-4)
    np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-3, atol=1e-12)
    np.testing.assert_allclose(found.cost, expected.cost, rtol=1e-4)
    assert found.valid.tolist() == expected.valid.tolist()


@pytest.mark.slow
def test_an_export_is_tested_on_a_dataset_as_its_network(trial: Trial, tiny_dataset: Path) -> None:
    found = predict_test(load_model(trial.exported), ArrowDataset(tiny_dataset))
    np.testing.assert_allclose(found.T_pred, trial.predictions.T_pred, rtol=0, atol=1e-4)
    assert found.temperatures == trial.predictions.temperatures


def test_an_export_of_an_export_is_refused(trial: Trial, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is an export already: export the best\.pt"):
        export_program(load_model(trial.exported), tmp_path / "net.pt2")
