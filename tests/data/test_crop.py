"""The crop's one affine map: image, coordinate map and 2D points must agree."""

import dataclasses

import numpy as np
import pytest

from epropnp.data.augment import box_crop, jittered_crop
from epropnp.data.crop import Crop, sample_maps, warp_rgba
from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from tests.data.augmentations import STRONG

STRONGER = dataclasses.replace(STRONG, rotation_deg=40, occlusion=1.0, background_real=0.5)


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
    image = warp_rgba(record, crop, 128).astype(float)
    expected = cell_centres(crop, 128) - record.crop_origin
    # OpenCV interpolates on a grid of 1/32 px, and the ramp is stored in whole grey levels.
    assert np.abs(image[..., :2] - expected).max() < 0.5 + 1 / 32


@pytest.mark.parametrize("angle_rad", [0.0, 0.6])
def test_a_crop_that_shrinks_is_averaged_and_stays_in_place(angle_rad: float) -> None:
    """150 px on 32 cells: the ramps stay where they are, a fine pattern becomes its mean."""
    record, crop = ramp_record(), Crop(np.array([199.3, 168.6]), 150.0, angle_rad)
    inner = slice(8, 24)
    image = warp_rgba(record, crop, 32).astype(float)[inner, inner]
    expected = (cell_centres(crop, 32) - record.crop_origin)[inner, inner]
    # A block's mean is rounded to a grey level, and so is the warp.
    assert np.abs(image[..., :2] - expected).max() < 1 + 1 / 32

    pattern = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), record.rgb.shape)
    noisy = dataclasses.replace(record, rgb=pattern)
    # Bilinear samples alone would keep 2/3 of the deviation of 127.5, or two ninths of its square.
    assert warp_rgba(noisy, crop, 32)[inner, inner, :3].std() < 127.5 / 3


@pytest.mark.parametrize(("x", "y"), [(90, 60), (310, 280), (-500, 168), (199, 2000)])
def test_beyond_the_record_the_crop_is_black_and_transparent(x: float, y: float) -> None:
    record, crop = ramp_record(), Crop(np.array([x, y]), 100.0, 0.3)
    record = dataclasses.replace(record, rgb=np.full_like(record.rgb, 200))
    place = cell_centres(crop, 64) - record.crop_origin
    outside = ((place < -1) | (place > 200)).any(-1)
    inside = ((place > 0) & (place < 199)).all(-1)
    image = warp_rgba(record, crop, 64)
    assert outside.any()
    assert not image[outside].any()
    assert (image[inside][:, :3] == 200).all()


def test_maps_are_sampled_at_the_nearest_pixel() -> None:
    rng = np.random.default_rng(0)
    record = dataclasses.replace(
        ramp_record(),
        mask=rng.choice(np.array([0, 255], np.uint8), (80, 80)),
        coords=rng.integers(0, 65536, (80, 80, 3)).astype(np.uint16),
    )
    for angle_rad in (0.0, 0.5):
        crop = Crop(np.array([201.7, 165.2]), 123.4, angle_rad)
        place = cell_centres(crop, 48) - record.map_origin
        column, row = np.moveaxis(np.rint(place).astype(int), -1, 0)
        inside = (column >= 0) & (column < 80) & (row >= 0) & (row < 80)
        mask, coords = sample_maps(record, crop, 48)
        assert not mask[~inside].any()
        at = row[inside], column[inside]
        np.testing.assert_array_equal(mask[inside], record.mask[at] > 0)
        np.testing.assert_array_equal(coords[inside], record.coords[at])


@pytest.mark.slow
def test_points_img_are_the_cell_centres_to_a_hundredth_of_a_pixel(tiny_dataset) -> None:  # type: ignore[no-untyped-def]
    data = CropDataset(ArrowDataset(tiny_dataset), "train", input_px=128, map_px=32, config=STRONGER)
    for i in range(8):
        sample = data[(1, i, i)]
        jitter = STRONGER.scale_jitter, STRONGER.shift_jitter, STRONGER.rotation_deg
        crop = jittered_crop(data.records[i].box, *jitter, np.random.default_rng([0, 1, i]))
        original = cell_centres(crop, 32).reshape(-1, 2)
        rotated = np.c_[original, np.ones(len(original))] @ crop.rotation.T
        batched = type(sample)(**{k: v[None] for k, v in vars(sample).items()})
        found = batched.points_img(batched.mask.shape[-1])[0].double().numpy()
        assert np.abs(found - rotated[:, :2]).max() < 0.01


@pytest.mark.parametrize("config", [None, STRONGER])
def test_coordinate_map_projects_onto_its_own_cells(tiny_dataset, config) -> None:  # type: ignore[no-untyped-def]
    """Below 0.3 cells of the output map, all options included."""
    data = CropDataset(ArrowDataset(tiny_dataset), "train", input_px=128, map_px=32, config=config)
    worst = 0.0
    for i in range(len(data)):
        s = data[(3, i, i)]
        coords = (s.coords * s.coord_scale[:, None, None]).permute(1, 2, 0)[s.mask].double().numpy()
        T, K = s.T_cam_obj.double().numpy(), s.K.double().numpy()
        rays = (coords @ T[:3, :3].T + T[:3, 3]) @ K.T
        batched = type(s)(**{k: v[None] for k, v in vars(s).items()})
        cells = batched.points_img(batched.mask.shape[-1])[0].view(32, 32, 2)[s.mask].double().numpy()
        gap_px = np.linalg.norm(rays[:, :2] / rays[:, 2:] - cells, axis=1)
        worst = max(worst, float(gap_px.max() * 32 / s.side))
    assert 0.01 < worst < 0.3


def test_evaluation_crop_is_one_and_a_half_boxes_around_the_boxs_centre() -> None:
    crop = box_crop(ramp_record().box)
    assert crop.side == 120
    np.testing.assert_allclose(crop.centre, [199.5, 169.5])


def test_soft_mask_and_sampled_mask_agree(tiny_dataset) -> None:  # type: ignore[no-untyped-def]
    record = ArrowDataset(tiny_dataset).split("train")[0]
    crop = box_crop(record.box)
    alpha, (mask, _) = warp_rgba(record, crop, 64)[..., 3], sample_maps(record, crop, 64)
    assert np.abs((alpha > 127).astype(int) - mask.astype(int)).mean() < 0.02
