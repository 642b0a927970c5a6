"""One synthetic sample: a random view and look of an object, pasted on a random background."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import BACKGROUND_SIDE, ObjectModel, Record
from pipelines.camera_views import LINEMOD_K, LINEMOD_SIZE, sample_view
from pipelines.records import crop_window, cut, encode, mask_box
from pipelines.render import Renderer
from pipelines.shading import develop, sample_look


def render_sample(
    rng: np.random.Generator,
    renderer: Renderer,
    model: ObjectModel,
    backgrounds: Sequence[NDArray[np.uint8]],
    sample_id: str,
) -> Record:
    """Draws, renders and encodes one sample; it depends on `rng` and the inputs alone."""
    T_cam_obj = sample_view(rng, renderer.hull)
    look = sample_look(rng)
    maps = renderer.maps(T_cam_obj, LINEMOD_K, LINEMOD_SIZE)
    shaded = renderer.shade(T_cam_obj, LINEMOD_K, LINEMOD_SIZE, look)
    box = mask_box(maps.mask, maps.origin)
    origin, side = crop_window(box)
    rgb = develop(
        cut(shaded.rgb, shaded.origin, origin, (side, side)),
        cut(shaded.alpha, shaded.origin, origin, (side, side)),
        _background(rng, backgrounds, side),
        look,
        rng,
    )
    inside = cut(np.ones(LINEMOD_SIZE[::-1], np.uint8), (0, 0), origin, (side, side))
    return encode(
        model=model,
        sample_id=sample_id,
        synthetic=True,
        K=LINEMOD_K,
        T_cam_obj=T_cam_obj,
        image_size=LINEMOD_SIZE,
        rgb=rgb * inside[..., None],
        box=box,
        maps=maps,
    )


def _background(
    rng: np.random.Generator, backgrounds: Sequence[NDArray[np.uint8]], side: int
) -> NDArray[np.float32]:
    """A random cut of a random background, (side, side, 3) in [0, 1], half of them mirrored."""
    picture = backgrounds[int(rng.integers(len(backgrounds)))]
    cut_side = int(rng.uniform(0.5, 1.0) * BACKGROUND_SIDE)
    x, y = rng.integers(0, BACKGROUND_SIDE - cut_side + 1, 2)
    patch = picture[y : y + cut_side, x : x + cut_side]
    if rng.random() < 0.5:
        patch = patch[:, ::-1]
    method = cv2.INTER_AREA if cut_side >= side else cv2.INTER_LINEAR
    resized = cv2.resize(np.ascontiguousarray(patch), (side, side), interpolation=method)
    return resized.astype(np.float32) / np.float32(255.0)
