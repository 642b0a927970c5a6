"""Two objects, one of them symmetric, photographs beside renderings: from the dataset to the score.

Every expectation is worked out from the dataset's records by plain NumPy, or is a count.
"""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from epropnp.data.config import AugmentConfig
from epropnp.data.dataset import Batch, CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from epropnp.evaluation.predictions import Predictions
from epropnp.evaluation.scores import score
from epropnp.inference.maps import correspondences
from epropnp.models.network import Prediction
from epropnp.training.data import TrialData
from epropnp.training.objective import Objective
from epropnp.training.trainer import Trainer
from tests.photographs import CAT, EGGBOX, HALF_TURN, wall
from tests.training.tiny import tiny, with_optim

STILL = AugmentConfig(scale_jitter=0, shift_jitter=0, background_synthetic=0, background_real=0)


@pytest.fixture(scope="module")
def dataset(tiny_dataset: Path) -> ArrowDataset:
    return ArrowDataset(tiny_dataset)


@pytest.fixture(scope="module")
def predictions(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Predictions:
    """The file of a training of one epoch."""
    folder = tmp_path_factory.mktemp("mixed")
    Trainer(with_optim(epochs=1), tiny_dataset, folder, "cpu").fit()
    return Predictions.read(folder / "predictions.parquet")


def test_the_dataset_holds_what_it_says(dataset: ArrowDataset) -> None:
    counts = {}
    for split in ("train", "validation", "test"):
        ids, synthetic = (dataset.split(split).column(name) for name in ("object_id", "synthetic"))
        for number in (CAT, EGGBOX):
            counts[split, number] = (
                int((~synthetic[ids == number]).sum()),
                int(synthetic[ids == number].sum()),
            )
    assert counts == {
        ("train", CAT): (8, 24),
        ("train", EGGBOX): (8, 24),
        ("validation", CAT): (6, 0),
        ("validation", EGGBOX): (6, 0),
        ("test", CAT): (0, 6),
        ("test", EGGBOX): (6, 0),
    }
    cat, eggbox = dataset.objects[CAT], dataset.objects[EGGBOX]
    assert (cat.name, cat.symmetric, len(cat.symmetries)) == ("cat", False, 1)
    assert (eggbox.name, eggbox.symmetric) == ("eggbox", True)
    np.testing.assert_array_equal(eggbox.symmetries, [np.eye(4), HALF_TURN])
    turned = eggbox.points * (-1, -1, 1)  # each point has its partner; the cat's have none
    nearest = [np.linalg.norm(eggbox.points - point, axis=1).min() for point in turned[:50]]
    assert max(nearest) < 1e-6
    assert max(np.linalg.norm(cat.points - p, axis=1).min() for p in cat.points[:50] * (-1, -1, 1)) > 0.01


def closest_mean_m(T_pred: np.ndarray, T_true: np.ndarray, points: np.ndarray, symmetric: bool) -> float:
    """ADD (Hinterstoisser et al. 2012), or ADD-S: the mean distance to the closest true point."""
    found = points @ T_pred[:3, :3].T + T_pred[:3, 3]
    true = points @ T_true[:3, :3].T + T_true[:3, 3]
    if not symmetric:
        return float(np.linalg.norm(found - true, axis=1).mean())
    squares = (found**2).sum(1)[:, None] + (true**2).sum(1) - 2 * found @ true.T
    return float(np.sqrt(squares.clip(0).min(1)).mean())


def test_the_eggbox_is_scored_by_closest_points_and_the_cat_by_its_own(
    predictions: Predictions, dataset: ArrowDataset
) -> None:
    """Every other pose is turned by half a turn: the cat loses those, the eggbox none.

    Of six cats and three eggboxes: each object counts the same, and not each image.
    """
    rng = np.random.default_rng(0)
    T_pred = predictions.T_true[:9].copy()
    T_pred[:, :3, 3] += rng.normal(0, 0.006, (9, 3))
    T_pred[::2] = T_pred[::2] @ HALF_TURN
    kept: dict[str, Any] = {
        k: v[:9] for k, v in vars(predictions).items() if isinstance(v, np.ndarray | list)
    }
    kept |= {"T_pred": T_pred, "valid": np.ones(9, bool), "posterior": None}
    moved = dataclasses.replace(predictions, **kept)
    few = {i: dataclasses.replace(m, points=m.points[::20]) for i, m in predictions.objects.items()}
    shares: dict[int, list[float]] = {CAT: [], EGGBOX: []}
    for number, found, true in zip(moved.object_id.tolist(), T_pred, moved.T_true, strict=True):
        points = dataset.objects[number].points[::20].astype(float)
        error_m = closest_mean_m(found, true, points, number == EGGBOX)
        shares[number].append(error_m / {CAT: 0.15454551808, EGGBOX: 0.16462758848}[number])
    scores = score(moved, few)
    hits = {}
    for name, limit in (("add_0.02d", 0.02), ("add_0.05d", 0.05), ("add_0.10d", 0.1)):
        hits[name] = {number: 100 * np.mean(np.array(values) < limit) for number, values in shares.items()}
        assert scores[name] == pytest.approx(np.mean(list(hits[name].values())), abs=1e-9), name
    assert hits["add_0.10d"] == {CAT: 50, EGGBOX: 100}
    assert len({tuple(values.values()) for values in hits.values()}) > 1


def test_every_row_of_the_file_is_of_its_record(predictions: Predictions, dataset: ArrowDataset) -> None:
    records = list(dataset.split("test"))
    assert predictions.sample_id == [record.sample_id for record in records]
    assert predictions.object_id.tolist() == [CAT] * 6 + [EGGBOX] * 6
    np.testing.assert_array_equal(predictions.K, [record.K for record in records])
    assert len({K.tobytes() for K in predictions.K}) == 6  # renderings share LineMOD's, photographs do not
    np.testing.assert_array_equal(predictions.T_true, [record.T_cam_obj for record in records])
    assert list(predictions.objects) == [CAT, EGGBOX]
    for number, model in predictions.objects.items():
        for name, value in vars(dataset.objects[number]).items():
            np.testing.assert_array_equal(getattr(model, name), value, err_msg=name)
    boxes = np.stack([record.box for record in records]).astype(float)
    side = 1.5 * boxes[:, 2:].max(axis=1)
    middle = boxes[:, :2] + (boxes[:, 2:] - 1) / 2
    expected = np.c_[middle - side[:, None] / 2, side]
    np.testing.assert_allclose(predictions.crop, expected, rtol=1e-6, atol=1e-4)


def batch_of(dataset: ArrowDataset, split: str, rows: range, config: AugmentConfig | None = None) -> Batch:
    data = CropDataset(dataset, split, input_px=64, map_px=16, config=config)
    return data.__getitems__([(0, i, i) for i in rows])


def test_bounds_scale_and_camera_are_those_of_the_object(dataset: ArrowDataset) -> None:
    """Undone with its own object's numbers, every map's cell projects into its own cell."""
    batch = batch_of(dataset, "validation", range(12))
    found = correspondences(
        Prediction(batch.coords, torch.zeros(12, 2, 16, 16), torch.zeros(12, 2)), batch, tiny().model
    )
    for i, record in enumerate(dataset.split("validation")):
        model = dataset.objects[record.object_id]
        mesh_low = model.points.min(axis=0)  # stand-ins are scored by the vertices that are rendered
        np.testing.assert_allclose(batch.coord_scale[i], np.abs(mesh_low), rtol=1e-6)
        seen = batch.mask[i].flatten()
        points = found.points_obj[i][seen].double().numpy()
        assert (points >= mesh_low - 1e-5).all()
        assert (points <= model.points.max(axis=0) + 1e-5).all()
        rays = (points @ record.T_cam_obj[:3, :3].T + record.T_cam_obj[:3, 3]) @ record.K.T
        cells = found.points_img[i][seen].double().numpy()
        gap_px = np.abs(rays[:, :2] / rays[:, 2:] - cells)
        assert gap_px.max() < 0.52  # the nearest pixel to the cell's centre
        np.testing.assert_allclose(batch.K[i], record.K, rtol=1e-6)


def turned(batch: Batch, rows: list[int]) -> Prediction:
    """Predictions that are right, but for half a turn in some rows."""
    coords = batch.coords.clone()
    coords[rows, :2] *= -1
    return Prediction(coords, torch.zeros(len(coords), 2, 16, 16), torch.zeros(len(coords), 2))


@pytest.mark.parametrize("symmetric", [False, True])
def test_a_symmetric_object_is_trained_on_the_turn_that_is_nearest(
    dataset: ArrowDataset, symmetric: bool
) -> None:
    """Right up to half a turn, an eggbox gets that turn's pose and map, and the cat keeps its own."""
    batch, config = batch_of(dataset, "validation", range(12)), tiny()
    config = dataclasses.replace(config, loss=dataclasses.replace(config.loss, symmetric=symmetric))
    objective, trained = Objective(config, dataset.objects), []
    objective.loss = lambda scene, _: trained.append(scene.batch)  # type: ignore[assignment]
    prediction = turned(batch, [0, 1, 6, 7])
    objective(prediction, batch, torch.Generator().manual_seed(0))
    (target,) = trained
    for i in range(12):
        chosen = HALF_TURN if symmetric and i in (6, 7) else np.eye(4)
        np.testing.assert_allclose(target.T_cam_obj[i], batch.T_cam_obj[i].numpy() @ chosen, atol=1e-6)
        off = (target.coords[i] - prediction.coords[i]).abs().sum()
        assert (float(off) < 1e-3) == (i not in ((0, 1) if symmetric else (0, 1, 6, 7)))
        # The map and the pose are of the same turn: a cell's point projects into the cell.
        seen = target.mask[i]
        metres = (target.coords[i][:, seen].T * target.coord_scale[i]).double().numpy()
        T, K = target.T_cam_obj[i].double().numpy(), target.K[i].double().numpy()
        rays = (metres @ T[:3, :3].T + T[:3, 3]) @ K.T
        row, column = torch.nonzero(seen, as_tuple=True)
        cells = torch.stack([column, row], 1).numpy() + 0.5
        place = cells / 16 * float(target.side[i]) + target.corner[i].numpy()
        assert np.abs(rays[:, :2] / rays[:, 2:] - place).max() < 0.55


def test_photographs_are_visited_as_often_as_asked(tiny_dataset: Path) -> None:
    """Of 64 samples 16 are photographs: 48 + 3 x 16 visits, or 48 where they are left out."""
    config = with_optim(batch_size=8)
    for repeats in (0, 1, 3):
        data = dataclasses.replace(config.data, real_repeats=repeats, augment=STILL)
        trial = TrialData(dataclasses.replace(config, data=data), tiny_dataset, torch.device("cpu"))
        synthetic = trial.dataset.split("train").column("synthetic")
        visits = np.zeros(64, int)
        for parts in trial.batches(0):
            np.add.at(visits, parts[0].index.numpy(), 1)
        assert visits[synthetic].tolist() == [1] * 48
        assert visits[~synthetic].tolist() == [repeats] * 16


def wall_share(batch: Batch, record: Record, i: int) -> float:
    """The share of a crop's pixels beyond the object that show the photograph's wall where they lie in it."""
    picture = int(record.sample_id.split("/")[-1][:6])
    side_px = float(batch.side[i])
    cells = (np.arange(64) + 0.5) / 64 * side_px
    x, y = np.meshgrid(cells + float(batch.corner[i, 0]), cells + float(batch.corner[i, 1]))
    inside = (x > 1) & (x < 638) & (y > 1) & (y < 478)
    column, row = np.rint(x[inside]).astype(int), np.rint(y[inside]).astype(int)
    gap = np.abs(batch.image[i].numpy()[inside].astype(int) - wall(picture)[row, column])
    return float((gap.max(axis=1) <= 1).mean())


@pytest.mark.parametrize("real", [0.0, 1.0])
@pytest.mark.parametrize("rendered", [0.0, 1.0])
def test_photographs_and_renderings_get_backgrounds_each_as_its_own_setting_says(
    dataset: ArrowDataset, real: float, rendered: float
) -> None:
    config = dataclasses.replace(STILL, background_real=real, background_synthetic=rendered)
    batch, still = batch_of(dataset, "train", range(64), config), batch_of(dataset, "train", range(64), STILL)
    for i, record in enumerate(dataset.split("train")):
        rendered_here = record.sample_id.startswith("synthetic/")
        assert record.synthetic == rendered_here
        changed = float((batch.image[i] != still.image[i]).any(-1).float().mean())
        assert (changed > 0.3) == bool(rendered if rendered_here else real), record.sample_id
        if not rendered_here:
            assert (wall_share(batch, record, i) > 0.3) == (not real), record.sample_id


def test_the_mask_of_the_hidden_eggbox_ends_where_the_cat_begins(dataset: ArrowDataset) -> None:
    """Counted in the one picture where the cat stands before it: no pixel is of both."""
    records = {r.sample_id: r for r in dataset.split("train") if "train_real/000001/000007" in r.sample_id}
    masks = {}
    for record in records.values():
        masks[record.object_id] = full = np.zeros((480, 640), bool)
        (x, y), (height, width) = record.map_origin, record.mask.shape
        full[y : y + height, x : x + width] = record.mask > 0
    assert masks[CAT].sum() > 1000
    assert masks[EGGBOX].sum() > 1000
    assert not (masks[CAT] & masks[EGGBOX]).any()
    grown = np.zeros_like(masks[CAT])
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            grown |= np.roll(masks[CAT], (dy, dx), (0, 1))
    assert (grown & masks[EGGBOX]).sum() > 20  # they touch
