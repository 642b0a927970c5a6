"""`epropnp.evaluate MODEL --data DATASET`: a network of ours, or of the official code, is tested alone."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.evaluate import main
from epropnp.evaluation.predictions import Predictions
from epropnp.inference.epnp import epnp_poses
from epropnp.inference.latency import Latency
from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig
from epropnp.pnp.pose import to_matrix
from pipelines.building.build import BuildConfig, build
from tests.data.sets import write_dataset
from tests.models.test_released import Official


@pytest.fixture(scope="module")
def trial(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results are written beside its network."""
    return shutil.copytree(trained, tmp_path_factory.mktemp("trial") / "trained")


@pytest.mark.slow
@pytest.mark.parametrize("named", ["", "best.pt"])
def test_a_trial_tested_again_says_what_it_said(
    named: str, trial: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(trial / named), "--data", str(tiny_dataset), "--output", str(tmp_path), "--device", "cpu"]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "add_0.10d" in printed
    measured = Latency.read(tmp_path)
    assert measured is not None
    assert f"{measured.words}; wrote {tmp_path / 'latency.json'}" in printed
    assert measured.precision == "float32"
    found, saved = (Predictions.read(folder / "predictions.parquet") for folder in (tmp_path, trial))
    assert found.sample_id == saved.sample_id
    np.testing.assert_allclose(found.T_pred, saved.T_pred, atol=1e-5)
    assert found.temperatures == saved.temperatures
    assert (tmp_path / "scores.csv").is_file()


def test_without_a_word_the_results_lie_beside_the_network(trial: Path, tiny_dataset: Path) -> None:
    before = (trial / "predictions.parquet").read_bytes()
    assert main([str(trial), "--data", str(tiny_dataset), "--device", "cpu"]) == 0
    assert (trial / f"tested-{tiny_dataset.name}" / "predictions.parquet").is_file()
    assert (trial / "predictions.parquet").read_bytes() == before


@pytest.mark.slow
def test_an_official_checkpoint_is_tested_as_its_code_does(
    tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their network written out, EPnP on a fifth of all points at the cells' corners, then three steps."""
    torch.manual_seed(0)
    official = Official().eval()
    translation = {"trans_head_net.fc.weight": torch.zeros(3, 4), "trans_head_net.fc.bias": torch.zeros(3)}
    extra = {"monte_carlo_pose_loss.norm_factor": torch.tensor(7.5), **translation}
    torch.save({"state_dict": official.state_dict() | extra}, tmp_path / "official.pth")
    words = [str(tmp_path / "official.pth"), "--data", str(tiny_dataset), "--output", str(tmp_path / "out")]
    assert main([*words, "--device", "cpu"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "tensors taken over; left out: 2 of trans_head_net.*" in said
    found = Predictions.read(tmp_path / "out" / "predictions.parquet")
    crops = CropDataset(ArrowDataset(tiny_dataset), "test", input_px=256, map_px=64)
    batch = crops.__getitems__([(0, i, i) for i in range(3)])
    rgb = torch.from_numpy(np.asarray(batch.image)).permute(0, 3, 1, 2).float() / 255
    with torch.no_grad():
        x3d, w2d, scale = official(rgb.flip(1))
    count = 64 * 64
    points_obj = x3d.flatten(2).mT * batch.coord_scale[:, None]
    logits = w2d.flatten(2).mT
    weights = (logits - logits.mean(1, keepdim=True) - np.log(count)).exp() * scale[:, None]
    weights = weights * np.sqrt(count / 512)  # of as many points as in training
    cells = torch.stack(torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="xy"), -1)
    px = batch.side[:, None, None] / 64
    points_img = batch.corner[:, None] + cells.view(1, -1, 2) * px  # the corners of cells
    camera = Camera(batch.K, batch.corner - 30 * px[:, 0], batch.corner + 94 * px[:, 0])
    given = Correspondences(points_obj=points_obj, points_img=points_img, weights=weights, camera=camera)
    start = epnp_poses(points_obj, points_img, weights, batch.K)
    solved = EProPnP(PnPConfig()).solve(given, init_pose=start, proposals=0, iterations=3, fast=True)
    np.testing.assert_allclose(found.cost[:3], solved.cost, rtol=1e-2)
    apart = np.abs(found.T_pred[:3] - to_matrix(solved.pose.double()).numpy()).max((1, 2))
    assert np.median(apart) < 1e-4  # an untrained network leaves some poses open


def test_bad_input_is_one_line(
    trial: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    empty = write_dataset(tmp_path / "empty")
    config = BuildConfig(objects=("ape",), train=0, validation=0, test=2, mesh_resolution=24)
    apes = build(dataclasses.replace(config, background_count=1), tmp_path, workers=1, progress=False)
    (tmp_path / "text.pth").write_text("no checkpoint")
    for words, said in (
        ([str(trial)], "to test a network, give --data DATASET"),
        ([str(tmp_path / "none.pt"), "--data", str(tiny_dataset)], "none.pt is not there"),
        ([str(tmp_path / "text.pth"), "--data", str(tiny_dataset)], "not a state dict"),
        ([str(trial), "--data", str(empty)], "has no test images"),
        ([str(trial), "--data", str(apes)], "shows ape, which the network does not know (cat, eggbox)"),
    ):
        assert main([*words, "--output", str(tmp_path / "out")]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert said in error
