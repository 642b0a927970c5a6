"""Small inputs for the pipelines: a mesh, a renderer, a BOP folder of four frames, a tiny dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.data.schema import ObjectModel
from pipelines import shards
from pipelines.build import BuildConfig, build
from pipelines.camera_views import LINEMOD_K, LINEMOD_SIZE, sample_view
from pipelines.mesh import Mesh
from pipelines.objects import LINEMOD
from pipelines.render import Renderer
from pipelines.sources import StandinSource
from pipelines.standins import build_standin

SHARD_ROWS = 4
TINY = BuildConfig(
    objects=("cat", "ape"),
    train=12,
    validation=3,
    test=3,
    mesh_resolution=24,
    background_count=3,
)
TRAIN_IDS, TEST_IDS = (0, 2), (1, 3, 5)  # 5 has no picture on disk


@pytest.fixture(scope="session")
def cat_mesh() -> Mesh:
    return build_standin("cat", 24)


@pytest.fixture(scope="session")
def cat_renderer(cat_mesh: Mesh) -> Renderer:
    return Renderer(cat_mesh)


@pytest.fixture(scope="session")
def cat_model(tmp_path_factory: pytest.TempPathFactory) -> ObjectModel:
    return StandinSource(24, tmp_path_factory.mktemp("standins")).model(LINEMOD["cat"])


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> int:
    """Rows per shard for a test that wants many shards of few samples."""
    monkeypatch.setattr(shards, "SHARD_ROWS", SHARD_ROWS)
    return SHARD_ROWS


@pytest.fixture(scope="session")
def tiny() -> BuildConfig:
    """36 samples of two objects."""
    return TINY


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference: `tiny` in small shards, by one process, without interruption."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "SHARD_ROWS", SHARD_ROWS)
        return build(TINY, tmp_path_factory.mktemp("reference"), workers=1, progress=False)


@pytest.fixture(scope="session")
def real_lm(shared_data: Path) -> Path:
    if not (shared_data / "lm" / "test" / "000006").is_dir():
        pytest.skip(f"needs the real LineMOD cat at {shared_data / 'lm'}")
    return shared_data / "lm"


@pytest.fixture
def bop_dir(tmp_path: Path, cat_mesh: Mesh, cat_renderer: Renderer) -> Path:
    """A BOP folder with the stand-in cat as object 6 and four frames of it."""
    root = tmp_path / "bop"
    scene = root / "test" / "000006"
    for folder in (root / "models", root / "splits", scene / "rgb", scene / "mask_visib"):
        folder.mkdir(parents=True)
    cat_mesh.save(root / "models" / "obj_000006.ply")
    turn = [-1, 0, 0, 0, 0, -1, 0, 2, 0, 0, 1, 0, 0, 0, 0, 1]
    info = {"6": {"diameter": 154.5, "symmetries_discrete": [turn]}}
    (root / "models" / "models_info.json").write_text(json.dumps(info))
    for name, ids in (("train", TRAIN_IDS), ("test", TEST_IDS)):
        lines = "".join(f"{i:06d}\n" for i in ids)
        (root / "splits" / f"cat_{name}.txt").write_text(lines)
    tables: dict[str, dict[str, Any]] = {"gt": {}, "gt_info": {}, "camera": {}}
    for image in range(4):
        _add_frame(scene, tables, image, cat_renderer)
    for name, table in tables.items():
        (scene / f"scene_{name}.json").write_text(json.dumps(table))
    return root


def _add_frame(scene: Path, tables: dict[str, dict[str, Any]], image: int, renderer: Renderer) -> None:
    """One frame: another object comes first in the annotations, and K differs per image."""
    K = LINEMOD_K.copy()
    K[0, 2] += image
    rng = np.random.default_rng(image)
    T_cam_obj = sample_view(rng, renderer.hull, K)
    maps = renderer.maps(T_cam_obj, K, LINEMOD_SIZE)
    x, y = maps.origin
    mask = np.zeros(LINEMOD_SIZE[::-1], np.uint8)
    mask[y : y + maps.mask.shape[0], x : x + maps.mask.shape[1]] = maps.mask * np.uint8(255)
    picture = rng.integers(0, 256, (*mask.shape, 3)).astype(np.uint8)
    cv2.imwrite(str(scene / "rgb" / f"{image:06d}.png"), picture)
    cv2.imwrite(str(scene / "mask_visib" / f"{image:06d}_000001.png"), mask)
    pose = {
        "cam_R_m2c": T_cam_obj[:3, :3].ravel().tolist(),
        "cam_t_m2c": (T_cam_obj[:3, 3] * 1000).tolist(),
    }
    tables["gt"][str(image)] = [{"obj_id": 1, **pose}, {"obj_id": 6, **pose}]
    tables["gt_info"][str(image)] = [{"visib_fract": 0.5}, {"visib_fract": 1.0}]
    tables["camera"][str(image)] = {"cam_K": K.ravel().tolist()}
