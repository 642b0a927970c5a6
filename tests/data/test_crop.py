"""The crop's one affine map: image, coordinate map and 2D points must agree."""

import numpy as np
import pytest

from epropnp.data.augment import AugmentConfig, box_crop, jittered_crop
from epropnp.data.crop import Crop, sample_maps, warp_alpha, warp_image
from epropnp.data.dataset import CropDataset
from epropnp.data.format import ArrowDataset, Record

STRONG = AugmentConfig(rotation_deg=40, color=0.4, blur=0.5, noise=0.05, occlusion=0.5)


def ramp_record(side: int = 200) -> Record:
    """A record whose red and green are its own pixel coordinates."""
    y, x = np.mgrid[:side, :side].astype(np.uint8)
    return Record(
        object_id=6,
        sample_id="ramp",
        synthetic=True,
        K=np.array([[572.0, 0, 320], [0, 573.0, 240], [0, 0, 1]]),
        T_cam_obj=np.eye(4),
        box=np.array([160, 130, 80, 80], np.float32),
        image_size=np.array([640, 480]),
        crop_origin=np.array([100, 70]),
        rgb=np.stack([x, y, np.zeros_like(x)], -1),
        map_origin=np.array([160, 130]),
        mask=np.full((80, 80), 255, np.uint8),
        coords=np.zeros((80, 80, 3), np.uint16),
    )


def cell_centres(crop: Crop, cells: int) -> np.ndarray:
    """Original pixel coordinates of the cells of a map, (cells, cells, 2)."""
    inverse = np.linalg.inv(np.vstack([crop.to_cells(cells), [0, 0, 1]]))
    y, x = np.mgrid[:cells, :cells]
    return (np.stack([x, y, np.ones_like(x)], -1) @ inverse.T)[..., :2]


@pytest.mark.parametrize("angle_rad", [0.0, 0.6, -0.3])
def test_warped_pixels_hold_the_place_that_the_affine_map_says(angle_rad: float) -> None:
    record, crop = ramp_record(), Crop(np.array([199.3, 168.6]), 90.0, angle_rad)
    image = warp_image(record, crop, 128).astype(float)
    expected = cell_centres(crop, 128) - record.crop_origin
    # OpenCV interpolates on a grid of 1/32 px, and the ramp is stored in whole grey levels.
    assert np.abs(image[..., :2] - expected).max() < 0.5 + 1 / 32


def test_points_img_are_the_cell_centres_to_a_hundredth_of_a_pixel(tiny_dataset) -> None:  # type: ignore[no-untyped-def]
    data = CropDataset(ArrowDataset(tiny_dataset), "train", input_px=128, map_px=32, config=STRONG)
    for i in range(8):
        sample = data[(1, i, i)]
        crop = jittered_crop(data.records[i], STRONG, np.random.default_rng([0, 1, i]))
        original = cell_centres(crop, 32).reshape(-1, 2)
        rotated = np.c_[original, np.ones(len(original))] @ crop.rotation.T
        batched = type(sample)(**{k: v[None] for k, v in vars(sample).items()})
        found = batched.points_img()[0].double().numpy()
        assert np.abs(found - rotated[:, :2]).max() < 0.01


@pytest.mark.parametrize("config", [None, STRONG])
def test_coordinate_map_projects_onto_its_own_cells(tiny_dataset, config) -> None:  # type: ignore[no-untyped-def]
    """Below 0.6 cells of the output map, rotation and jitter included."""
    data = CropDataset(ArrowDataset(tiny_dataset), "train", input_px=128, map_px=32, config=config)
    worst = 0.0
    for i in range(len(data)):
        s = data[(3, i, i)]
        coords = (s.coords * s.coord_scale[:, None, None]).permute(1, 2, 0)[s.mask].double().numpy()
        T, K = s.T_cam_obj.double().numpy(), s.K.double().numpy()
        rays = (coords @ T[:3, :3].T + T[:3, 3]) @ K.T
        batched = type(s)(**{k: v[None] for k, v in vars(s).items()})
        cells = batched.points_img()[0].view(32, 32, 2)[s.mask].double().numpy()
        gap_px = np.linalg.norm(rays[:, :2] / rays[:, 2:] - cells, axis=1)
        worst = max(worst, float(gap_px.max() * 32 / s.side))
    assert 0.01 < worst < 0.6


def test_evaluation_crop_is_one_and_a_half_boxes_around_the_boxs_centre() -> None:
    crop = box_crop(ramp_record())
    assert crop.side == 120
    np.testing.assert_allclose(crop.centre, [199.5, 169.5])


def test_soft_mask_and_sampled_mask_agree(tiny_dataset) -> None:  # type: ignore[no-untyped-def]
    record = ArrowDataset(tiny_dataset).split("train")[0]
    crop = box_crop(record)
    alpha, (mask, _) = warp_alpha(record, crop, 64), sample_maps(record, crop, 64)
    assert np.abs((alpha > 0.5).astype(int) - mask.astype(int)).mean() < 0.02
