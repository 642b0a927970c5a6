"""A BOP folder whose pictures stand for photographs: the stand-in cat and eggbox before a wall of their own.

The renderer draws them, nothing of real data is in them. The wall tells where a pixel lies: red grows with
the column, blue with the row, and green is the picture's own. Every picture has its own camera.

`train_real/` and `val/` show both objects, side by side; in the last training picture the cat hides a part of
the eggbox. `test/` shows the eggbox alone.
"""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from epropnp.data.crop import cut
from pipelines.objects import LINEMOD
from pipelines.rendering.camera_views import LINEMOD_K, LINEMOD_SIZE, sample_view
from pipelines.rendering.renderer import Renderer, View
from pipelines.rendering.shading import develop, sample_look
from pipelines.standins.build import build_standin

CAT, EGGBOX = 6, 10
NAMES = {CAT: "cat", EGGBOX: "eggbox"}
SCENES = {
    "train_real/000001": (8, (CAT, EGGBOX)),
    "val/000001": (6, (CAT, EGGBOX)),
    "test/000001": (6, (EGGBOX,)),
}
HIDDEN = ("train_real/000001", 7)  # where the cat stands before the eggbox
HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Drawn:
    """One object in one picture, and its view of the whole picture."""

    object_id: int
    T_cam_obj: np.ndarray
    view: View


def camera(picture: int) -> np.ndarray:
    """K of a picture: no two of a scene share it."""
    K = LINEMOD_K.copy()
    K[0, 2] += picture
    K[0, 0] -= 3 * picture
    return K


def wall(picture: int) -> np.ndarray:
    """RGB of a picture without objects, (480, 640, 3) uint8."""
    width, height = LINEMOD_SIZE
    x, y = np.meshgrid(np.arange(width) * 255 / (width - 1), np.arange(height) * 255 / (height - 1))
    return np.rint(np.stack([x, np.full_like(x, 10.0 * picture + 20), y], -1)).astype(np.uint8)


def write_photographs(root: Path, resolution: int) -> Path:
    """Writes the folder, the same bytes each time; the objects' meshes are those of that resolution."""
    meshes = {number: build_standin(name, resolution) for number, name in NAMES.items()}
    (root / "models").mkdir(parents=True)
    table: dict[str, dict[str, Any]] = {}
    for number, mesh in meshes.items():
        mesh.save(root / "models" / f"obj_{number:06d}.ply")
        table[str(number)] = {"diameter": LINEMOD[NAMES[number]].diameter_m * 1000}
    table[str(EGGBOX)]["symmetries_discrete"] = [HALF_TURN.ravel().tolist()]
    (root / "models" / "models_info.json").write_text(json.dumps(table))
    renderers = {number: Renderer(mesh) for number, mesh in meshes.items()}
    for seed, (scene, (count, objects)) in enumerate(SCENES.items()):
        for folder in ("rgb", "mask_visib"):
            (root / scene / folder).mkdir(parents=True)
        tables: dict[str, dict[str, Any]] = {"gt": {}, "gt_info": {}, "camera": {}}
        for picture in range(count):
            rng = np.random.default_rng([seed, picture])
            drawn = _draw(renderers, objects, (scene, picture) == HIDDEN, picture, rng)
            _write_picture(root / scene, tables, picture, drawn, rng)
        for name, content in tables.items():
            (root / scene / f"scene_{name}.json").write_text(json.dumps(content))
    return root


def _draw(
    renderers: dict[int, Renderer],
    objects: Sequence[int],
    hidden: bool,
    picture: int,
    rng: np.random.Generator,
) -> list[Drawn]:
    """The objects of a picture, the nearest first; only where `hidden`, one stands before the other."""
    K, look = camera(picture), dataclasses.replace(sample_look(rng), shot_noise=0, read_noise=0)
    look = dataclasses.replace(look, blur_sigma_px=0)
    drawn: list[Drawn] = []
    while len(drawn) < len(objects):
        poses = {number: sample_view(rng, renderers[number].hull, K) for number in objects}
        if hidden:  # the cat before the eggbox, and somewhat beside it
            poses[CAT][:3, 3] = 0.75 * poses[EGGBOX][:3, 3] + (0.05, 0, 0)
        drawn = []
        for number, T in poses.items():
            view = renderers[number].view(T, K, (0, 0, *LINEMOD_SIZE), look)
            if hidden or not any(_overlap(view, other.view) for other in drawn):
                drawn.append(Drawn(number, T, view))
    return drawn


def _overlap(view: View, other: View) -> bool:
    return bool((full(view.maps.mask, view) & full(other.maps.mask, other)).any())


def full(part: np.ndarray, view: View) -> np.ndarray:
    """A view's window as a part of the whole picture."""
    return cut(part, view.maps.origin, (0, 0), LINEMOD_SIZE[::-1])


def _write_picture(
    folder: Path, tables: dict[str, Any], picture: int, drawn: list[Drawn], rng: np.random.Generator
) -> None:
    look = dataclasses.replace(sample_look(rng), shot_noise=0, read_noise=0, blur_sigma_px=0)
    image, free = wall(picture), np.ones(LINEMOD_SIZE[::-1], bool)
    for one in reversed(drawn):  # what is nearer is painted over what is farther
        behind = image.astype(np.float32) / np.float32(255)
        image = develop(full(one.view.rgb, one.view), full(one.view.alpha, one.view), behind, look, rng)
    cv2.imwrite(str(folder / "rgb" / f"{picture:06d}.png"), image[..., ::-1])
    tables["camera"][str(picture)] = {"cam_K": camera(picture).ravel().tolist()}
    poses, shares = [], []
    for number, one in enumerate(drawn):
        whole = full(one.view.maps.mask, one.view)
        seen = whole & free
        free &= ~whole
        mask = folder / "mask_visib" / f"{picture:06d}_{number:06d}.png"
        cv2.imwrite(str(mask), seen.astype(np.uint8) * np.uint8(255))
        poses.append(
            {
                "cam_R_m2c": one.T_cam_obj[:3, :3].ravel().tolist(),
                "cam_t_m2c": (one.T_cam_obj[:3, 3] * 1000).tolist(),
                "obj_id": one.object_id,
            }
        )
        shares.append({"visib_fract": float(seen.sum() / whole.sum())})
    tables["gt"][str(picture)], tables["gt_info"][str(picture)] = poses, shares
