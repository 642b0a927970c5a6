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
from epropnp.inference.model import (
    TrainedModel,
    load_checkpoint,
    load_model,
    save_checkpoint,
    without_weights,
)
from tests.inference.untrained import untrained
from tests.training.tiny import tiny

BATCHES = (1, 3, 32)


def images(batch: int) -> torch.Tensor:
    return torch.rand(batch, 3, 64, 64, generator=torch.Generator().manual_seed(batch))


def assert_same(found: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> None:
    assert list(found) == ["coords", "weight_logits", "log_scale"]
    for name, values in expected.items():
        assert found[name].shape == values.shape
        assert values.std() > 1e-3  # there is something to compare
        assert (found[name] - values).abs().max() < 1e-4, name


def assert_exported(model: TrainedModel, path: Path) -> None:
    """The file says what the network says, at batches that it was not traced with."""
    exported = load_model(path).inference.net
    for batch in BATCHES:
        with torch.no_grad():
            expected = model.inference.net(images(batch))
        assert_same(vars(exported(images(batch))), vars(expected))
    shape = onnx.load(path).graph.input[0].type.tensor_type.shape.dim
    assert [each.dim_param or each.dim_value for each in shape] == ["batch", 3, 64, 64]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backbone", "head"), [("test_resnet", "direct"), ("test_resnet", "fpn"), ("test_convnext", "upsample")]
)
def test_maps_of_every_head_at_every_batch_are_torchs(backbone: str, head: str, tmp_path: Path) -> None:
    """`deconv` is the head of the trial below."""
    model, path = untrained(tmp_path, backbone=backbone, head=head), tmp_path / "new" / "net.onnx"
    assert export_onnx(model, path) < 1e-5
    assert_exported(model, path)


@pytest.mark.slow
def test_a_program_gives_the_same_maps_by_name_and_holds_the_rest(tmp_path: Path) -> None:
    model = untrained(tmp_path)
    model.inference.net.train()
    before = {name: value.clone() for name, value in model.inference.net.state_dict().items()}
    assert export_program(model, tmp_path / "net.pt2") < 1e-5
    assert model.inference.net.training  # the network itself stays as it was
    assert all(value.requires_grad for value in model.inference.net.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.inference.net.state_dict().items())
    model.inference.net.eval()
    files = {"epropnp.json": ""}
    program: Any = torch.export.load(tmp_path / "net.pt2", extra_files=files).module()
    for batch in BATCHES:
        with torch.no_grad():
            expected = model.inference.net(images(batch))
        assert_same(program(images(batch)), vars(expected))
    held, rest = from_text(files["epropnp.json"], tmp_path / "net.pt2"), without_weights(model)
    assert held.keys() == rest.keys()
    assert held["temperatures"] == rest["temperatures"]


def test_a_file_that_deviates_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, path = untrained(tmp_path), tmp_path / "net.pt2"
    path.write_text("an earlier one")

    class Wrong:
        def module(self) -> Any:
            return lambda image: {k: 1.01 * v for k, v in vars(model.inference.net(image)).items()}

    monkeypatch.setattr(torch.export, "export", lambda *_, **__: Wrong())
    monkeypatch.setattr(torch.export, "save", lambda program, file, extra_files: file.write(b"new"))
    monkeypatch.setattr(torch.export, "load", lambda file: Wrong())
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
def trial(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    """Objects reach three times as far ahead of their origin as behind it; units stay |bounds_min|."""
    folder = tmp_path_factory.mktemp("export")
    state = load_checkpoint(trained / "best.pt")
    for row in state["objects"]:
        row["bounds_max"] = 3 * row["bounds_min"].abs()
    save_checkpoint(folder / "best.pt", state)
    export_onnx(load_model(folder / "best.pt"), folder / "best.onnx")
    return Trial(folder / "best.pt", folder / "best.onnx", Predictions.read(trained / "predictions.parquet"))


@pytest.mark.slow
def test_maps_of_a_trained_network_are_torchs(trial: Trial) -> None:
    assert_exported(load_model(trial.best), trial.exported)


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


@pytest.mark.slow
def test_an_export_of_an_export_is_refused(trial: Trial, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is an export already: export the best\.pt"):
        export_program(load_model(trial.exported), tmp_path / "net.pt2")
