"""The PLY format against bytes packed by hand."""

import struct

import numpy as np
import pytest

from pipelines.rendering.ply import decode, parse_ply, ply_textures

HEADER = """ply
format {format} 1.0
comment TextureFile my paint.png
element extra 2
property list uchar double weights
property short tag
element face 3
property uchar red
property list int uint vertex_indices
property list uint8 float32 texcoord
end_header
"""
EXTRA = [([0.5, -1.5], -7), ([], 300)]
FACES = [(9, [4, 5, 6], [0.25] * 6), (8, [1, 2, 3, 70000], []), (7, [3, 2, 1, 0, 9], [1.0, 2.0])]


def packed(order: str) -> bytes:
    content = b""
    for weights, tag in EXTRA:
        content += struct.pack(f"{order}B{len(weights)}dh", len(weights), *weights, tag)
    for red, corners, uv in FACES:
        content += struct.pack(f"{order}Bi{len(corners)}I", red, len(corners), *corners)
        content += struct.pack(f"{order}B{len(uv)}f", len(uv), *uv)
    return content


def written() -> bytes:
    lines = [" ".join(map(str, [len(w), *w, tag])) for w, tag in EXTRA]
    lines += [" ".join(map(str, [red, len(c), *c, len(uv), *uv])) for red, c, uv in FACES]
    return "\n".join(lines).encode()


FILES = {
    "ascii": written(),
    "binary_little_endian": packed("<"),
    "binary_big_endian": packed(">"),
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", FILES)
def test_lists_of_all_lengths_in_all_elements_are_read(name: str, line_end: str) -> None:
    header = HEADER.format(format=name).replace("\n", line_end).encode()
    file = parse_ply(header + FILES[name])
    extra, face = file.elements["extra"], file.elements["face"]
    assert file.textures == ply_textures(header) == ["my paint.png"]
    assert (extra.rows, face.rows) == (2, 3)
    assert extra.columns["tag"].tolist() == [-7, 300]
    assert extra.lists["weights"].values.tolist() == [0.5, -1.5]
    assert extra.lists["weights"].lengths.tolist() == [2, 0]
    assert face.columns["red"].tolist() == [9, 8, 7]
    assert face.lists["vertex_indices"].values.tolist() == [4, 5, 6, 1, 2, 3, 70000, 3, 2, 1, 0, 9]
    assert face.lists["vertex_indices"].lengths.tolist() == [3, 4, 5]
    assert face.lists["texcoord"].values.tolist() == [0.25] * 6 + [1.0, 2.0]
    assert face.lists["texcoord"].lengths.tolist() == [6, 0, 2]


def test_integers_of_64_bits_in_unequal_lists() -> None:
    header = b"ply\nformat binary_little_endian 1.0\nelement a 2\nproperty list uchar int64 b\nend_header\n"
    content = struct.pack("<Bq", 1, -(2**40)) + struct.pack("<B2q", 2, 5, 6)
    assert parse_ply(header + content).elements["a"].lists["b"].values.tolist() == [-(2**40), 5, 6]


def test_comments_may_be_in_latin_1() -> None:
    header = HEADER.format(format="ascii").replace("my paint", "Würfel").encode("latin-1")
    assert parse_ply(header + written()).textures == ["Würfel.png"]
    assert decode("Würfel".encode()) == decode("Würfel".encode("latin-1")) == "Würfel"


@pytest.mark.parametrize("name", FILES)
def test_every_shorter_file_is_refused(name: str) -> None:
    header, content = HEADER.format(format=name).encode(), FILES[name]
    for length in range(len(content)):
        if content[length:].strip(b"0. "):  # text may end within a number
            with pytest.raises(ValueError, match=r"it ends|too short"):
                parse_ply(header + content[:length])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("ply\n", "poly\n", "no PLY header"),
        ("end_header", "header", "no PLY header"),
        ("binary_little_endian", "binary", "its format is none of ascii"),
        ("property short", "property vec3", "not understood: vec3 tag"),
        ("element face 3", "element face 2", "bytes follow"),
        ("element face 3", "element face 999999999999", "it ends within"),
    ],
)
def test_what_is_broken_is_said(old: str, new: str, words: str) -> None:
    header = HEADER.format(format="binary_little_endian").replace(old, new).encode()
    with pytest.raises(ValueError, match=words):
        parse_ply(header + packed("<"))


def test_an_element_of_equal_lists_is_the_same_as_one_by_one() -> None:
    header = b"ply\nformat binary_big_endian 1.0\nelement a 500\nproperty list uchar int b\nend_header\n"
    rows = np.random.default_rng(0).integers(-9, 9, (500, 4))
    content = b"".join(struct.pack(">B4i", 4, *row) for row in rows.tolist())
    found = parse_ply(header + content).elements["a"].lists["b"]
    assert found.values.reshape(500, 4).tolist() == rows.tolist()
    assert set(found.lengths.tolist()) == {4}
