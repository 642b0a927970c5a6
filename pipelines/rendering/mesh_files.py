"""Which files a mesh file names, and where they are: textures and materials."""

import re
from pathlib import Path

from epropnp.errors import UserError
from pipelines.rendering.ply import decode, ply_textures

_SUFFIXES = (".ply", ".obj")
_PICTURE_LINE = re.compile(r"^\s*map_kd\s+(.+)$", re.IGNORECASE)
_MATERIALS_LINE = re.compile(r"^\s*mtllib\s+(.+)$")


def mesh_files(path: Path) -> list[Path]:
    """A mesh file and the material and texture files that it names: all that `Mesh.load` reads.

    Raises:
        UserError: when one of them is missing, or the file is neither PLY nor OBJ.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise UserError(f"cannot read the mesh {path}: its name must end in {' or '.join(_SUFFIXES)}")
    if not path.is_file():
        raise UserError(f"no mesh at {path}: check the path of the models")
    if path.suffix.lower() == ".ply":
        return [path, *ply_texture_files(path, path.read_bytes())]
    files = [path]
    for material in material_files(path, decode(path.read_bytes())):
        files += [material, *texture_files(material).values()]
    return files


def ply_texture_files(path: Path, content: bytes) -> list[Path]:
    """The textures that a PLY file names. UserError where its header is broken or one is missing."""
    try:
        names = ply_textures(content)
    except (ValueError, IndexError) as error:
        raise UserError(f"cannot read the mesh {path}: {error}") from None
    return [named_file(path, name) for name in names]


def material_files(path: Path, text: str) -> list[Path]:
    """The material files that the text of an OBJ file names: one a line, or several with blanks between."""
    found: list[Path] = []
    for line in text.splitlines():
        match = _MATERIALS_LINE.match(line)
        if match is None:
            continue
        names = [match[1].strip()]
        if len(names[0].split()) > 1 and not (path.parent / names[0]).is_file():
            names = names[0].split()
        found += [named_file(path, name) for name in names]
    return list(dict.fromkeys(found))


def texture_files(material: Path) -> dict[str, Path]:
    """The pictures that a material file paints with, by the lines that name them."""
    found = {}
    for line in decode(material.read_bytes()).splitlines():
        match = _PICTURE_LINE.match(line)
        if match is not None:
            name = match[1].strip()
            found[line] = named_file(
                material, name.split()[-1] if name.startswith("-") else name
            )  # -o options
    return found


def named_file(file: Path, name: str) -> Path:
    """The file that another one names.

    Paths of another machine, of either kind, and names in other letters (A or a) stand for the file
    of that name that lies beside.
    """
    plain = name.strip("\"'").replace("\\", "/")
    last = plain.rpartition("/")[2]
    for candidate in (name, plain, last):
        if (file.parent / candidate).is_file():
            return file.parent / candidate
    for other in sorted(file.parent.iterdir()):
        if other.name.lower() == last.lower() and other.is_file():
            return other
    raise UserError(f"{file} names {name!r}, which is not beside it")
