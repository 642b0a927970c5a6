"""Pictures of every kind, against the pixels that they were made of."""

import io
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from epropnp.data.pictures import picture_traits, read_picture
from epropnp.errors import UserError
from pipelines.readers.masks import read_mask
from tests.pictures import picture_in

RNG = np.random.default_rng(0)
PIXELS = np.kron(RNG.integers(0, 256, (3, 5, 3)), np.ones((16, 16, 1))).astype(np.uint8)  # (48, 80, 3) RGB
GREY = PIXELS[..., 0]
SHAPE = PIXELS.shape[:2]
OBJECT = np.zeros(SHAPE, bool)
OBJECT[10:30, 20:50] = True


def oriented(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def jpeg(**settings: object) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(PIXELS).save(stream, "JPEG", quality=95, **settings)
    return stream.getvalue()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_pixels_stay_where_they_are_stored(tmp_path: Path, suffix: str, orientation: int) -> None:
    settings = {"quality": 95} if suffix == ".jpg" else {"lossless": True} if suffix == ".webp" else {}
    file = tmp_path / f"a{suffix}"
    Image.fromarray(PIXELS).save(file, exif=oriented(orientation).tobytes(), **settings)
    error = np.abs(read_picture(file).astype(int) - PIXELS)
    assert error.mean() < (4 if suffix == ".jpg" else 1e-9)
    Image.fromarray(OBJECT.astype(np.uint8) * 255).save(
        tmp_path / "m.png", exif=oriented(orientation).tobytes()
    )
    np.testing.assert_array_equal(read_mask(tmp_path / "m.png"), OBJECT)
    picture = Image.fromarray(OBJECT.astype(np.uint8))
    picture.putpalette([0, 0, 0, 0, 0, 255])
    picture.save(tmp_path / "p.tif", exif=oriented(orientation).tobytes())
    np.testing.assert_array_equal(read_mask(tmp_path / "p.tif"), OBJECT)
    np.testing.assert_array_equal(read_mask(tmp_path / "p.tif", 1), OBJECT)
    notes = picture_traits([file]).notes()
    said = {"pictures with an EXIF orientation, not applied: K and masks mean pixels as stored": 1}
    assert notes == ({} if orientation == 1 else said)


def test_big_endian_tiff_is_not_turned_either(tmp_path: Path) -> None:
    """One strip of 8-bit greys with orientation 6, by hand."""
    entries = [(256, 3, 1, 80), (257, 3, 1, 48), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    entries += [(273, 4, 1, 200), (274, 3, 1, 6), (277, 3, 1, 1), (278, 3, 1, 48), (279, 4, 1, GREY.size)]
    content = b"MM\x00*" + (8).to_bytes(4, "big") + len(entries).to_bytes(2, "big")
    for tag, kind, count, value in entries:
        content += tag.to_bytes(2, "big") + kind.to_bytes(2, "big") + count.to_bytes(4, "big")
        content += value.to_bytes(2, "big") + b"\0\0" if kind == 3 else value.to_bytes(4, "big")
    (tmp_path / "a.tif").write_bytes((content + bytes(4)).ljust(200, b"\0") + GREY.tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "a.tif")[..., 1], GREY)
    np.testing.assert_array_equal(read_mask(tmp_path / "a.tif"), GREY > 0)
    assert picture_traits([tmp_path / "a.tif"]).turned == 1


@pytest.mark.parametrize(
    "trailer", [b"", b"SEFH" + bytes(400) + b"SEFT", bytes(100_000), jpeg(), b"\xff\xd9"]
)
@pytest.mark.parametrize(
    "settings", [{}, {"progressive": True}, {"subsampling": 0, "restart_marker_rows": 1}]
)
def test_whatever_follows_the_end_of_a_jpeg_is_ignored(
    tmp_path: Path, trailer: bytes, settings: dict[str, object]
) -> None:
    content = jpeg(**settings)
    (tmp_path / "a.jpg").write_bytes(content + trailer)
    (tmp_path / "b.jpg").write_bytes(content)
    np.testing.assert_array_equal(read_picture(tmp_path / "a.jpg"), read_picture(tmp_path / "b.jpg"))
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - PIXELS).mean() < 4


@pytest.mark.parametrize("trailer", [b"", b"SEFH" + bytes(400), jpeg()])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_cut_short_is_refused_whatever_ends_come_before_and_after(
    tmp_path: Path, trailer: bytes, progressive: bool
) -> None:
    """A preview in its header ends, too, and so does a second picture behind it."""
    preview = b"Exif\0\0" + jpeg()[:2000] + b"\xff\xd9"
    content = jpeg(progressive=progressive)
    content = content[:2] + b"\xff\xe1" + (len(preview) + 2).to_bytes(2, "big") + preview + content[2:]
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_picture(tmp_path / "a.jpg").shape == PIXELS.shape
    for missing in range(2, len(content) - len(preview) - 30, 3):  # up to within its first table
        (tmp_path / "a.jpg").write_bytes(content[:-missing] + trailer)
        with pytest.raises(UserError, match=r"a\.jpg is not a readable picture, or not a whole one"):
            read_picture(tmp_path / "a.jpg")


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_values_of_sensors_in_files_of_16_bits(tmp_path: Path, suffix: str, channels: int, bits: int) -> None:
    """The largest value is white, half of it a half; a darker one of the set counts as of as many bits."""
    full = np.arange(48 * 80).reshape(SHAPE) * (2**bits - 1) // (48 * 80 - 1)
    bright, dark = tmp_path / f"bright{suffix}", tmp_path / f"dark{suffix}"
    for file, values in ((bright, full), (dark, full // 4)):
        picture = np.repeat(values[..., None], channels, axis=2) if channels > 1 else values
        cv2.imwrite(str(file), picture.astype(np.uint16))
    found = read_picture(bright)
    assert found.max() == 255
    assert np.abs(found - full[..., None] * (255 / (2**bits - 1))).max() <= 1
    traits = picture_traits([bright, dark])
    assert (traits.deep, traits.bits) == (2, bits)
    assert traits.notes() == (
        {} if bits == 16 else {f"pictures of 16 bits, read as of {bits}: no value is larger": 2}
    )
    faint = read_picture(dark, traits.bits)
    assert np.abs(faint - (full // 4)[..., None] * (255 / (2**bits - 1))).max() <= 1


def test_full_16_bits_are_read_as_ever(tmp_path: Path) -> None:
    values = RNG.integers(0, 2**16, (*SHAPE, 3)).astype(np.uint16)
    for name in ("a.png", "a.tif"):
        cv2.imwrite(str(tmp_path / name), values)
        expected = picture_in(tmp_path / name, cv2.IMREAD_COLOR)[..., ::-1]
        np.testing.assert_array_equal(read_picture(tmp_path / name), expected)
    cv2.imwrite(str(tmp_path / "b.png"), PIXELS)
    assert picture_traits([tmp_path / "b.png"]).notes() == {}


MODES = {
    ".png": ("L", "1", "P", "RGB", "RGBA", "LA"),
    ".PNG": ("RGB",),
    ".bmp": ("L", "1", "P", "RGB", "RGBA"),
    ".tif": ("L", "1", "P", "RGB", "RGBA", "LA", "CMYK"),
    ".webp": ("L", "RGB", "RGBA"),
}


@pytest.mark.parametrize(
    ("mode", "suffix"), [(mode, suffix) for suffix, modes in MODES.items() for mode in modes]
)
def test_colours_of_all_modes(tmp_path: Path, mode: str, suffix: str) -> None:
    """Exact where the file keeps them; transparency is left out."""
    picture = Image.fromarray(PIXELS).convert(mode, dither=Image.Dither.NONE)
    expected = np.asarray(picture.convert("RGB"))
    if mode in ("RGBA", "LA"):
        picture.putalpha(Image.fromarray(np.where(OBJECT, 255, 7).astype(np.uint8)))
    options: dict[str, Any] = {"lossless": True, "exact": True} if suffix == ".webp" else {}
    try:
        picture.save(tmp_path / f"a{suffix}", **options)
    except (OSError, KeyError):
        pytest.skip(f"there is no {suffix} of mode {mode}")
    np.testing.assert_array_equal(read_picture(tmp_path / f"a{suffix}"), expected)


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "a.jpg", quality=98, subsampling=0)
    assert np.abs(read_picture(tmp_path / "a.jpg").astype(int) - PIXELS).mean() < 4


def test_a_png_cut_short_is_refused_without_a_word_of_the_decoder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), PIXELS)
    content = (tmp_path / "a.png").read_bytes()
    for cut in (len(content) - 1, len(content) // 2, 60):
        (tmp_path / "b.png").write_bytes(content[:cut])
        with pytest.raises(UserError, match=r"b\.png is not a readable picture, or not a whole one"):
            read_picture(tmp_path / "b.png")
    (tmp_path / "c.png").write_bytes(content + b"trailer")
    np.testing.assert_array_equal(read_picture(tmp_path / "c.png"), PIXELS[..., ::-1])
    assert capfd.readouterr().err == ""


def test_numbers_that_are_no_picture_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.tif"), PIXELS.astype(np.float32))
    with pytest.raises(UserError, match=r"a\.tif holds numbers of type float32: pictures have 8 or 16 bits"):
        read_picture(tmp_path / "a.tif")
    for content in (b"", b"x", b"\xff\xd8", b"II*\0", b"\x89PNG\r\n\x1a\n", b"BM"):
        (tmp_path / "a.png").write_bytes(content)
        assert picture_traits([tmp_path / "a.png"]).notes() == {}
        for read in (read_picture, read_mask):
            with pytest.raises(UserError, match=r"a\.png is not a readable picture, or not a whole one"):
                read(tmp_path / "a.png")
    with pytest.raises(UserError, match="cannot read"):
        read_mask(tmp_path / "nowhere.png")
