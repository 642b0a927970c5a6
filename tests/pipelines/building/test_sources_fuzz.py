"""510 damaged data folders: each is refused in one line, or read correctly, with all left out counted."""

import json
import os
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from epropnp.data.schema import ObjectModel, Record, dequantise
from epropnp.errors import UserError
from pipelines.building.config import BuildConfig
from pipelines.building.sources import open_source
from pipelines.building.views import plan_views
from pipelines.objects import resolve_objects
from pipelines.readers.frames import Frame, frame_record
from pipelines.readers.geometry_check import check_geometry
from pipelines.rendering.camera_views import project
from pipelines.rendering.renderer import Renderer
from tests.pipelines.folders import CDPN_OBJECTS, Files, bop_files, cdpn_files, odd_files, write_files

BOP_NAMES = ("obj_000001", "obj_000007")
GIVEN_MAP_PX = 4.0  # a map that comes with the data is trusted within some pixels
VALUES = [None, True, "x", -1, 0, 7, 1e9, 1e400, float("nan"), [], {}, [1, 2], {"a": 1}, 0.5]
WORDS = ["", "x", "nan", "-1", "0", "1e9", "7", "1 2"]
LEFT_OUT = ("not on disk", "hidden", "without annotation")

HULL = np.random.default_rng(0).uniform(-0.01, 0.01, (8, 3))

Read = tuple[dict[str, tuple[Frame, Record, ObjectModel]], int]  # by sample id; number of those left out
Mutation = tuple[str, int, int, int]  # kind and three numbers that choose what of


def read_all(root: Path, names: Sequence[str]) -> Read:
    """Everything a build would read, as it would, proving its geometry and planning its renderings."""
    source = open_source(root, seed=0, renderings=10)
    config = BuildConfig(objects=tuple(names), source=root)
    found, left_out = {}, 0
    for info in resolve_objects(names, source.objects()):
        frames = source.real_frames([info])[info.name]
        left_out += sum(n for reason, n in frames.notes.items() if reason.endswith(LEFT_OUT))
        model, renderer = source.model(info), Renderer(source.mesh(info))
        given_frames = [one for split in frames.by_split.values() for one in split]
        for finding in check_geometry(model, source.mesh(info), given_frames):
            assert "\n" not in finding.line
        T_cam_obj, _ = plan_views(config, info, source, frames).views.sample(np.random.default_rng(0), HULL)
        assert np.isfinite(T_cam_obj).all()
        for frame in given_frames:
            assert frame.sample_id not in found
            found[frame.sample_id] = (frame, frame_record(frame, renderer, model), model)
    return found, left_out


@cache
def whole(files: Callable[[], Files], names: tuple[str, ...]) -> tuple[TemporaryDirectory[str], Read]:
    """A folder that is as it should be, and what is read from it."""
    folder = TemporaryDirectory()
    return folder, read_all(write_files(files(), Path(folder.name)), names)


@contextmanager
def damage(root: Path, before: Files, after: Files) -> Iterator[None]:
    """The folder is damaged while the block runs."""
    rewrite(root, before, after)
    try:
        yield
    finally:
        rewrite(root, after, before)


def rewrite(root: Path, old: Files, new: Files) -> None:
    for name in set(old) - set(new):
        (root / name).unlink()
    write_files({name: content for name, content in new.items() if old.get(name) != content}, root)


def mutate(files: Files, mutation: Mutation) -> str:
    """Damages one file, whose name is returned."""
    kind, which, how, more = mutation
    name = sorted(files)[which % len(files)]
    content = files[name]
    if kind == "delete":
        del files[name]
    elif kind == "truncate":
        files[name] = content[: len(content) * (how % 16) // 16]
    elif kind == "flip" and content:
        place = how % len(content)
        files[name] = content[:place] + bytes([content[place] ^ (1 + more % 255)]) + content[place + 1 :]
    elif kind == "swap":
        other = sorted(files)[how % len(files)]
        files[name] = files[other]
    elif kind == "extra":
        name = str(Path(name).with_name(["notes.txt", "000999.png", "x-color.png", "7"][how % 4]))
        files[name] = content
    elif kind == "values":
        files[name] = change_values(name, content, how, more)
    return name


def change_values(name: str, content: bytes, how: int, more: int) -> bytes:
    """Changes what a whole file says; files that are broken already stay as they are."""
    try:
        if name.endswith(".json"):
            return json.dumps(change_tree(json.loads(content), how, VALUES[more % len(VALUES)])).encode()
        if name.endswith(".txt"):
            words = content.decode().split()
            words[how % len(words)] = WORDS[more % len(WORDS)]
            return " ".join(words).encode()
        if name.endswith(".pkl"):
            return pickle.dumps(change_map(pickle.loads(content), how, VALUES[more % len(VALUES)]))
        if name.endswith(".png"):
            return change_picture(content, how)
    except Exception:
        return content
    return content[: len(content) // 2] + content[len(content) // 2 + 1 + how % 40 :]  # a mesh


def change_tree(tree: Any, how: int, value: Any) -> Any:
    """Replaces or deletes one node of a JSON tree."""
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        for key in list(node) if isinstance(node, dict) else range(len(node)):
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(tree)
    node, key = places[how % len(places)]
    if how // len(places) % 3 == 0:
        del node[key]
    else:
        node[key] = value
    return tree


def change_map(table: Any, how: int, value: Any) -> Any:
    coords = table["coor"]
    changes = [coords.transpose(1, 0, 2), coords[::2], coords * 1000, coords * np.nan, coords[..., 0], coords]
    key = sorted(table)[how % len(table)]
    return table | ({"coor": changes[how % len(changes)]} if key == "coor" else {key: value})


def change_picture(content: bytes, how: int) -> bytes:
    array: Any = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    changes = [array.swapaxes(0, 1), array[::2, ::2], array[..., None], array * 0, 255 - array, array[:1, :1]]
    return bytes(cv2.imencode(".png", np.ascontiguousarray(changes[how % len(changes)]))[1])


def check_record(frame: Frame, record: Record, model: ObjectModel) -> None:
    """What holds of every record, whatever it was read from."""
    rows, columns = np.nonzero(record.mask)
    assert len(rows), "nothing of the object is left"
    points = dequantise(record.coords[rows, columns], model).astype(np.float64)
    pixels = np.stack([columns, rows], axis=1) + record.map_origin
    error = np.abs(project(points, record.T_cam_obj, record.K) - pixels)
    assert np.median(error) < (0.05 if frame.coords_file is None else GIVEN_MAP_PX)
    x, y, width, height = record.box
    assert 0 <= x < x + width <= record.image_size[0]
    assert 0 <= y < y + height <= record.image_size[1]
    assert np.isfinite(record.T_cam_obj).all()


def check(files: Callable[[], Files], names: tuple[str, ...], mutations: list[Mutation]) -> bool:
    """Reads the damaged folder; whether it was refused."""
    folder, (expected, _) = whole(files, names)
    root, damaged, message = Path(folder.name), dict(files()), ""
    touched = {mutate(damaged, mutation) for mutation in mutations}
    with damage(root, files(), damaged):
        try:
            found, left_out = read_all(root, names)
        except UserError as error:
            message = str(error)
        if message:
            assert "\n" not in message
            return True
        if not any(name.endswith(("scene_gt.json", "scene_gt_info.json")) for name in touched):
            # Otherwise annotations may say that another object is seen, or none.
            assert pictures(found) + left_out >= pictures(expected), "dropped without a word"
        for name, (frame, record, model) in found.items():
            check_record(frame, record, model)
            if name in expected and not any(matters(file, frame, root) for file in touched):
                for field in ("K", "T_cam_obj", "rgb", "mask", "coords", "box"):
                    np.testing.assert_array_equal(getattr(record, field), getattr(expected[name][1], field))
    return False


def pictures(found: dict[str, tuple[Frame, Record, ObjectModel]]) -> int:
    """How many pictures show how many objects."""
    return len(
        {(record.object_id, frame.image_file.name, name[:-7]) for name, (frame, record, _) in found.items()}
    )


def matters(file: str, frame: Frame, root: Path) -> bool:
    """Whether a frame may depend on a file."""
    picture = frame.image_file.relative_to(root)
    stem = picture.stem.removesuffix("-color")
    scene = picture.parent.as_posix().removesuffix("/rgb")
    place, _, name = file.rpartition("/")
    return file.startswith("models/") or (place.startswith(scene) and name.startswith((stem, "scene_")))


KINDS = ["delete", "truncate", "flip", "swap", "extra", "values", "values", "values"]
NUMBER = st.integers(0, 1 << 20)
MUTATIONS = st.lists(st.tuples(st.sampled_from(KINDS), NUMBER, NUMBER, NUMBER), min_size=1, max_size=2)
FUZZ = settings(
    max_examples=int(os.environ.get("FUZZ", "60")),
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


def everything() -> Files:
    return bop_files(everything=True)


@pytest.mark.slow
@FUZZ
@given(MUTATIONS)
def test_damaged_bop_folders(mutations: list[Mutation]) -> None:
    check(everything, BOP_NAMES, mutations)


@pytest.mark.slow
@FUZZ
@given(MUTATIONS)
def test_damaged_bop_folders_of_odd_files(mutations: list[Mutation]) -> None:
    check(odd_files, BOP_NAMES, mutations)


@pytest.mark.slow
@FUZZ
@given(MUTATIONS)
def test_damaged_cdpn_folders(mutations: list[Mutation]) -> None:
    check(cdpn_files, CDPN_OBJECTS, mutations)


@pytest.mark.slow
@pytest.mark.parametrize(("files", "names"), [(everything, BOP_NAMES), (cdpn_files, CDPN_OBJECTS)])
def test_every_file_may_be_missing_or_empty(files: Callable[[], Files], names: tuple[str, ...]) -> None:
    refused = {}
    for which, name in enumerate(sorted(files())):
        refused[name] = [check(files, names, [(kind, which, 0, 0)]) for kind in ("delete", "truncate")]
    for name, (missing, empty) in refused.items():
        unseen = ("-box.txt", "-box_fasterrcnn.txt")  # an empty one says that the detector found nothing
        not_demanded = ("-label.png", "-coor.pkl", "scene_gt_info.json", "camera.json", *unseen)
        optional = name.endswith(not_demanded) and not name.endswith("scene_camera.json")
        optional |= "/mask/" in name
        picture = "/rgb/" in name or name.endswith("-color.png")
        assert missing == (not optional and not picture), name
        assert empty == (not name.endswith(unseen)), name
