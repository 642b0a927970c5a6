"""A BOP set of one convex body, drawn without our renderer: its silhouette is its projected corners' hull.

The body is 160 mm large and lies off its origin; pictures have 320 x 240 pixels, the body is dark in them.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from pipelines.readers.bop import BopFolder
from pipelines.readers.frames import Frame
from pipelines.rendering.mesh import Mesh, vertex_normals

K = np.array([[300.0, 0.0, 160.0], [0.0, 302.0, 120.0], [0.0, 0.0, 1.0]])
SIZE = (320, 240)
NAME = "obj_000001"
SUBPIXEL_BITS = 4


@dataclass(frozen=True, kw_only=True)
class Truth:
    """How a set is made; the defaults are right."""

    frames: int = 12  # of each split
    distance_m: tuple[float, float] = (0.38, 0.52)
    whole_masks: bool = True
    visible_masks: bool = True
    hidden: tuple[float, float] = (
        0.0,
        0.0,
    )  # share of the picture's body that something covers from the left
    shares: bool = True  # of what is visible, stated
    flat: bool = False  # pictures without edges
    size: float = 1.0  # of the body


def corners(size: float = 1.0) -> np.ndarray:
    """The body's 12 corners in metres: a wedge with a nose, without any symmetry."""
    points = np.random.default_rng(5).normal(size=(12, 3)) * (1.0, 0.55, 0.35)
    points = points[ConvexHull(points).vertices]
    return size * (points * 0.16 / pdist(points).max() + (0.01, -0.02, 0.005))


def body(points: np.ndarray) -> Mesh:
    faces = ConvexHull(points).simplices.astype(np.int32)
    middle = points.mean(axis=0)
    a, b, c = (points[faces[:, i]] for i in range(3))
    inward = np.einsum("ni,ni->n", np.cross(b - a, c - a), a - middle) < 0
    faces[inward] = faces[inward, ::-1]
    colours = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    return Mesh(points, faces, (0.2 + 0.3 * colours).astype(np.float32), vertex_normals(points, faces))


def draw(points: np.ndarray, T: np.ndarray, camera: np.ndarray) -> np.ndarray:
    """The silhouette of the body's corners, (h, w) bool."""
    image = (points @ T[:3, :3].T + T[:3, 3]) @ camera.T
    hull = cv2.convexHull((image[:, :2] / image[:, 2:]).astype(np.float32))
    mask = np.zeros(SIZE[::-1], np.uint8)
    cv2.fillConvexPoly(mask, np.rint(hull * 2**SUBPIXEL_BITS).astype(np.int32), 255, shift=SUBPIXEL_BITS)
    return mask > 0


def write_set(root: Path, truth: Truth | None = None) -> Path:
    """A set with `train_real/` and `test/`; returns `root`."""
    truth = truth or Truth()
    points = corners(truth.size)
    (root / "models").mkdir(parents=True)
    body(points).save(root / "models" / f"{NAME}.ply")
    table = {"1": {"diameter": 1000 * float(pdist(points).max())}}
    (root / "models" / "models_info.json").write_text(json.dumps(table))
    rng = np.random.default_rng(0)
    for folder in ("train_real", "test"):
        _write_scene(root / folder / "000001", points, truth, rng)
    return root


def _write_scene(scene: Path, points: np.ndarray, truth: Truth, rng: np.random.Generator) -> None:
    kinds = {"rgb": True, "mask": truth.whole_masks, "mask_visib": truth.visible_masks}
    for kind, wanted in kinds.items():
        if wanted:
            (scene / kind).mkdir(parents=True)
    tables: dict[str, dict[str, Any]] = {"gt": {}, "gt_info": {}, "camera": {}}
    for number in range(truth.frames):
        T = np.eye(4)
        T[:3, :3] = Rotation.random(rng=rng).as_matrix()
        depth = rng.uniform(*truth.distance_m)
        T[:3, 3] = depth * np.array([rng.uniform(-0.1, 0.1), rng.uniform(-0.08, 0.08), 1.0])
        whole = draw(points, T, K)
        covered = np.zeros_like(whole)
        columns = np.nonzero(whole.any(axis=0))[0]
        covered[:, : columns[0] + int(rng.uniform(*truth.hidden) * len(columns))] = truth.hidden[1] > 0
        visible = whole & ~covered
        picture: Any = np.full((*whole.shape, 3), 120, np.uint8)
        if not truth.flat:
            picture = rng.integers(150, 250, picture.shape).astype(np.uint8)
            picture[whole] = 60
            picture[covered] = 200
        pictures = {"rgb": picture, "mask": whole * np.uint8(255), "mask_visib": visible * np.uint8(255)}
        for kind, content in pictures.items():
            name = f"{number:06d}.png" if kind == "rgb" else f"{number:06d}_000000.png"
            if kinds[kind]:
                assert cv2.imwrite(str(scene / kind / name), content)
        pose = {"cam_R_m2c": T[:3, :3].ravel().tolist(), "cam_t_m2c": (1000 * T[:3, 3]).tolist(), "obj_id": 1}
        tables["gt"][str(number)] = [pose]
        tables["gt_info"][str(number)] = [{"visib_fract": float(visible.sum() / whole.sum())}]
        tables["camera"][str(number)] = {"cam_K": K.ravel().tolist()}
    for name, table in tables.items():
        if name != "gt_info" or truth.shares:
            (scene / f"scene_{name}.json").write_text(json.dumps(table))


def frames_of(root: Path) -> list[Frame]:
    folder = BopFolder(root)
    found = folder.frames(folder.objects()[NAME]).by_split
    return [frame for split in found.values() for frame in split]


def edit_scenes(root: Path, table: str, change: Any) -> None:
    """Changes every entry of a table of all scenes in place."""
    for file in root.glob(f"*/000001/scene_{table}.json"):
        entries = json.loads(file.read_text())
        for entry in entries.values():
            for one in entry if isinstance(entry, list) else [entry]:
                change(one)
        file.write_text(json.dumps(entries))
