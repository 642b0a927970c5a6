"""Augmentation: image and maps stay together, and every option does what it says and no more."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from epropnp.data.appearance import jitter_appearance
from epropnp.data.augment import box_crop, composite, jittered_crop
from epropnp.data.config import AugmentConfig, DetectorNoise
from epropnp.data.dataset import Batch, CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from epropnp.errors import UserError
from tests.data.sets import make_model, make_record, write_dataset

STILL = AugmentConfig(scale_jitter=0, shift_jitter=0, background_real=0, background_synthetic=0)
SIDE = 96  # of the records' crops, px
BRIGHT = 200  # their grey level; that of the three backgrounds is 0, 1 and 2


def bright_record(index: int) -> Record:
    """A disc of an object in a bright picture; even indices are synthetic."""
    y, x = np.mgrid[:40, :40] - 19.5
    disc = (np.hypot(x, y) < 18).astype(np.uint8) * np.uint8(255)
    return dataclasses.replace(
        make_record(index, SIDE),
        box=np.array([128, 128, 40, 40], np.float32),
        crop_origin=np.array([100, 100], np.int32),
        map_origin=np.array([128, 128], np.int32),
        rgb=np.full((SIDE, SIDE, 3), BRIGHT, np.uint8),
        mask=disc,
        coords=np.zeros((40, 40, 3), np.uint16),
        detected_box=np.array([131, 126, 44, 38], np.float32),
    )


@pytest.fixture(scope="module")
def bright(tmp_path_factory: pytest.TempPathFactory) -> ArrowDataset:
    folder = tmp_path_factory.mktemp("sets") / "bright"
    return ArrowDataset(write_dataset(folder, [bright_record(i) for i in range(20)]))


def read(dataset: ArrowDataset, config: AugmentConfig | None, draws: int = 100, **options: object) -> Batch:
    data = CropDataset(dataset, "train", input_px=64, map_px=16, config=config, **options)  # type: ignore[arg-type]
    return data.__getitems__([(0, i, i % len(data)) for i in range(draws)])


def test_image_and_coordinates_stay_together_through_all_options(tmp_path: Path) -> None:
    """Both say where they come from: red and green in the image, x and y in the coordinate map."""
    y, x = np.mgrid[:SIDE, :SIDE]
    inner = slice(28, 68)
    model = make_model()
    place = np.stack([x, y, np.zeros_like(x)], -1)[inner, inner].astype(np.uint16)
    record = dataclasses.replace(
        bright_record(0), rgb=np.stack([2 * x, 2 * y, 0 * x], -1).astype(np.uint8), coords=600 * place
    )
    dataset = ArrowDataset(write_dataset(tmp_path / "ramps", [record]))
    config = AugmentConfig(rotation_deg=40, occlusion=0.5, occluders=2, blur=0.5, blur_px=0.6, noise=1e-9)
    data = CropDataset(dataset, "train", input_px=64, map_px=16, config=config)
    batch = data.__getitems__([(0, i, 0) for i in range(100)])
    metres = (batch.coords * batch.coord_scale[:, :, None, None]).numpy().transpose(0, 2, 3, 1)
    step = (model.bounds_max - model.bounds_min) / 65535
    from_map = ((metres - model.bounds_min) / step / 600)[..., :2]
    cells = batch.image.numpy().reshape(100, 16, 4, 16, 4, 3).mean((2, 4))  # of 4 x 4 pixels each
    from_image = cells[..., :2] / 2
    # Cells all of whose neighbours are visible: nothing else is blended into them.
    seen = batch.mask.numpy()
    core = seen[:, 1:-1, 1:-1].copy()
    for dy in range(3):
        for dx in range(3):
            core &= seen[:, dy : dy + 14, dx : dx + 14]
    gap_px = np.abs(from_map - from_image)[:, 1:-1, 1:-1][core]
    assert core.sum() > 2000
    assert gap_px.max() < 0.5 + 0.25 + 0.05  # nearest pixel, grey levels of half a pixel, rounding
    assert np.abs(gap_px.mean()) < 0.3


def test_the_defaults_are_the_reports_settings(bright: ArrowDataset) -> None:
    config = AugmentConfig()
    assert (config.scale_jitter, config.shift_jitter) == (0.25, 0.25)
    assert (config.background_synthetic, config.background_real) == (1.0, 0.5)
    appearance = (config.occlusion, config.color, config.grey, config.blur, config.noise)
    assert (config.rotation_deg, *appearance) == (0,) * 6
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    assert jitter_appearance(image, config, np.random.default_rng(0)) is image


def test_backgrounds_are_replaced_always_behind_renderings_and_half_the_time_in_photographs(
    bright: ArrowDataset,
) -> None:
    batch = read(bright, dataclasses.replace(STILL, background_synthetic=1.0, background_real=0.5), 400)
    replaced = (batch.image[:, 0, 0] <= 2).all(-1)
    kept = (batch.image[:, 0, 0] == BRIGHT).all(-1)
    assert (replaced | kept).all()
    synthetic = batch.index % 2 == 0
    assert replaced[synthetic].all()
    assert 0.4 < replaced[~synthetic].float().mean() < 0.6
    assert (batch.image[:, 32, 32] == BRIGHT).all()  # the object itself stays


def test_compositing_is_right_to_a_grey_level() -> None:
    rng = np.random.default_rng(0)
    rgba, behind = rng.integers(0, 256, (64, 64, 4)), rng.integers(0, 256, (64, 64, 3))
    alpha = rgba[..., 3:] / 255
    expected = rgba[..., :3] * alpha + behind * (1 - alpha)
    assert np.abs(composite(rgba.astype(np.uint8), behind.astype(np.uint8)) - expected).max() <= 1


def test_crops_are_jittered_within_their_ranges() -> None:
    rng = np.random.default_rng(0)
    box = np.array([100, 50, 80, 40], np.float32)
    crops = [jittered_crop(box, 0.25, 0.2, 30.0, rng) for _ in range(2000)]
    scale = np.array([crop.side for crop in crops]) / 120
    shift = (np.array([crop.centre for crop in crops]) - [139.5, 69.5]) / [80, 40]
    angle = np.rad2deg([crop.angle_rad for crop in crops])
    for values, reach in ((scale - 1, 0.25), (shift[:, 0], 0.2), (shift[:, 1], 0.2), (angle, 30.0)):
        assert np.abs(values).max() <= reach
        assert np.isclose(values.std(), reach / np.sqrt(3), rtol=0.05)  # uniform
        assert abs(values.mean()) < 0.05 * reach


@pytest.mark.parametrize("crops", [0.0, 1.0])
def test_occluders_hide_the_image_where_they_hide_the_mask(bright: ArrowDataset, crops: float) -> None:
    config = dataclasses.replace(STILL, occlusion=0.5, occluders=3, occluder_crops=crops)
    batch, untouched = read(bright, config, 400), read(bright, STILL, 400)
    hidden = (untouched.mask & ~batch.mask).flatten(1).any(1)
    assert 0.4 < hidden.float().mean() < 0.55
    assert (batch.mask <= untouched.mask).all()
    assert batch.mask.flatten(1).any(1).float().mean() > 0.95  # hardly ever is all of an object hidden
    dark = (batch.image <= 2).all(-1)
    if crops:  # pieces of other crops, which are as bright
        assert not dark.any()
    else:  # pieces of the dark backgrounds; a cell of the mask is 4 x 4 pixels
        cells = dark.view(400, 16, 4, 16, 4).float().mean((2, 4))
        assert (cells[untouched.mask & ~batch.mask] >= 0.25).all()
        assert (cells[batch.mask] <= 0.75).all()


def photograph() -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.clip(rng.normal([90, 120, 150], 25, (128, 128, 3)), 0, 255).astype(np.uint8)


def test_colours_change_within_their_strength_and_fade_to_grey() -> None:
    image, config = photograph(), AugmentConfig(color=0.2)
    rng = np.random.default_rng(0)
    means = np.array([jitter_appearance(image, config, rng).mean() for _ in range(500)])
    assert means.min() >= 120 * 0.8 * 0.94 - 1
    assert means.max() <= 120 * 1.2 * 1.06 + 1
    assert means.std() > 10
    faded = [jitter_appearance(image, AugmentConfig(grey=1.0), rng) for _ in range(200)]
    spread = [np.ptp(picture.reshape(-1, 3).mean(0)) for picture in faded]
    assert np.ptp(image.reshape(-1, 3).mean(0)) > 58
    assert 0 <= min(spread) < 2
    assert 55 < max(spread) < 61
    assert all(abs(picture.mean() - image.mean()) < 1 for picture in faded)  # brightness stays


def test_noise_has_the_strength_that_is_asked_for_and_never_repeats() -> None:
    image, rng = np.full((128, 128, 3), 128, np.uint8), np.random.default_rng(0)
    noisy = np.stack([jitter_appearance(image, AugmentConfig(noise=0.1), rng) for _ in range(200)])
    sigma = noisy.reshape(200, -1).std(1)
    assert sigma.max() <= 25.5 * 1.02
    assert sigma.min() < 2
    assert abs(sigma.mean() - 12.75) < 1.5  # uniform between 0 and a tenth of white
    assert abs(noisy.mean() - 128) < 0.5
    strong = noisy[sigma > 10].reshape(-1, image.size).astype(float)
    assert np.abs(np.corrcoef(strong[:40]) - np.eye(40)).max() < 0.05


def test_blur_smooths_as_often_as_asked_and_keeps_the_mean() -> None:
    image, rng = photograph(), np.random.default_rng(0)
    config = AugmentConfig(blur=0.5, blur_px=2.0)
    blurred = [jitter_appearance(image, config, rng) for _ in range(200)]
    deviations = np.array([picture[..., 0].std() for picture in blurred])
    assert 0.4 < (deviations < image[..., 0].std()).mean() < 0.6
    assert deviations.min() < 5
    assert all(abs(picture.mean() - image.mean()) < 1 for picture in blurred)


def test_a_detectors_errors_depend_on_the_image_alone(bright: ArrowDataset) -> None:
    noise = DetectorNoise(scale=0.1, shift=0.05)
    batch, again = read(bright, None, 20, noise=noise), read(bright, None, 20, noise=noise, seed=7)
    assert np.array_equal(batch.image, again.image)
    exact = read(bright, None, 20)
    scale = (batch.side / exact.side).numpy()
    middle, true = (b.corner + b.side[:, None] / 2 for b in (batch, exact))
    shift = ((middle - true) / 40).numpy()
    assert 0.05 < np.abs(scale - 1).max() <= 0.1 + 1e-6
    assert 0.025 < np.abs(shift).max() <= 0.05 + 1e-6
    assert len(set(scale.tolist())) == 20
    assert exact.side.tolist() == [60.0] * 20


def test_crops_can_be_cut_around_a_detectors_boxes(bright: ArrowDataset, tmp_path: Path) -> None:
    batch = read(bright, None, 3, boxes="detected")
    crop = box_crop(np.array([131, 126, 44, 38]))
    assert batch.side.tolist() == [66.0] * 3
    np.testing.assert_allclose(batch.corner.numpy(), np.tile(crop.corner, (3, 1)))
    mixed = ArrowDataset(write_dataset(tmp_path / "mixed"))  # every other record has none
    with pytest.raises(UserError, match=r"19 of 37 train images of .*mixed have no detected box"):
        read(mixed, None, boxes="detected")
