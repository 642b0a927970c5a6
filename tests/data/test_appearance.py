"""Colours, blur and noise by their definitions, each by itself, and the order in which they come."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.data import appearance
from epropnp.data.appearance import jitter_appearance
from epropnp.data.config import AugmentConfig


class Fixed:
    """A generator whose uniform numbers are known: a share of each range; `random` gives `chance`."""

    def __init__(self, shares: tuple[float, ...], chance: float = 0.0) -> None:
        self.shares, self.chance = np.array(shares), chance

    def uniform(self, low: float, high: float, size: int | None = None) -> Any:
        return low + (high - low) * (self.shares[0] if size is None else self.shares[:size])

    def random(self) -> float:
        return self.chance

    def integers(self, low: int, high: int | None = None) -> int:
        return 0


GREYS = np.array([[[60, 120, 90], [100, 140, 150]]], np.uint8)  # mean (80, 130, 120), and 110 of all


def coloured(shares: tuple[float, ...], color: float = 0.2, **changes: Any) -> np.ndarray:
    """Brightness, contrast, saturation and the tints of red, green and blue, each 0 to 1 of its range."""
    rng: Any = Fixed(shares, changes.pop("chance", 0.99))
    return jitter_appearance(GREYS, AugmentConfig(color=color, **changes), rng)[0].astype(int)


@pytest.mark.parametrize(
    ("name", "shares", "expected"),
    [
        ("nothing", (0.5, 0.5, 0.5, 0.5, 0.5, 0.5), [[60, 120, 90], [100, 140, 150]]),
        ("brighter by 20 %", (1.0, 0.5, 0.5, 0.5, 0.5, 0.5), [[72, 144, 108], [120, 168, 180]]),
        # 1.2 times as far from the mean grey of 110.
        ("more contrast", (0.5, 1.0, 0.5, 0.5, 0.5, 0.5), [[50, 122, 86], [98, 146, 158]]),
        ("less contrast", (0.5, 0.0, 0.5, 0.5, 0.5, 0.5), [[70, 118, 94], [102, 134, 142]]),
        # 1.2 times as far from the pixel's own grey, 90 and 130.
        ("more saturation", (0.5, 0.5, 1.0, 0.5, 0.5, 0.5), [[54, 126, 90], [94, 142, 154]]),
        # 6 % more red, 6 % less blue.
        ("a tint", (0.5, 0.5, 0.5, 1.0, 0.5, 0.0), [[64, 120, 85], [106, 140, 141]]),
    ],
)
def test_colours_change_as_their_names_say(
    name: str, shares: tuple[float, ...], expected: list[list[int]]
) -> None:
    assert np.abs(coloured(shares) - expected).max() <= 1, name


def test_colours_fade_towards_the_pixels_own_grey() -> None:
    """Where the draw is below the probability, by a second draw: by 0.3 of the way to grey 90 and 130."""
    still = (0.5,) * 6
    assert coloured(still, color=0.0, grey=0.5, chance=0.5).tolist() == GREYS[0].tolist()
    faded = coloured(still, color=0.0, grey=0.5, chance=0.3)  # 0.3 of the colour is left
    assert np.abs(faded - [[81, 99, 90], [121, 133, 136]]).max() <= 1


def test_a_blurs_deviation_is_uniform_from_a_third_of_a_pixel_on(monkeypatch: pytest.MonkeyPatch) -> None:
    sigmas: list[float] = []
    monkeypatch.setattr(appearance, "_blur", lambda image, sigma_px: sigmas.append(sigma_px) or image)
    image, rng = np.zeros((8, 8, 3), np.uint8), np.random.default_rng(0)
    for _ in range(1000):
        jitter_appearance(image, AugmentConfig(blur=0.5, blur_px=1.5), rng)
    assert len(sigmas) == pytest.approx(500, abs=80)
    assert 0.3 <= min(sigmas) < 0.32
    assert 1.47 < max(sigmas) <= 1.5
    assert np.mean(sigmas) == pytest.approx(0.9, abs=0.06)
    sigmas.clear()
    jitter_appearance(image, AugmentConfig(blur=1.0, blur_px=0.1), rng)
    assert sigmas == [0.3]


@pytest.mark.parametrize("sigma_px", [0.5, 1.0, 1.5])
def test_a_blurred_point_is_a_gaussian(sigma_px: float) -> None:
    image = np.zeros((21, 21, 3), np.uint8)
    image[10, 10] = 255
    rng: Any = Fixed(((sigma_px - 0.3) / 1.7,))
    found = jitter_appearance(image, AugmentConfig(blur=1.0, blur_px=2.0), rng)[..., 1].astype(float)
    line = np.exp(-((np.arange(21) - 10) ** 2) / 2 / sigma_px**2)
    expected = 255 * np.outer(line, line) / line.sum() ** 2
    assert np.abs(found - expected).max() <= 2


def test_noise_leaves_the_mean_where_it_is() -> None:
    """However strong: a bias of one part in 128 would darken or brighten by half a grey level."""
    image = np.full((128, 128, 3), 128, np.uint8)
    rng: Any = Fixed((), chance=1.0)
    noisy = jitter_appearance(image, AugmentConfig(noise=0.1), rng)
    assert noisy.mean() == pytest.approx(128, abs=0.25)
    assert noisy.std() == pytest.approx(25.5, rel=0.01)


def test_blur_comes_first_then_colour_then_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sensor adds its noise last: nothing smooths or colours it."""
    order: list[str] = []

    def note(name: str, original: Any) -> Any:
        return lambda *values: order.append(name) or original(*values)

    for name in ("_blur", "_random_colours", "_add_noise"):
        monkeypatch.setattr(appearance, name, note(name, getattr(appearance, name)))
    config = AugmentConfig(blur=1.0, color=0.2, noise=0.1)
    image = np.zeros((16, 16, 3), np.uint8)
    jitter_appearance(image, config, np.random.default_rng(0))
    assert order == ["_blur", "_random_colours", "_add_noise"]
    order.clear()
    for alone, names in (("blur", "_blur"), ("grey", "_random_colours"), ("noise", "_add_noise")):
        setting: dict[str, Any] = {alone: 1.0}
        jitter_appearance(image, replace(AugmentConfig(), **setting), np.random.default_rng(0))
        assert order == [names]
        order.clear()
    assert cv2.mean(image)[:3] == (0, 0, 0), "the image given is not written to"
