"""Triangles, colours and texture coordinates of an OBJ file and its materials."""

import io
import re
from pathlib import Path

import numpy as np
import trimesh
from numpy.typing import NDArray
from trimesh.resolvers import Resolver
from trimesh.visual import ColorVisuals, TextureVisuals

from pipelines.rendering.mesh_files import material_files, texture_files
from pipelines.rendering.mesh_parts import MeshParts, as_colours, read_texture, unit_colours
from pipelines.rendering.ply import decode

_GREY = 0.5  # of files without colours
_VERTEX = re.compile(r"^v[ \t]+(.+)$", re.MULTILINE)
_PAINT = re.compile(r"^[ \t]*(?:vt|vn|usemtl|mtllib)[ \t].*$", re.MULTILINE)
_FACE = re.compile(r"^f[ \t].*$", re.MULTILINE)
_MATERIAL = "newmtl"
_COLOUR_LINES = ("kd", "map_kd")


def load_obj(path: Path) -> MeshParts:
    """What an OBJ file says. UserError, or whatever the parser raises, where it is broken."""
    text = decode(path.read_bytes())
    materials = _Materials(material_files(path, text))
    own = _vertex_colours(text)
    by_vertices = own is not None and bool(np.ptp(own, axis=0).any()) and not materials.pictures
    if own is not None and by_vertices:
        text = _painted_at_vertices(text, own)
    loaded = trimesh.load(
        io.BytesIO(text.encode("utf-8")), "obj", resolver=materials, process=False, force="mesh"
    )
    if not isinstance(loaded, trimesh.Trimesh):
        raise ValueError("it holds no triangles")
    uv, picture = _texture_of(loaded)
    unpainted = [] if by_vertices else sorted(materials.unpainted(text))
    remarks = [f"material without a colour, {name}: rendered grey" for name in unpainted]
    if "usemtl" not in text and own is None:
        remarks.append("mesh with neither colours nor a texture: rendered grey")
    return MeshParts(
        vertices=np.asarray(loaded.vertices, np.float64),
        faces=np.asarray(loaded.faces, np.int64),
        colours=_colours_of(loaded),
        uv=uv,
        picture=picture,
        remarks=tuple(remarks),
    )


class _Materials(Resolver):
    """All material files of a mesh as one, whose pictures are found wherever `named_file` finds them."""

    def __init__(self, files: list[Path]) -> None:
        self.pictures: dict[str, Path] = {}  # by the names that they get here
        lines = []
        for file in files:
            places = texture_files(file)
            for place in places.values():
                read_texture(place)  # the parser would go on without it
            for line in decode(file.read_bytes()).splitlines():
                if line in places:
                    name = f"picture{len(self.pictures)}"
                    self.pictures[name] = places[line]
                    lines.append(f"map_Kd {name}")
                else:
                    lines.append(line)
        self._text = "\n".join(lines)

    def unpainted(self, text: str) -> set[str]:
        """Materials that the text of an OBJ file uses and that no line gives a colour."""
        painted, current = set(), ""
        for line in self._text.splitlines():
            words = line.split()
            if len(words) > 1 and words[0].lower() == _MATERIAL:
                current = " ".join(words[1:])
            elif len(words) > 1 and words[0].lower() in _COLOUR_LINES:
                painted.add(current)
        used = {line.strip()[6:].strip() for line in text.splitlines() if line.strip().startswith("usemtl")}
        return used - painted

    def __getitem__(self, key: str) -> bytes:
        """The material file, under whatever name."""
        return self._text.encode("utf-8")

    def get(self, key: str) -> bytes:
        """The content of a picture."""
        return self.pictures[key].read_bytes()

    def write(self, name: str, data: object) -> None:
        """Nothing is ever written."""
        raise NotImplementedError

    def keys(self) -> list[str]:
        """Of the pictures."""
        return list(self.pictures)

    def namespaced(self, namespace: str) -> "_Materials":
        """There is one folder."""
        return self


def _vertex_colours(text: str) -> NDArray[np.uint8] | None:
    """Colours (V, 3) behind the coordinates of all vertices; None where there are none."""
    rows = [row.split() for row in _VERTEX.findall(text)]
    if not rows or min(map(len, rows)) < 6:
        return None
    return as_colours(np.array([row[3:6] for row in rows], np.float64))


def _painted_at_vertices(text: str, colours: NDArray[np.uint8]) -> str:
    """The text without materials and texture coordinates, for which the parser would give up the colours."""
    rows = iter(colours / 255.0)

    def vertex(match: re.Match[str]) -> str:
        return "v " + " ".join([*match[1].split()[:3], *(f"{value:.9f}" for value in next(rows))])

    def face(match: re.Match[str]) -> str:
        return " ".join(word.partition("/")[0] for word in match[0].split())

    return _FACE.sub(face, _PAINT.sub("", _VERTEX.sub(vertex, text)))


def _texture_of(
    loaded: trimesh.Trimesh,
) -> tuple[NDArray[np.float32], NDArray[np.uint8]] | tuple[None, None]:
    visual = loaded.visual
    if not isinstance(visual, TextureVisuals) or visual.uv is None:
        return None, None
    image = getattr(visual.material, "image", None)
    if image is None:
        return None, None
    return np.asarray(visual.uv, np.float32), np.asarray(image.convert("RGB"), np.uint8)


def _colours_of(loaded: trimesh.Trimesh) -> NDArray[np.float32]:
    visual, count = loaded.visual, len(loaded.vertices)
    if isinstance(visual, TextureVisuals):  # a material without a picture: one colour for all
        rgb = np.asarray(visual.material.main_color, np.float32)[:3] / np.float32(255.0)
        return np.tile(rgb, (count, 1))
    if not isinstance(visual, ColorVisuals) or visual.kind != "vertex":
        return np.full((count, 3), _GREY, dtype=np.float32)
    return unit_colours(np.asarray(visual.vertex_colors)[:, :3])  # (V, 4) uint8
