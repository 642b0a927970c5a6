"""The pictures of a BOP data set as a list for `epropnp.predict`: annotated boxes, or those of a detector."""

import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from epropnp.data.pictures import picture_traits
from epropnp.errors import UserError, nearest
from epropnp.files import whole_file
from pipelines.objects import LINEMOD
from pipelines.readers.bop_files import VISIBLE_MIN, Scene
from pipelines.readers.bop_folders import find_folders, scene_folders
from pipelines.readers.bop_models import ModelsInfo, is_bop
from pipelines.readers.detections import Detections

CAMERAS = "scene_camera.json"


def write_frame_list(
    path: Path,
    output: Path,
    *,
    boxes: str = "visible",
    detections: Path | None = None,
    objects: Collection[str] = (),
) -> dict[str, int]:
    """Write the list of all pictures that show one of the objects; returns what there is to say, counted.

    Args:
        path: a data set, a folder of scenes, or a scene.
        output: JSON lines as `epropnp.prediction.frames` reads them.
        boxes: `visible` or `whole`, of the annotated ones.
        detections: a detector's boxes, which are taken in place of those.
        objects: names or ids; all if empty.

    Raises:
        UserError: there is no scene, an object is not known, a file is damaged or says no boxes, or the list
            cannot be written.
    """
    scenes, notes = find_scenes(path), Counter[str]()
    wanted = _ids(objects, path)
    found = None if detections is None else Detections(detections)
    folder = Path(os.path.abspath(output)).parent
    try:
        with whole_file(output) as unfinished, unfinished.open("w", encoding="utf-8") as stream:
            for scene in (Scene(each, annotated=found is None) for each in scenes):
                bits = _bits(scene)
                for line in _lines(scene, boxes, found, wanted, notes):
                    line["image"] = os.path.relpath(line["image"], folder)
                    stream.write(json.dumps(line | bits) + "\n")
                    notes["pictures"] += 1
    except OSError as error:
        raise UserError(f"cannot write {output}: {error.strerror}") from None
    return dict(notes)


def find_scenes(path: Path) -> list[Path]:
    """The scene that `path` is, the scenes in it, or the test scenes of the data set that it is."""
    if (path / CAMERAS).is_file():
        return [path]
    if not path.is_dir():
        raise UserError(f"{path} is no folder")
    scenes = [scene for scene in scene_folders([path]) if (scene / CAMERAS).is_file()]
    if not scenes:
        folders = find_folders(path, ()).of_one_sensor(path, (), Counter()).by_split["test"]
        scenes = [scene for scene in scene_folders(folders) if (scene / CAMERAS).is_file()]
    if not scenes:
        raise UserError(f"{path} has no scene with a {CAMERAS}: give a data set, its folder test, or a scene")
    return scenes


def _lines(
    scene: Scene, boxes: str, detections: Detections | None, wanted: set[int] | None, notes: Counter[str]
) -> Iterator[dict[str, Any]]:
    scene_id = int(scene.folder.name)
    for image_id in scene.image_ids():
        if (picture := scene.picture(image_id)) is None:
            notes["images without a picture"] += 1
            continue
        found: Iterable[tuple[int, Sequence[float]]] = (
            _annotated(scene, image_id, boxes, notes)
            if detections is None
            else detections.all(scene_id, image_id)
        )
        places = [(key, box) for key, box in found if wanted is None or key in wanted]
        if not places:
            notes["pictures without a box"] += 1
            continue
        notes["boxes"] += len(places)
        line = {
            "image": picture.absolute(),
            "K": scene.camera(image_id).ravel().tolist(),
            "box": [list(box) for _, box in places],
            "object": [key for key, _ in places],
            "scene_id": scene_id,
            "image_id": image_id,
        }
        yield line if detections is not None else line | {"boxes": boxes}


def _annotated(
    scene: Scene, image_id: int, kind: str, notes: Counter[str]
) -> Iterator[tuple[int, tuple[float, ...]]]:
    for instance in scene.instances(image_id):
        box = scene.box(image_id, instance.number, kind)
        share = 1.0 if instance.visible_share is None else instance.visible_share
        if box is None or share < VISIBLE_MIN:
            notes[f"objects of which less than {VISIBLE_MIN:.0%} are seen"] += 1
            continue
        yield instance.object_id, tuple(box.tolist())


def _ids(objects: Collection[str], path: Path) -> set[int] | None:
    """Ids by name or number; names are LineMOD's, or those of the data set."""
    if not objects:
        return None
    root = next((each for each in (path, *path.absolute().parents) if is_bop(each)), None)
    known = {info.name: info.object_id for info in LINEMOD.values()}
    if root is not None:
        known |= {name: info.object_id for name, info in ModelsInfo(root).objects().items()}
    for name in objects:
        if not name.isdecimal() and name not in known:
            raise UserError(f"unknown object '{name}'{nearest(name, known)}; give its number")
    return {int(name) if name.isdecimal() else known[name] for name in objects}


def _bits(scene: Scene) -> dict[str, int]:
    """Of a scene's pictures of 16 bits, how many count; they are as bright as its brightest says."""
    pictures = [file for image_id in scene.image_ids() if (file := scene.picture(image_id)) is not None]
    bits = picture_traits(pictures).bits
    return {} if bits is None else {"bits": bits}
