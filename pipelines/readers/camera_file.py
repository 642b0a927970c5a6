"""A camera from a JSON file: BOP's `camera.json`, or K with the size of its pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from epropnp.json_files import is_camera_matrix, numbers, read_json
from pipelines.rendering.views import Camera

CAMERA_FILE = "camera.json"  # at the root of a data set
_MATRICES = ("K", "cam_K")
_FORM = "fx, fy, cx, cy or K, and width and height"


def read_camera(file: Path) -> Camera:
    """The camera of a file.

    K is a list of nine numbers, row by row, or of three rows.

    Raises:
        UserError: when the file is missing, or not of that form.
    """
    table = read_json(file, "the camera of renderings")
    if not isinstance(table, dict):
        raise UserError(f"{file} is no camera: it needs {_FORM}")
    width, height = (float(numbers(table, name, 1, file, "the camera")[0]) for name in ("width", "height"))
    K = _matrix(table, file)
    if not is_camera_matrix(K):
        raise UserError(f"{file} has no camera matrix: {K.tolist()}")
    if not (width >= 1 and height >= 1 and width == int(width) and height == int(height)):
        raise UserError(f"{file}: width and height are {width:g} and {height:g}, they must be whole pixels")
    return Camera(K=K, image_size=(int(width), int(height)))


def _matrix(table: dict[str, Any], file: Path) -> NDArray[np.float64]:
    name = next((name for name in _MATRICES if name in table), None)
    if name is None:
        fx, fy, cx, cy = (
            float(numbers(table, entry, 1, file, "the camera")[0]) for entry in ("fx", "fy", "cx", "cy")
        )
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])
    rows = table[name]
    if isinstance(rows, list) and all(isinstance(row, list) for row in rows):
        table = {name: [value for row in rows for value in row]}
    return numbers(table, name, 9, file, "the camera").reshape(3, 3)
