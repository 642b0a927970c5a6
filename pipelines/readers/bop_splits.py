"""Which pictures of a BOP data set train, validate and test an object.

The first of these decides:

1. lists, in a folder given or in the data set's `splits/`: NAME_train.txt and NAME_test.txt with one
   picture a line. `000012` is one of the scene `test/` + object id, or else of the only test scene that
   shows the object; `test/000002/000012` names the scene. Nothing else is used.
2. the official split of LineMOD, for its objects whose whole sequence is in `test/` + object id, as BOP
   ships them. Nothing else is used.
3. folders: `train*/` trains, `val*/` validates, `test*/` tests, each as far as `bop_folders` says; of the
   last only what `test_targets_bop19.json` names, where there is one.

Pictures of lists and of the official split are photographs, unless their folder's name says that it was
rendered.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from epropnp.errors import UserError
from epropnp.json_files import integer, read_json, read_text
from pipelines.objects import LINEMOD, ObjectInfo
from pipelines.readers.bop_files import Scene
from pipelines.readers.bop_folders import FLAG, Folders, find_folders, is_unclear, scene_folders
from pipelines.readers.linemod_split import official_split

_LINE = re.compile(r"(?:(\w+/\d+)/)?(\d+)")
_TARGETS = "test_targets_bop19.json"
_OFFICIAL = "sequence of LineMOD, whole and without lists: split as its studies split it"


class Picture(NamedTuple):
    """One picture of a data set."""

    scene: Scene
    image_id: int
    synthetic: bool  # rendered, not photographed


Pictures = Mapping[str, Iterable[Picture]]  # by split; once, so that no more than a scene need be kept
Lists = Mapping[str, tuple[str, list[str]]]  # by split: where pictures are listed, and the lines


def choose_pictures(
    root: Path, lists: Path | None, real_frames: Collection[str], info: ObjectInfo, notes: Counter[str]
) -> Pictures:
    """The pictures of an object by split; as they are taken, what is left out is counted in `notes`.

    `lists` is a folder of split lists, `real_frames` names folders that hold photographs.

    Raises:
        UserError: for lists that are broken, ambiguous or overlap.
    """
    folders = find_folders(root, real_frames)
    folder = lists or root / "splits"
    files = {split: folder / f"{info.name}_{split}.txt" for split in ("train", "test")}
    if lists is not None or any(file.is_file() for file in files.values()):
        lines = {split: _lines(file, split) for split, file in files.items()}
        return _by_lists(root, lines, folders, info, notes)
    official = _official(folders, info)
    if official:
        notes[_OFFICIAL] += 1
        return _by_lists(root, official, folders, info, notes)
    return _by_folders(root, folders.of_one_sensor(root, real_frames, notes), info, notes)


def _lines(file: Path, split: str) -> tuple[str, list[str]]:
    return str(file), read_text(file, f"the pictures for {split}").split()


def _official(folders: Folders, info: ObjectInfo) -> Lists:
    """The pictures of LineMOD's official split; none where this is not the whole sequence of the object."""
    split = official_split().get(info.name) if LINEMOD.get(info.name) == info else None
    for folder in scene_folders(folders.by_split["test"] if split else ()):
        if int(folder.name) == info.object_id:
            scene = Scene(folder)
            if split and scene.images_of(info.object_id) == list(range(split.frames)):
                frames = {"train": split.train, "test": split.test}
                return {
                    name: (_OFFICIAL, [f"{scene.name}/{i}" for i in numbers])
                    for name, numbers in frames.items()
                }
    return {}


def _showing(scenes: Iterable[Scene], info: ObjectInfo, notes: Counter[str]) -> Iterator[tuple[Scene, int]]:
    for scene in scenes:
        notes["pictures without annotation"] += scene.unannotated()
        notes.update(scene.oddly_named())
        yield from ((scene, image_id) for image_id in scene.images_of(info.object_id))


def _of_folders(
    chosen: Iterable[Path], folders: Folders, info: ObjectInfo, notes: Counter[str]
) -> Iterator[Picture]:
    for folder in chosen:
        synthetic, unclear = folders.is_synthetic(folder.name), is_unclear(folder.name)
        note = f"pictures of {folder.name}/ taken for renderings: {FLAG} {folder.name} says otherwise"
        for scene, image_id in _showing(map(Scene, scene_folders([folder])), info, notes):
            notes[note] += synthetic and unclear
            yield Picture(scene, image_id, synthetic)


def _by_folders(root: Path, folders: Folders, info: ObjectInfo, notes: Counter[str]) -> Pictures:
    pictures = {
        split: _of_folders(chosen, folders, info, notes) for split, chosen in folders.by_split.items()
    }
    if (root / _TARGETS).is_file():
        pictures["test"] = _targeted(pictures["test"], _targets(root / _TARGETS, info), notes)
    return pictures


def _targeted(
    shown: Iterable[Picture], targets: set[tuple[int, int]], notes: Counter[str]
) -> Iterator[Picture]:
    unseen = set(targets)
    for picture in shown:
        place = (int(picture.scene.folder.name), picture.image_id)
        unseen.discard(place)
        if place in targets:
            yield picture
        else:
            notes[f"test pictures that {_TARGETS} does not name"] += 1
    notes[f"pictures named by {_TARGETS} without annotation"] += len(unseen)


def _targets(file: Path, info: ObjectInfo) -> set[tuple[int, int]]:
    """Scene and image ids that BOP tests the object in."""
    table = read_json(file)
    if not isinstance(table, list):
        raise UserError(f"{file} is not a list of targets")
    names = ("obj_id", "scene_id", "im_id")
    rows = [[integer(row, name, file, f"entry {i}") for name in names] for i, row in enumerate(table)]
    return {(scene, image) for object_id, scene, image in rows if object_id == info.object_id}


def _by_lists(root: Path, lists: Lists, folders: Folders, info: ObjectInfo, notes: Counter[str]) -> Pictures:
    tested = [Scene(folder) for folder in scene_folders(folders.by_split["test"])]
    scenes = {scene.name: scene for scene in tested}
    defaults = _default_scenes(tested, info)
    pictures: dict[str, list[Picture]] = {}
    used: set[tuple[str, int]] = set()
    for split, (file, lines) in lists.items():
        pictures[split] = []
        for line in lines:
            match = _LINE.fullmatch(line)
            if not match or (not match[1] and len(defaults) > 1):
                raise UserError(f"{file}: {line!r} is no picture of {info.name}: write FOLDER/SCENE/IMAGE")
            if not match[1] and not defaults:
                raise UserError(f"{root} has no pictures of {info.name} in test*/, but {file} lists some")
            place = match[1] or defaults[0]
            if place not in scenes:
                scenes[place] = Scene(root / place)
            picture = (place, int(match[2]))
            if picture in used:
                raise UserError(f"{file}: image {picture[1]} of {place} is listed for {info.name} already")
            used.add(picture)
            synthetic = folders.is_synthetic(place.partition("/")[0], listed=True)
            pictures[split].append(Picture(scenes[place], picture[1], synthetic))
    shown = {(scene.name, i) for scene, i in _showing(scenes.values(), info, notes)}
    notes["pictures in no split list"] += len(shown - used)
    others = scene_folders((*folders.by_split["train"], *folders.by_split["validation"]))
    unused = {f"{folder.parent.name}/{folder.name}" for folder in others} - set(scenes)
    notes["scenes of folders train* and val*, because there are split lists"] += len(unused)
    return pictures


def _default_scenes(scenes: list[Scene], info: ObjectInfo) -> list[str]:
    """The scenes that pictures listed without one may lie in: it should be one."""
    own = [scene.name for scene in scenes if int(scene.folder.name) == info.object_id]
    return own or [scene.name for scene in scenes if scene.images_of(info.object_id)]
