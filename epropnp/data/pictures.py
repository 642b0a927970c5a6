"""Pictures as they come: grey, with transparency, palettes, 16 bits, data after their end.

Pixels are taken as they are stored: K, boxes, poses and masks belong to them. An orientation that a camera
noted in the file (EXIF) is not applied.
"""

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from epropnp.errors import UserError

_STORED = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
_BITS = (8, 10, 12, 14, 16)  # of what sensors give
_ORIENTATION, _BITS_PER_SAMPLE = 274, 258  # tags of EXIF and TIFF
_TIFF: dict[bytes, Literal["little", "big"]] = {b"II*\0": "little", b"MM\0*": "big"}
_PNG, _PNG_DEPTH = b"\x89PNG\r\n\x1a\n", 24  # the place of the bits per sample
_PNG_END = b"IEND\xaeB`\x82"
JPEG, _JPEG_START, _JPEG_END = b"\xff\xd8\xff", 0xD8, 0xD9
_JPEG_SEGMENTS = 0xC0  # and above: markers with a length behind them
_JPEG_PREVIEWS = {*range(0xE0, 0xF0), 0xFE}  # segments that may hold a picture, or anything
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)  # neither data nor a restart


@dataclass(frozen=True, kw_only=True)
class PictureTraits:
    """What a user should know of a set of pictures."""

    turned: int  # how many have an EXIF orientation other than upright
    deep: int  # how many have 16 bits
    bits: int | None  # of the largest value of those

    def notes(self) -> dict[str, int]:
        """What there is to say, with the numbers of pictures."""
        found = {}
        if self.turned:
            what = "pictures with an EXIF orientation, not applied: K and masks mean pixels as stored"
            found[what] = self.turned
        if self.bits is not None and self.bits < _BITS[-1]:
            found[f"pictures of 16 bits, read as of {self.bits}: no value is larger"] = self.deep
        return found


def read_picture(file: Path, bits: int | None = None) -> NDArray[np.uint8]:
    """A picture (h, w, 3) uint8 RGB, with pixels where they are stored.

    Values of 16 bits count as numbers of so many `bits`, or of as many as the largest in the picture
    needs. UserError when the file is missing, broken or cut short.
    """
    return picture_of(read_content(file), str(file), bits)


def picture_of(content: bytes, name: str, bits: int | None = None) -> NDArray[np.uint8]:
    """As `read_picture`, of the content of a file that messages call `name`."""
    content = _upright_tiff(content)
    picture = decode(content, _STORED | cv2.IMREAD_ANYDEPTH, name)
    if picture.dtype == np.uint16:
        bits = _bits_of(int(picture.max())) if bits is None else bits
        if bits < _BITS[-1]:
            picture = np.minimum(picture >> (bits - 8), 255).astype(np.uint8)
        else:
            picture = decode(content, _STORED, name)
    if picture.dtype != np.uint8:
        raise UserError(f"{name} holds numbers of type {picture.dtype}: pictures have 8 or 16 bits")
    rgb: NDArray[np.uint8] = picture[..., ::-1]
    return rgb


def picture_size(file: Path) -> tuple[int, int]:
    """Width and height of a picture as it is stored, from its header. UserError as of `read_picture`."""
    try:
        with Image.open(file) as picture:
            return picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        height, width, _ = read_picture(file).shape
        return width, height


def is_turned(picture: Path | bytes) -> bool:
    """Whether a camera noted in the file (its content) that it is to be turned or mirrored: nothing is."""
    return _header(picture)[0] not in (0, 1)


def picture_traits(files: Iterable[Path]) -> PictureTraits:
    """Looks at headers of pictures, and at the values of those of 16 bits. UserError as of `read_picture`."""
    turned, deep, largest = 0, 0, 0
    for file in files:
        orientation, is_deep = _header(file)
        turned += orientation not in (0, 1)
        if is_deep:
            deep += 1
            largest = max(largest, int(decode(read_content(file), _STORED | cv2.IMREAD_ANYDEPTH, file).max()))
    return PictureTraits(turned=turned, deep=deep, bits=_bits_of(largest) if deep else None)


def _bits_of(largest: int) -> int:
    return next(bits for bits in _BITS if largest < 2**bits)


def _header(file: Path | bytes) -> tuple[int, bool]:
    """The EXIF orientation, and whether there are 16 bits; 1 and False where the header is broken."""
    try:
        with file.open("rb") if isinstance(file, Path) else io.BytesIO(file) as stream:
            start = stream.read(_PNG_DEPTH + 1)
            if not start.startswith(_PNG):
                with Image.open(stream) as picture:
                    depth = getattr(picture, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
                    return int(picture.getexif().get(_ORIENTATION, 1)), max(depth) > 8
            with Image.open(stream) as picture:
                exif = Image.Exif()
                exif.load(picture.info.get("exif", b""))  # `getexif` would decode the whole picture
                return int(exif.get(_ORIENTATION, 1)), start[_PNG_DEPTH] == 16
    except Exception:  # it may fail anywhere; whoever reads the picture says so
        return 1, False


def read_content(file: Path) -> bytes:
    """The content of a file, without the orientation of a TIFF."""
    try:
        return _upright_tiff(file.read_bytes())
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None


def decode(content: bytes, mode: int, file: Path | str) -> NDArray[Any]:
    """The picture in OpenCV's order of channels, BGR or BGRA."""
    picture = None
    if content[:4] in _TIFF:  # OpenCV would multiply colours by their opacity
        picture = by_pillow(content, "RGBA")
    if picture is not None:
        return picture[..., [2, 1, 0, 3] if mode == cv2.IMREAD_UNCHANGED else [2, 1, 0]]
    if content and _is_whole(content):
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), mode)
    if picture is None:
        raise UserError(f"{file} is not a readable picture, or not a whole one")
    return picture


def _is_whole(content: bytes) -> bool:
    """Whether the picture's last part is there; of kinds that say nothing of it, the decoder finds out.

    OpenCV's decoder of PNG would print its own complaint.
    """
    if content.startswith(_PNG):
        return _PNG_END in content
    return not content.startswith(JPEG[:2]) or _is_whole_jpeg(content)


def _is_whole_jpeg(content: bytes) -> bool:
    """Whether the picture ends, whatever follows it: what is missing, OpenCV would paint grey.

    Segments are skipped by their lengths, for previews in them end, too.
    """
    at = len(JPEG) - 1
    while match := _JPEG_MARKER.search(content, at):
        code, at = match[1][0], match.end()
        if code in (_JPEG_START, _JPEG_END):
            return code == _JPEG_END
        if code < _JPEG_SEGMENTS:
            continue
        end = at + int.from_bytes(content[at : at + 2], "big")
        if code not in _JPEG_PREVIEWS and JPEG in content[at : end + 2]:
            return False  # cut short within a table, with another picture behind it
        at = end
    return False


def _upright_tiff(content: bytes) -> bytes:
    """A TIFF file without its orientation, which OpenCV applies whatever it is told; others as they are."""
    order = _TIFF.get(content[:4])
    if order is None:
        return content

    def number(at: int, size: int) -> int:
        return int.from_bytes(content[at : at + size], order)

    start = number(4, 4)
    for entry in range(start + 2, start + 2 + 12 * number(start, 2), 12):
        if number(entry, 2) == _ORIENTATION:
            return content[: entry + 8] + (1).to_bytes(2, order) + content[entry + 10 :]
    return content


def by_pillow(content: bytes, mode: str) -> NDArray[Any] | None:
    """What a file of one of Pillow's modes holds; None where it is of another, or broken."""
    try:
        with Image.open(io.BytesIO(content)) as picture:
            return np.asarray(picture) if picture.mode == mode else None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
