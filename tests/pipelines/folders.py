"""Tiny data folders in the BOP and the CDPN layout, as tables of file contents.

Two objects of some vertices, pictures of 48 x 36 pixels. In every picture of the BOP set there are
two instances of object 1, the second half hidden by object 7; the CDPN set shows one cat and one ape.
"""

import io
import json
import pickle
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from PIL import Image
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist
from scipy.spatial.transform import Rotation

from pipelines.objects import LINEMOD
from pipelines.rendering.camera_views import LINEMOD_K
from pipelines.rendering.mesh import Mesh, vertex_normals
from pipelines.rendering.renderer import Renderer

SIZE = (48, 36)  # width, height
K = np.array([[60.0, 0.0, 23.2], [0.0, 61.0, 17.6], [0.0, 0.0, 1.0]])
BOP_OBJECTS = {1: 0.07, 7: 0.04}  # ids and diameters in metres
BOP_SCENES = {"train_real/000001": 4, "test/000002": 2}  # with the number of their pictures
CDPN_OBJECTS = ("ape", "cat")
CDPN_PICTURES = {"real_train": 3, "real_test": 2, "imgn": 2}
Files = dict[str, bytes]


def write_files(files: Files, root: Path) -> Path:
    for name, content in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return root


@cache
def lump(seed: int, diameter_m: float) -> Mesh:
    """A convex lump of 14 vertices with that diameter."""
    rng = np.random.default_rng(seed)
    points = rng.normal(size=(14, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    points *= diameter_m / pdist(points).max()
    faces = ConvexHull(points).simplices.astype(np.int32)
    a, b, c = (points[faces[:, i]] for i in range(3))
    inward = np.einsum("ni,ni->n", np.cross(b - a, c - a), a + b + c) < 0
    faces[inward] = faces[inward, ::-1]
    return Mesh(points, faces, rng.random((14, 3)).astype(np.float32), vertex_normals(points, faces))


def pose(rng: np.random.Generator, x: float, y: float, z: float) -> np.ndarray:
    T = np.eye(4)
    T[:3, :3] = Rotation.random(rng=rng).as_matrix()
    T[:3, 3] = np.array([x, y, z]) + rng.uniform(-0.004, 0.004, 3)
    return T


def full_maps(mesh: Mesh, T: np.ndarray, camera: np.ndarray, size: tuple[int, int]) -> tuple[Any, Any]:
    """Depth (h, w), infinite where the mesh is not, and coordinates (h, w, 3) of a whole picture."""
    maps = Renderer(mesh).maps(T, camera, size)
    depth, coords = np.full(size[::-1], np.inf), np.zeros((*size[::-1], 3))
    (x, y), (height, width) = maps.origin, maps.mask.shape
    window = np.s_[y : y + height, x : x + width]
    coords[window] = maps.coords
    depth[window][maps.mask] = (maps.coords @ T[2, :3] + T[2, 3])[maps.mask]
    return depth, coords


def png(array: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", array)[1])


def picture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return rng.integers(1, 256, (size[1], size[0], 3)).astype(np.uint8)


def ply(mesh: Mesh, unit_m: float) -> bytes:
    with TemporaryDirectory() as folder:
        mesh.save(Path(folder) / "mesh.ply", unit_m=unit_m)
        return (Path(folder) / "mesh.ply").read_bytes()


@cache
def bop_files(everything: bool = False) -> Files:
    """The BOP set; with `everything` also what may be there: masks of whole objects and `camera.json`."""
    rng = np.random.default_rng(0)
    meshes = {i: lump(i, diameter_m) for i, diameter_m in BOP_OBJECTS.items()}
    files = {f"models/obj_{i:06d}.ply": ply(mesh, 0.001) for i, mesh in meshes.items()}
    table: dict[str, Any] = {str(i): {"diameter": d * 1000} for i, d in BOP_OBJECTS.items()}
    table["7"]["symmetries_discrete"] = [[-1, 0, 0, 0, 0, -1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 1]]
    files["models/models_info.json"] = json.dumps(table).encode()
    if everything:
        camera = {"fx": K[0, 0], "fy": K[1, 1], "cx": K[0, 2], "cy": K[1, 2], "depth_scale": 1.0}
        files["camera.json"] = json.dumps(camera | {"width": SIZE[0], "height": SIZE[1]}).encode()
    for scene, count in BOP_SCENES.items():
        tables: dict[str, dict[str, Any]] = {"gt": {}, "gt_info": {}, "camera": {}}
        for image in range(count):
            poses = [
                (1, pose(rng, -0.03, 0.0, 0.2)),
                (7, pose(rng, 0.03, 0.01, 0.13)),
                (1, pose(rng, 0.04, 0.0, 0.22)),
            ]
            depths = np.stack([full_maps(meshes[i], T, K, SIZE)[0] for i, T in poses])
            nearest = np.where(np.isfinite(depths.min(axis=0)), depths.argmin(axis=0), -1)
            files[f"{scene}/rgb/{image:06d}.png"] = png(picture(rng, SIZE))
            shares = []
            for number in range(len(poses)):
                visible = nearest == number
                files[f"{scene}/mask_visib/{image:06d}_{number:06d}.png"] = png(visible * np.uint8(255))
                if everything:
                    whole = np.isfinite(depths[number]) * np.uint8(255)
                    files[f"{scene}/mask/{image:06d}_{number:06d}.png"] = png(whole)
                shares.append(float(visible.sum() / np.isfinite(depths[number]).sum()))
            tables["gt"][str(image)] = [
                {
                    "cam_R_m2c": T[:3, :3].ravel().tolist(),
                    "cam_t_m2c": (T[:3, 3] * 1000).tolist(),
                    "obj_id": i,
                }
                for i, T in poses
            ]
            tables["gt_info"][str(image)] = [{"visib_fract": share} for share in shares]
            tables["camera"][str(image)] = {"cam_K": K.ravel().tolist(), "depth_scale": 1.0}
        for name, entries in tables.items():
            files[f"{scene}/scene_{name}.json"] = json.dumps(entries).encode()
    return files


@cache
def cdpn_files() -> Files:
    rng = np.random.default_rng(1)
    size = (96, 72)
    files: Files = {}
    lines = []
    for name in CDPN_OBJECTS:
        info = LINEMOD[name]
        mesh = lump(info.object_id, info.diameter_m)
        files[f"models/{name}/{name}.ply"] = ply(mesh, 1.0)
        lines.append(f"{info.object_id} diameter {info.diameter_m * 1000} min_x -1 min_y -1 min_z -1")
        for folder, count in CDPN_PICTURES.items():
            for number in range(count):
                T = pose(rng, 0.0, 0.0, 2.0)
                T[:3, 3] += T[2, 3] * np.linalg.solve(LINEMOD_K, [48.0, 36.0, 1.0]) * (1, 1, 0)
                depth, coords = full_maps(mesh, T, LINEMOD_K, size)
                mask = np.isfinite(depth)
                rows, columns = np.nonzero(mask)
                top, left, bottom, right = rows.min(), columns.min(), rows.max() + 1, columns.max() + 1
                content = picture(rng, size)
                label = mask * np.uint8(info.object_id)
                if folder == "imgn":
                    content, label = content * mask[..., None], mask * np.uint8(255)
                table = {"u": top, "l": left, "h": bottom - top, "w": right - left}
                table["coor"] = coords[top:bottom, left:right].astype(np.float32)
                stem = f"{folder}/{name}/{number:06d}" + ("_0" if folder == "imgn" else "")
                files[f"{stem}-color.png"] = png(content)
                files[f"{stem}-label.png"] = png(label)
                files[f"{stem}-coor.pkl"] = pickle.dumps(table)
                files[f"{stem}-pose.txt"] = "\n".join(
                    " ".join(map(repr, row.tolist())) for row in T[:3]
                ).encode()
                files[f"{stem}-box.txt"] = f"{left}\n{top}\n{right - left}\n{bottom - top}\n".encode()
                if folder == "real_test":
                    box = f"{left - 1.5} {top + 0.5} {right} {bottom + 2}"
                    files[f"{stem}-box_fasterrcnn.txt"] = box.encode()
    files["models/models_info.txt"] = "\n".join(lines).encode()
    return files


@cache
def odd_files() -> Files:
    """The BOP set as others write it: turned JPEGs, TIFF, BMP and 16 bits, palettes, keys with zeros, OBJ.

    The test scene has no table of visible shares.
    """
    files = dict(bop_files(everything=True))
    for name in [name for name in files if "/rgb/" in name]:
        scene, number = name.rpartition("/rgb/")[0], int(Path(name).stem)
        content: Any = cv2.imdecode(np.frombuffer(files.pop(name), np.uint8), cv2.IMREAD_COLOR)
        suffix, encoded = _odd_picture(content, number + 2 * scene.startswith("test"))
        files[f"{scene}/rgb/{number:06d}{suffix}"] = encoded
    for name in [name for name in files if "/mask_visib/000001" in name]:
        mask = Image.open(io.BytesIO(files[name])).point(lambda value: value > 0).convert("P")
        mask.putpalette([0, 0, 0, 10, 200, 10])
        files[name] = _encoded(mask, "PNG")
    for name in [name for name in files if "/mask_visib/000000" in name]:
        values: Any = cv2.imdecode(np.frombuffer(files[name], np.uint8), cv2.IMREAD_UNCHANGED)
        files[name] = png((values > 0) * np.uint16(7))
    for scene in BOP_SCENES:
        table = json.loads(files[f"{scene}/scene_gt.json"])
        files[f"{scene}/scene_gt.json"] = json.dumps({f"{int(i):06d}": e for i, e in table.items()}).encode()
    del files["test/000002/scene_gt_info.json"]
    mesh = lump(7, BOP_OBJECTS[7])
    del files["models/obj_000007.ply"]
    lines = ["mtllib paint.mtl", "usemtl red"]
    lines += [f"v {x:.17g} {y:.17g} {z:.17g}" for x, y, z in mesh.vertices * 1000]
    lines += [f"f {a + 1} {b + 1} {c + 1}" for a, b, c in mesh.faces]
    files["models/obj_000007.obj"] = "\n".join(lines).encode()
    files["models/paint.mtl"] = b"newmtl red\nKd 0.8 0.2 0.1\n"
    return files


def _odd_picture(bgr: np.ndarray, kind: int) -> tuple[str, bytes]:
    """The ending and the content of a picture of one of four kinds."""
    rgb = Image.fromarray(np.ascontiguousarray(bgr[..., ::-1]))
    if kind == 0:
        exif = Image.Exif()
        exif[274] = 6
        return ".JPG", _encoded(rgb, "JPEG", exif=exif.tobytes()) + b"trailer"
    if kind == 1:
        return ".tif", _encoded(rgb, "TIFF")
    if kind == 2:
        return ".bmp", _encoded(rgb, "BMP")
    return ".png", png(bgr.astype(np.uint16) * 16)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()
