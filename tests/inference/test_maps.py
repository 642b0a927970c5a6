"""Correspondences: which cell gives which points and weights, how far projections may go, random cells."""

import dataclasses
from typing import Literal

import numpy as np
import pytest
import torch

from epropnp.inference.maps import correspondences, random_cells
from epropnp.models.config import ModelConfig
from epropnp.models.network import Prediction
from tests.training.toys import CELLS, looking, made_batch

BATCH = made_batch([looking(20.0, (0.05, -0.03, 0.8)), looking(-70.0, (-0.1, 0.06, 1.1))], [1, 2])


def prediction() -> Prediction:
    """Maps without two equal numbers."""
    noise = torch.Generator().manual_seed(5)
    coords, logits = (torch.randn(2, channels, CELLS, CELLS, generator=noise) for channels in (3, 2))
    return Prediction(coords, logits, torch.tensor([[0.1, -0.4], [1.2, 0.7]]))


def config(norm: Literal["v1b", "v2"] = "v2", anchor: float = 0.5) -> ModelConfig:
    return ModelConfig(input_px=32, weight_norm=norm, cell_anchor=anchor)


def expected_weights(norm: str, logits: np.ndarray, log_scale: np.ndarray, px_per_cell: float) -> np.ndarray:
    """Of one object's N points, (N, 2), as the two releases define them."""
    if norm == "v1b":
        geometric_mean = np.prod(np.exp(logits), axis=0) ** (1 / len(logits))
        return np.asarray(np.exp(logits) / geometric_mean / len(logits) * np.exp(log_scale))
    return np.asarray(np.exp(logits) / np.exp(logits).sum(0) * np.exp(log_scale) / px_per_cell)


@pytest.mark.parametrize("norm", ["v1b", "v2"])
@pytest.mark.parametrize("anchor", [0.5, 0.0])
@pytest.mark.parametrize("cells", [None, [[9, 63, 0, 22], [7, 8, 56, 1]]])
def test_every_number_of_a_correspondence_is_of_the_same_cell(
    norm: Literal["v1b", "v2"], anchor: float, cells: list[list[int]] | None
) -> None:
    maps = prediction()
    chosen = None if cells is None else torch.tensor(cells)
    found = correspondences(maps, BATCH, config(norm, anchor), chosen)
    for b, indices in enumerate(cells or [list(range(CELLS**2))] * 2):
        where = [(i // CELLS, i % CELLS) for i in indices]  # row, column
        scale, side = BATCH.coord_scale[b].numpy(), float(BATCH.side[b])
        metres = [maps.coords[b, :, row, column].numpy() * scale for row, column in where]
        np.testing.assert_allclose(found.points_obj[b], metres, rtol=1e-5)
        x, y = BATCH.corner[b].tolist()
        px = [[x + (column + anchor) * side / 8, y + (row + anchor) * side / 8] for row, column in where]
        np.testing.assert_allclose(found.points_img[b], px, rtol=1e-5)
        logits = np.array([maps.weight_logits[b, :, row, column].tolist() for row, column in where])
        weights = expected_weights(norm, logits, np.array(maps.log_scale[b].tolist()), side / 8)
        np.testing.assert_allclose(found.weights[b], weights, rtol=1e-4)
    assert found.points_obj.shape == (2, len((cells or [list(range(CELLS**2))])[0]), 3)


def test_projections_may_leave_the_crop_by_thirty_cells_on_each_side() -> None:
    batch = dataclasses.replace(
        BATCH, corner=torch.tensor([[100.0, 40.0], [-5.0, 300.0]]), side=torch.tensor([80.0, 160.0])
    )  # cells of 10 and of 20 px
    camera = correspondences(prediction(), batch, config()).camera
    assert camera.lower.tolist() == [[100 - 300, 40 - 300], [-5 - 600, 300 - 600]]
    assert camera.upper.tolist() == [[180 + 300, 120 + 300], [155 + 600, 460 + 600]]
    assert torch.equal(camera.K, batch.K)


def of_cells(count: int, side: int) -> Prediction:
    """Maps of which nothing but the size matters."""
    return dataclasses.replace(prediction(), coords=torch.zeros(count, 3, side, side))


def draw(maps: Prediction, points: int, seed: int = 0) -> torch.Tensor:
    return random_cells(maps, points, torch.Generator().manual_seed(seed))


def test_random_cells_are_different_ones_and_every_cell_has_the_same_chance() -> None:
    """Each of 16 cells is among the 4 of 8,000 draws 2,000 times, give or take 39 (one sigma)."""
    cells = draw(of_cells(8000, 4), 4)
    assert cells.shape == (8000, 4)
    assert all(len(set(row)) == 4 for row in cells.tolist())
    counts = np.bincount(cells.flatten(), minlength=16)
    assert len(counts) == 16
    assert np.abs(counts - 2000).max() < 5 * 39


def test_random_cells_differ_between_objects_and_draws_and_repeat_with_the_seed() -> None:
    cells = draw(of_cells(2, 8), 16)
    assert set(cells[0].tolist()) != set(cells[1].tolist())
    assert not torch.equal(cells, draw(of_cells(2, 8), 16, seed=1))
    assert torch.equal(cells, draw(of_cells(2, 8), 16))


def test_more_points_than_cells_are_all_cells() -> None:
    for points in (64, 1000):
        assert [sorted(row) for row in draw(of_cells(3, 8), points).tolist()] == [list(range(64))] * 3
