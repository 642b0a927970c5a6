"""What a mesh file says, before units and normals; and colours as files have them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from epropnp.errors import UserError


@dataclass(frozen=True, kw_only=True)
class MeshParts:
    """Triangles with what they are painted with; `remarks` say in a line each what a user should know."""

    vertices: NDArray[np.float64]  # (V, 3) in units of the file
    faces: NDArray[np.int64]  # (F, 3)
    colours: NDArray[np.float32]  # (V, 3) sRGB in [0, 1]; meaningless with a picture
    uv: NDArray[np.float32] | None = None  # (V, 2) texture coordinates, v upwards; only with a picture
    picture: NDArray[np.uint8] | None = None  # (h, w, 3) sRGB, the texture
    remarks: tuple[str, ...] = ()


def as_colours(values: NDArray[Any]) -> NDArray[np.uint8]:
    """sRGB (n, 3) of 8 bits, of numbers as files have them.

    Fractions reach from 0 to 1, or to 255 where one of them is larger than 1; whole numbers to 255, or to
    65535 where one is larger than 255.
    """
    rgb = np.nan_to_num(values[:, :3], nan=0.0, posinf=0.0, neginf=0.0)
    largest = rgb.max(initial=0)
    if rgb.dtype.kind == "f" and largest <= 1:
        rgb = rgb * 255
    elif rgb.dtype.kind != "f" and largest > 255:
        rgb = rgb / 257
    return np.clip(rgb, 0, 255).round().astype(np.uint8)


def unit_colours(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of 8 bits to [0, 1]."""
    return (colours / 255.0).astype(np.float32)


def read_texture(file: Path) -> NDArray[np.uint8]:
    """A texture (h, w, 3) uint8; UserError where it cannot be read."""
    try:
        with Image.open(file) as picture:
            return np.asarray(picture.convert("RGB"), np.uint8)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"cannot read the texture {file}: {error}") from error
