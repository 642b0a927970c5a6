"""How much and how often augmentation changes a sample: ranges, shares and spreads over many draws.

All draws are seeded; bounds are four standard deviations or more.
"""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from epropnp.data.appearance import jitter_appearance
from epropnp.data.augment import jittered_crop, random_piece, random_rectangles, rectangle_cells
from epropnp.data.config import AugmentConfig
from epropnp.data.dataset import CropDataset
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import Record
from tests.data.sets import make_record, write_dataset

STILL = AugmentConfig(scale_jitter=0, shift_jitter=0, background_real=0, background_synthetic=0)
RECORDS = 8  # of which every other one is a photograph
OBJECT, LEVELS = 250, [100 + 10 * i for i in range(RECORDS)]  # grey levels of the object and of each picture


def assert_uniform(values: np.ndarray, low: float, high: float) -> None:
    """All within, and as spread as many uniform numbers are: mean, deviation and ends."""
    width, count = high - low, len(values)
    slack = 4 * width / np.sqrt(12 * count)
    assert low - 1e-6 * width <= values.min() < low + 0.03 * width + slack
    assert high + 1e-6 * width >= values.max() > high - 0.03 * width - slack
    assert abs(values.mean() - (low + high) / 2) < slack
    assert values.std() == pytest.approx(width / np.sqrt(12), rel=0.15)


def assert_share(happened: np.ndarray, share: float) -> None:
    assert abs(happened.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(happened))


def test_scale_shift_and_rotation_are_drawn_apart() -> None:
    rng, box = np.random.default_rng(0), np.array([10.0, 20.0, 80.0, 40.0], np.float32)
    crops = [jittered_crop(box, 0.25, 0.1, 30.0, rng) for _ in range(2000)]
    middle = np.array([10 + 79 / 2, 20 + 39 / 2])
    shift = (np.array([crop.centre for crop in crops]) - middle) / [80, 40]
    scale = np.array([crop.side for crop in crops]) / (1.5 * 80)
    angle = np.degrees([crop.angle_rad for crop in crops])
    assert_uniform(scale, 0.75, 1.25)
    assert_uniform(shift[:, 0], -0.1, 0.1)
    assert_uniform(shift[:, 1], -0.1, 0.1)
    assert_uniform(angle, -30, 30)
    drawn = np.corrcoef([scale, *shift.T, angle])
    assert np.abs(drawn - np.eye(4)).max() < 4 / np.sqrt(len(crops))


def test_pieces_of_a_picture_are_random_parts_of_one_size_mirrored_half_of_the_time() -> None:
    y, x = np.mgrid[:200, :200].astype(np.uint8)
    picture, rng = np.stack([x, y, 0 * x], -1), np.random.default_rng(0)
    pieces = np.stack([random_piece(picture, (20, 20), (0.2, 0.6), rng) for _ in range(800)]).astype(float)
    assert pieces.shape == (800, 20, 20, 3)
    steps = np.diff(pieces[:, 5:15, 5:15], axis=2)[..., 0].mean((1, 2))  # px per pixel of the piece
    rows = np.diff(pieces[:, 5:15, 5:15], axis=1)[..., 1].mean((1, 2))
    assert (rows > 0).all()  # never upside down
    assert_share(steps < 0, 0.5)
    np.testing.assert_allclose(np.abs(steps), rows, atol=0.15)  # one fraction for both sides
    fraction = rows * 20 / 200
    assert_uniform(fraction.clip(0.2, 0.6), 0.2, 0.6)
    for channel in (0, 1):  # a piece may begin anywhere between the picture's start and its end
        first = pieces[..., channel].min((1, 2)) / (200 * (1 - fraction))
        assert_uniform(first.clip(0, 1), 0, 1)
    starts = [pieces[..., channel].min((1, 2)) / (200 * (1 - fraction)) for channel in (0, 1)]
    assert abs(np.corrcoef(starts)[0, 1]) < 4 / np.sqrt(800)


def test_occluders_are_as_many_as_large_and_as_often_as_asked() -> None:
    rng, config = np.random.default_rng(0), AugmentConfig(occlusion=0.7, occluders=3)
    drawn = [random_rectangles(config, rng) for _ in range(2000)]
    counts = np.array([len(rectangles) for rectangles in drawn])
    assert_share(counts > 0, 0.7)
    for number in (1, 2, 3):
        assert_share(counts[counts > 0] == number, 1 / 3)
    x0, y0, x1, y1 = np.array([one for rectangles in drawn for one in rectangles]).T
    assert_uniform(x1 - x0, 0.1, 0.35)
    assert_uniform(y1 - y0, 0.1, 0.35)
    assert_uniform((x0 + x1) / 2, 0.1, 0.9)
    assert_uniform((y0 + y1) / 2, 0.1, 0.9)
    apart = np.corrcoef([x1 - x0, y1 - y0, x0 + x1, y0 + y1])
    assert np.abs(apart - np.eye(4)).max() < 4 / np.sqrt(len(x0))
    assert {len(random_rectangles(AugmentConfig(occlusion=1.0), rng)) for _ in range(50)} == {1}
    assert not any(random_rectangles(AugmentConfig(occluders=3), rng) for _ in range(50))


@pytest.mark.parametrize(
    ("rectangle", "rows", "columns"),
    [
        ((0.25, 0.5, 0.75, 1.0), (8, 16), (4, 12)),
        ((-0.2, -0.1, 0.3, 0.2), (0, 3), (0, 5)),  # ends at 4.8 and 3.2 cells
        ((0.9, 0.8, 1.2, 1.1), (13, 16), (14, 16)),  # begins at 14.4 and 12.8
        ((0.51, 0.5, 0.52, 0.9), (8, 14), (8, 8)),  # less than half a cell wide: none
    ],
)
def test_a_rectangle_covers_the_cells_that_it_covers_by_more_than_half(
    rectangle: tuple[float, float, float, float], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    assert rectangle_cells(rectangle, 16) == (slice(*rows), slice(*columns))


def level_record(index: int) -> Record:
    """A bright disc in a picture of one grey level, another one for each record."""
    y, x = np.mgrid[:40, :40] - 19.5
    disc = (np.hypot(x, y) < 12).astype(np.uint8) * np.uint8(255)
    rgb = np.full((96, 96, 3), LEVELS[index], np.uint8)
    rgb[28:68, 28:68][disc > 0] = OBJECT
    return dataclasses.replace(
        make_record(index, 96),
        box=np.array([128, 128, 40, 40], np.float32),
        crop_origin=np.array([100, 100], np.int32),
        map_origin=np.array([128, 128], np.int32),
        rgb=rgb,
        mask=disc,
        coords=np.zeros((40, 40, 3), np.uint16),
    )


@pytest.fixture(scope="module")
def levels(tmp_path_factory: pytest.TempPathFactory) -> ArrowDataset:
    folder = tmp_path_factory.mktemp("sets") / "levels"
    return ArrowDataset(write_dataset(folder, [level_record(i) for i in range(RECORDS)]))


def read(dataset: ArrowDataset, config: AugmentConfig, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and the indices of their records."""
    data = CropDataset(dataset, "train", input_px=32, map_px=8, config=config)
    batch = data.__getitems__([(0, i, i % RECORDS) for i in range(draws)])
    return batch.image.numpy(), batch.index.numpy()


def test_each_kind_of_image_gets_its_own_share_of_backgrounds_and_each_picture_its_turn(
    levels: ArrowDataset,
) -> None:
    config = dataclasses.replace(STILL, background_synthetic=0.3, background_real=0.8)
    images, index = read(levels, config, 800)
    behind = images[:, 0, 0, 0]  # backgrounds are of levels 0, 1 and 2
    rendered = index % 2 == 0
    assert_share(behind[rendered] <= 2, 0.3)
    assert_share(behind[~rendered] <= 2, 0.8)
    kept = behind > 2
    assert (behind[kept] == np.array(LEVELS)[index[kept]]).all()
    for level in (0, 1, 2):
        assert_share(behind[~kept] == level, 1 / 3)
    assert (images[:, 16, 16] == OBJECT).all()


def test_occluders_show_other_crops_as_often_as_asked_and_every_one_of_them(levels: ArrowDataset) -> None:
    config = dataclasses.replace(STILL, occlusion=1.0, occluder_crops=0.6)
    images, index = read(levels, config, 800)
    plain, _ = read(levels, STILL, RECORDS)
    changed = [image[(image != plain[i]).any(-1)] for image, i in zip(images, index, strict=True)]
    # What fills most of a rectangle; some lie where they show what was there before.
    seen = np.array([np.bincount(pixels.ravel()).argmax() for pixels in changed if len(pixels) >= 8])
    assert len(seen) > 650
    # A crop of the same picture changes nothing outside of the object: one in eight is hardly seen.
    assert 0.52 < (seen > 2).mean() < 0.62
    shares = [(seen[seen > 2] == level).mean() for level in LEVELS]
    assert min(shares) > 0.05
    assert max(shares) < 0.2


def colours() -> np.ndarray:
    """Random colours of grey mean, (64, 64, 3), far enough from black and white to stay within."""
    half = np.random.default_rng(1).integers(-28, 29, (32, 64, 3))
    return (128 + np.concatenate([half, -half])).astype(np.uint8)


def colour_maps(config: AugmentConfig, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """The matrices (draws, 3, 3) and levels at mean grey (draws, 3) of the maps that images went through."""
    image, rng = colours(), np.random.default_rng(0)
    given = np.column_stack([image.reshape(-1, 3).astype(float) - 128, np.ones(64 * 64)])
    changed = [jitter_appearance(image, config, rng).reshape(-1, 3).astype(float) for _ in range(draws)]
    fitted = np.stack([np.linalg.lstsq(given, values, rcond=None)[0].T for values in changed])
    return fitted[..., :3], fitted[..., 3]


def test_brightness_contrast_saturation_and_tint_change_within_the_strength_of_colour() -> None:
    """Of a map that takes c to `s G (k c + (1 - k) grey(c))` and turns about mean grey."""
    matrices, middle = colour_maps(AugmentConfig(color=0.2), 600)
    brightness = middle.mean(1) / 128
    tint = middle / middle.mean(1, keepdims=True)  # at grey: contrast turns about the mean of the channels
    row_sums = matrices.sum(2)
    contrast = row_sums.mean(1) / brightness
    # Off the diagonal a row holds (1 - k) / 3 of its sum.
    off = (row_sums - matrices[:, range(3), range(3)]) / 2
    saturation = 1 - 3 * (off / row_sums).mean(1)
    for values in (contrast, saturation):
        assert_uniform(((values - 1) / 0.203).clip(-1, 1), -1, 1)
    assert 0.8 * 0.94 < brightness.min() < 0.83
    assert 1.17 < brightness.max() < 1.2 * 1.06
    assert brightness.std() == pytest.approx(np.hypot(0.2, 0.06 / np.sqrt(3)) / np.sqrt(3), rel=0.1)
    # A channel's tint is at most 6 %.
    ratio = row_sums.max(1) / row_sums.min(1)
    assert 1.1 < ratio.max() <= 1.06 / 0.94 + 0.01
    assert np.abs(tint - 1).max() < 0.12
    drawn = np.corrcoef([brightness, contrast, saturation])
    assert np.abs(drawn - np.eye(3)).max() < 4 / np.sqrt(600)


def test_colours_fade_as_often_as_asked_by_any_amount() -> None:
    matrices, middle = colour_maps(AugmentConfig(grey=0.3), 600)
    np.testing.assert_allclose(middle, 128, atol=0.6)  # grey stays grey
    kept = matrices[:, range(3), range(3)].mean(1) * 1.5 - 0.5  # k of the diagonal k + (1 - k) / 3
    faded = kept < 0.99
    assert 0.22 < faded.mean() < 0.38
    assert_uniform(kept[faded].clip(0, 1), 0, 1)
    np.testing.assert_allclose(kept[~faded], 1, atol=0.01)


def test_blur_is_a_centred_gaussian_of_uniform_width_in_both_directions() -> None:
    line = np.zeros((41, 41, 3), np.uint8)
    line[:, 20] = 255
    rngs = np.random.default_rng(0), np.random.default_rng(0)
    config, sigmas = AugmentConfig(blur=1.0, blur_px=2.5), []
    for _ in range(300):
        across = jitter_appearance(line, config, rngs[0])[20, :, 0].astype(float)
        down = jitter_appearance(cv2.transpose(line), config, rngs[1])[:, 20, 0].astype(float)
        np.testing.assert_array_equal(across, down)
        np.testing.assert_array_equal(across, across[::-1])
        away = (
            1 if across[20] > 3 * across[21] else 3
        )  # px from the line: log(g(0) / g(d)) = d^2 / (2 sigma^2)
        sigmas.append(away / np.sqrt(2 * np.log(across[20] / max(across[20 + away], 1))))
    assert_uniform(np.array(sigmas).clip(0.3, 2.5), 0.3, 2.5)
    assert 0.25 < min(sigmas) < max(sigmas) < 2.7  # grey levels round


def test_a_blur_narrower_than_its_least_width_is_of_that_width() -> None:
    line = np.zeros((9, 9, 3), np.uint8)
    line[:, 4] = 255
    config = AugmentConfig(blur=1.0, blur_px=0.0)
    blurred = [jitter_appearance(line, config, np.random.default_rng(seed)) for seed in range(3)]
    side = np.exp(-1 / (2 * 0.3**2))
    for picture in blurred:
        assert picture[4, 4, 0] == pytest.approx(255 / (1 + 2 * side), abs=1)


def test_noise_is_independent_between_pixels_and_channels_and_any_amount_up_to_its_strength() -> None:
    image, rng = np.full((64, 64, 3), 128, np.uint8), np.random.default_rng(0)
    noisy = np.stack([jitter_appearance(image, AugmentConfig(noise=0.1), rng) for _ in range(300)])
    error = noisy.astype(float) - 128
    sigma = np.sqrt((error.reshape(300, -1).var(1) - 1 / 12).clip(0)) / 255  # rounding adds a twelfth
    assert_uniform(sigma.clip(0, 0.1), 0, 0.1)
    loud = error[sigma > 0.05]
    beside = [(loud[:, :, :-1] * loud[:, :, 1:]).mean(), (loud[..., 0] * loud[..., 1]).mean()]
    assert np.abs(beside).max() < 0.01 * loud.var()


def test_noise_comes_after_colour(tmp_path: Path) -> None:
    """A camera's noise is not scaled with the brightness of a scene."""
    image = np.full((64, 64, 3), 128, np.uint8)
    both = AugmentConfig(color=0.5, noise=0.1)
    rngs = [np.random.default_rng(seed) for seed in range(200)]
    pictures = (
        np.stack([jitter_appearance(image, both, rng) for rng in rngs]).reshape(200, -1, 3).astype(float)
    )
    level, sigma = pictures.mean((1, 2)), pictures.std(1).mean(1)
    within = level < 180  # none cut off at white
    assert abs(np.corrcoef(level[within], sigma[within])[0, 1]) < 0.25
