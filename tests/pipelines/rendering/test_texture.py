"""Textures by hand: where a texel lies, and what is seen of it from afar."""

import numpy as np
import pytest

from pipelines.rendering.texture import Texture


def test_a_texture_is_looked_up_at_its_texels_centres_in_linear_light() -> None:
    """Texel i of four lies at (i + 1/2) / 4; v goes upwards; beyond the square it repeats."""
    pixels = np.zeros((2, 4, 3), np.uint8)
    pixels[0, :, 0] = (0, 100, 200, 250)
    pixels[1, :, 0] = (10, 20, 30, 40)
    texture, light = Texture(pixels), lambda grey: (grey / 255) ** 2.2
    for u, v, expected in [
        (1 / 8, 3 / 4, light(0)),
        (3 / 8, 3 / 4, light(100)),
        (7 / 8, 1 / 4, light(40)),
        (1 / 2, 3 / 4, (light(100) + light(200)) / 2),
        (3 / 8, 1 / 2, (light(100) + light(20)) / 2),
        (1.0, 1 / 4, (light(40) + light(10)) / 2),
        (-5 / 8, 7 / 4, light(100)),
    ]:
        found = texture.linear(np.array([[u, v]], np.float32))[0]
        assert found[0] == pytest.approx(expected, abs=1e-5), (u, v)
        assert found[1] == 0
    assert texture.colours(np.array([[3 / 8, 3 / 4]], np.float32))[0, 0] == pytest.approx(100 / 255, abs=1e-4)


def test_a_texture_seen_from_afar_is_its_mean_light_and_ends_at_four_texels() -> None:
    """Two greys by turns: the mean of their light from two texels per sample on, or from sqrt(2)."""
    pixels = np.full((8, 8, 3), 60, np.uint8)
    pixels[:, ::2] = 240
    bright, dark = (240 / 255) ** 2.2, (60 / 255) ** 2.2
    texture, place = Texture(pixels), np.array([[0.5 / 8, 0.5 / 8], [4.5 / 8, 0.5 / 8]], np.float32)
    np.testing.assert_allclose(texture.linear(place, 1.3), bright, atol=1e-5)
    for texels in (1.5, 2.0, 100.0):
        np.testing.assert_allclose(texture.linear(place, texels), (bright + dark) / 2, atol=5e-3)
    assert len(texture._levels) == 2  # 8 and 4
    assert len(Texture(pixels[:7])._levels) == 1
