"""One synthetic sample: a random view and look of an object, pasted on a random background.

With some probability another object stands in front of a part of it.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from epropnp.data.crop import cut
from epropnp.data.schema import BACKGROUND_SIDE, ObjectModel, Record
from epropnp.errors import UserError
from pipelines.rendering.occluders import PROBABILITY, hide, place_occluder
from pipelines.rendering.records import crop_window, encode, mask_box
from pipelines.rendering.renderer import Region, Renderer
from pipelines.rendering.shading import develop, sample_look
from pipelines.rendering.views import LINEMOD_VIEWS, Views


def render_sample(
    rng: np.random.Generator,
    renderer: Renderer,
    model: ObjectModel,
    backgrounds: Sequence[NDArray[np.uint8]],
    sample_id: str,
    occluders: Sequence[Renderer] = (),
    views: Views = LINEMOD_VIEWS,
) -> Record:
    """Draws, renders and encodes one sample; it depends on `rng` and the inputs alone.

    One of the `occluders` hides a part of the object with probability 0.3, where it finds a place.
    Mask, box and coordinates are those of the part that is seen: at least half of the object. LineMOD's
    views and camera unless others are given.

    Raises:
        UserError: when the object is too small, or too far away, to be seen.
    """
    T_cam_obj, camera = views.sample(rng, renderer.hull)
    K, size = camera.K, camera.image_size
    look = sample_look(rng)
    view = renderer.view(T_cam_obj, K, (0, 0, *size), look)
    maps, T_cam_occluder = view.maps, None
    if not maps.mask.any():
        raise UserError(
            f"{model.name} is {1000 * model.diameter_m:.3g} mm large and cannot be seen from "
            f"{np.linalg.norm(T_cam_obj[:3, 3]):.3g} m: give --distance, or check the units of its mesh"
        )
    if occluders and rng.random() < PROBABILITY:
        occluder = occluders[int(rng.integers(len(occluders)))]
        T_cam_occluder = place_occluder(rng, occluder, renderer.hull, T_cam_obj, K, maps)
    if T_cam_occluder is not None:
        maps = hide(maps, occluder, T_cam_occluder, K)
    box = mask_box(maps.mask, maps.origin)
    origin, side = crop_window(box)
    x, y, width, height = region = _inside(origin, side, size)
    rgb = cut(view.rgb, maps.origin, (x, y), (height, width))
    alpha = cut(view.alpha, maps.origin, (x, y), (height, width))
    if T_cam_occluder is not None:
        front = occluder.view(T_cam_occluder, K, region, look)
        cover = cut(front.alpha, front.maps.origin, (x, y), (height, width))
        rgb = cut(front.rgb, front.maps.origin, (x, y), (height, width)) + (1 - cover[..., None]) * rgb
        alpha = cover + (1 - cover) * alpha
    background = cut(_background(rng, backgrounds, side), origin, (x, y), (height, width))
    picture = develop(rgb, alpha, background, look, rng)
    return encode(
        model=model,
        sample_id=sample_id,
        synthetic=True,
        K=K,
        T_cam_obj=T_cam_obj,
        image_size=size,
        rgb=cut(picture, (x, y), origin, (side, side)),
        box=box,
        maps=maps,
    )


def _inside(origin: tuple[int, int], side: int, size: tuple[int, int]) -> Region:
    """The part of a square crop that lies in the image of that size."""
    x, y = max(origin[0], 0), max(origin[1], 0)
    right, bottom = (min(origin[i] + side, size[i]) for i in range(2))
    return x, y, right - x, bottom - y


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
