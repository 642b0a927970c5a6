"""BOP's errors of a results file by the public definitions, from the files of a BOP data set alone.

https://bop.felk.cvut.cz/challenges: MSSD and MSPD over the vertices of the model, the least over its
symmetries; ADD over the same vertices. Written for reading, without anything of this project.

`python -m tests.bop_scores BOP_FOLDER RESULTS.csv` prints the means.
"""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import trimesh

Errors = dict[tuple[int, int, int], dict[str, float]]


def rows(file: Path) -> list[dict[str, str]]:
    """The rows of a results file, checked as BOP's toolkit does: columns, counts and a rotation."""
    with file.open() as stream:
        reader = csv.DictReader(stream)
        assert reader.fieldnames == ["scene_id", "im_id", "obj_id", "score", "R", "t", "time"]
        found = list(reader)
    for row in found:
        R = np.array(row["R"].split(), float).reshape(3, 3)
        assert len(row["t"].split()) == 3
        assert abs(R @ R.T - np.eye(3)).max() < 1e-6
        assert np.linalg.det(R) > 0
        float(row["score"])
    return found


def symmetries(info: dict[str, list[list[float]]]) -> list[np.ndarray]:
    """4 x 4 in millimetres; continuous ones are not needed here."""
    assert "symmetries_continuous" not in info
    return [np.eye(4), *(np.array(values).reshape(4, 4) for values in info.get("symmetries_discrete", []))]


def errors(root: Path, file: Path, split: str = "test", models: str = "models_eval") -> Errors:
    """MSSD and ADD in millimetres, MSPD in pixels, by scene, image and object."""
    folder = root / models if (root / models).is_dir() else root / "models"
    info = json.loads((folder / "models_info.json").read_text())
    found: Errors = {}
    for row in rows(file):
        scene, image, obj = int(row["scene_id"]), int(row["im_id"]), int(row["obj_id"])
        place = root / split / f"{scene:06d}"
        truth = next(
            pose
            for pose in json.loads((place / "scene_gt.json").read_text())[str(image)]
            if pose["obj_id"] == obj
        )
        K = np.array(json.loads((place / "scene_camera.json").read_text())[str(image)]["cam_K"]).reshape(3, 3)
        mesh = trimesh.load_mesh(folder / f"obj_{obj:06d}.ply", process=False)
        points = np.asarray(mesh.vertices)
        est = points @ np.array(row["R"].split(), float).reshape(3, 3).T + np.array(row["t"].split(), float)
        mssd, mspd = [], []
        for S in symmetries(info[str(obj)]):
            moved = points @ S[:3, :3].T + S[:3, 3]
            gt = moved @ np.array(truth["cam_R_m2c"]).reshape(3, 3).T + np.array(truth["cam_t_m2c"])
            mssd.append(np.linalg.norm(est - gt, axis=1).max())
            a, b = est @ K.T, gt @ K.T
            mspd.append(np.linalg.norm(a[:, :2] / a[:, 2:] - b[:, :2] / b[:, 2:], axis=1).max())
            if len(mssd) == 1:
                add = np.linalg.norm(est - gt, axis=1).mean()
        found[scene, image, obj] = {"mssd": min(mssd), "mspd": min(mspd), "add": float(add)}
    return found


if __name__ == "__main__":
    table = errors(Path(sys.argv[1]), Path(sys.argv[2]))
    print(len(table), {name: np.mean([e[name] for e in table.values()]) for name in ("mssd", "mspd", "add")})  # noqa: T201
