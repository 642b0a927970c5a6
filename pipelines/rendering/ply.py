"""The PLY format (Turk 1994), ASCII and binary: elements of numbers and of lists, whatever their lengths.

What the elements mean, `ply_mesh` says.
"""

import re
import struct
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORDS = ("char", "uchar", "short", "ushort", "int", "uint", "float", "double")
_TYPES = dict(zip(_WORDS, ("i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"), strict=True))
_TYPES |= {"float16": "f2", "float32": "f4", "float64": "f8"}
_TYPES |= {f"{kind}int{8 * size}": f"{kind or 'i'}{size}" for kind in ("", "u") for size in (1, 2, 4, 8)}
_ORDERS = {"ascii": "=", "binary_little_endian": "<", "binary_big_endian": ">"}
_CODES = {"l": "q", "L": "Q"}  # where NumPy's letter and that of `struct` differ
_END = re.compile(rb"[\r\n]end_header[ \t]*(?:\r\n|\n|\r|$)")
_TEXTURE = "texturefile"


@dataclass(frozen=True)
class Lists:
    """A list in every row of an element."""

    values: NDArray[Any]  # (n,) of all rows, one after the other
    lengths: NDArray[np.int64]  # (rows,)


@dataclass
class Element:
    """Rows of one kind, such as vertices or faces; names are in lower case."""

    rows: int
    columns: dict[str, NDArray[Any]] = field(default_factory=dict)  # (rows,) each
    lists: dict[str, Lists] = field(default_factory=dict)


@dataclass(frozen=True)
class PlyFile:
    """The elements of a file by name, and the names of textures in its comments."""

    elements: dict[str, Element]
    textures: list[str]


@dataclass(frozen=True)
class _Property:
    name: str
    dtype: np.dtype[Any]
    count: np.dtype[Any] | None  # of the number before a list


@dataclass(frozen=True)
class _Header:
    order: str  # of bytes; "=" for text
    elements: dict[str, tuple[int, list[_Property]]]  # rows and properties
    textures: list[str]
    size: int  # bytes


def decode(content: bytes) -> str:
    """Text in UTF-8, or else in Latin-1, which old exporters write."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def ply_textures(content: bytes) -> list[str]:
    """The names of textures in a file's comments. ValueError where its header is broken."""
    return _header(content).textures


def parse_ply(content: bytes) -> PlyFile:
    """All elements of a file. ValueError, which says why, where it is broken."""
    header = _header(content)
    if header.order == "=":
        elements = _text_elements(content[header.size :].decode("latin-1"), header)
    else:
        elements = _binary_elements(content, header)
    return PlyFile(elements, header.textures)


def _header(content: bytes) -> _Header:
    end = _END.search(content)
    if not content.startswith(b"ply") or end is None:
        raise ValueError("it has no PLY header")
    order, textures = None, []
    elements: dict[str, tuple[int, list[_Property]]] = {}
    for line in decode(content[: end.start()]).splitlines()[1:]:
        words = line.split()
        match words[0].lower() if words else "":
            case "format":
                order = _ORDERS.get(words[1])
            case "element":
                elements[words[1].lower()] = (int(words[2]), [])
            case "property" if elements:
                list(elements.values())[-1][1].append(_property(words[1:], order or "="))
            case "comment" if len(words) > 2 and words[1].lower() == _TEXTURE:
                textures.append(line.split(maxsplit=2)[2].strip())
    if order is None:
        raise ValueError(f"its format is none of {', '.join(_ORDERS)}")
    return _Header(order, elements, textures, end.end())


def _property(words: list[str], order: str) -> _Property:
    *types, name = words[1:] if words[0] == "list" else words
    if len(types) != 1 + (words[0] == "list") or not all(word in _TYPES for word in types):
        raise ValueError(f"its header has a property that is not understood: {' '.join(words)}")
    *count, dtype = (np.dtype(order + _TYPES[word]) for word in types)
    return _Property(name.lower(), dtype, count[0] if count else None)


def _element(rows: int, properties: list[_Property], columns: list[Any], lengths: list[Any]) -> Element:
    """Of every property's values, and of a list's lengths besides."""
    element = Element(rows)
    for one, values, counts in zip(properties, columns, lengths, strict=True):
        native = np.asarray(values).astype(one.dtype.newbyteorder("="))
        if one.count is None:
            element.columns[one.name] = native
        else:
            element.lists[one.name] = Lists(native, np.asarray(counts, np.int64))
    return element


def _text_elements(text: str, header: _Header) -> dict[str, Element]:
    """Every row is a line."""
    lines = [line for line in text.replace("\r", "\n").split("\n") if line.strip()]
    elements, start = {}, 0
    for name, (rows, properties) in header.elements.items():
        own = [line.split() for line in lines[start : start + rows]]
        if len(own) < rows:
            raise ValueError(f"it ends after {len(own)} of {rows} rows of {name}")
        elements[name] = _text_element(name, own, properties)
        start += rows
    return elements


def _text_element(name: str, rows: list[list[str]], properties: list[_Property]) -> Element:
    columns: list[list[str]] = [[] for _ in properties]
    lengths: list[list[int]] = [[] for _ in properties]
    for row in rows:
        at = 0
        for one, values, counts in zip(properties, columns, lengths, strict=True):
            length = 1
            if one.count is not None:
                length = int(float(row[at])) if at < len(row) else -1
                counts.append(length)
                at += 1
            if not 0 <= length <= len(row) - at:
                raise ValueError(f"a row of {name} is too short: {' '.join(row)[:60]!r}")
            values += row[at : at + length]
            at += length
    numbers = [np.array(values, np.float64) for values in columns]
    return _element(len(rows), properties, numbers, lengths)


def _binary_elements(content: bytes, header: _Header) -> dict[str, Element]:
    elements, start = {}, header.size
    for name, (rows, properties) in header.elements.items():
        try:
            element, size = _equal_rows(content, start, rows, properties) or _unequal_rows(
                content, start, rows, properties, header.order
            )
        except (struct.error, ValueError):
            raise ValueError(f"it ends within the {rows} rows of {name}, or they are damaged") from None
        elements[name], start = element, start + size
    if content[start:].strip():
        raise ValueError(f"{len(content) - start} bytes follow those that its header describes")
    return elements


def _equal_rows(
    content: bytes, start: int, rows: int, properties: list[_Property]
) -> tuple[Element, int] | None:
    """The element and its bytes, where each list is as long in every row as in the first."""
    if not properties:
        return Element(rows), 0
    fields: list[Any] = []
    for i, one in enumerate(properties):
        if one.count is not None:
            place = start + np.dtype(fields).itemsize
            length = int(np.frombuffer(content, one.count, 1, place)[0]) if rows else 0
            fields += [(f"n{i}", one.count), (f"v{i}", one.dtype, (max(length, 0),))]
        else:
            fields.append((f"v{i}", one.dtype))
    table = np.dtype(fields)
    if start + rows * table.itemsize > len(content):
        return None
    found = np.frombuffer(content, table, rows, start)
    lengths: list[Any] = [found[f"n{i}"] if one.count is not None else [] for i, one in enumerate(properties)]
    if any(len(counts) and (counts != found[f"v{i}"].shape[1]).any() for i, counts in enumerate(lengths)):
        return None
    values = [found[f"v{i}"].reshape(-1) for i in range(len(properties))]
    return _element(rows, properties, values, lengths), rows * table.itemsize


def _unequal_rows(
    content: bytes, start: int, rows: int, properties: list[_Property], order: str
) -> tuple[Element, int]:
    """The element and its bytes, row by row."""
    columns: list[list[Any]] = [[] for _ in properties]
    lengths: list[list[int]] = [[] for _ in properties]
    at = start
    for _ in range(rows):
        for one, values, counts in zip(properties, columns, lengths, strict=True):
            length = 1
            if one.count is not None:
                (length,) = struct.unpack_from(order + _code(one.count), content, at)
                counts.append(length)
                at += one.count.itemsize
            values += struct.unpack_from(f"{order}{length}{_code(one.dtype)}", content, at)
            at += length * one.dtype.itemsize
    return _element(rows, properties, columns, lengths), at - start


def _code(dtype: np.dtype[Any]) -> str:
    return _CODES.get(dtype.char, dtype.char)
