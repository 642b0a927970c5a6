"""What the folders of a BOP data set hold: photographs or renderings, and of which sensor.

A set names its folders by split and kind: `train_pbr`, `train_real`, `test_primesense`. Those of `val*`
and `test*` hold photographs, of `train*` only `train_real` does, unless a name says that it was rendered,
or the user says what holds photographs. Two sensors have two cameras and look different: of each split, the
folders of one are used.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from epropnp.errors import UserError

_PATTERNS = {"train": "train*", "validation": "val*", "test": "test*"}
FLAG = "--real-frames"
_PHOTOGRAPHS = "train_real"
_RENDERED = {"pbr", "synt", "synth", "synthetic", "render", "rendered", "renders", "blender", "sim"}
_OF_NO_SENSOR = ("", "real")  # what may follow test, val and train
_PREFERRED = (*_OF_NO_SENSOR, "primesense")  # the last is BOP's choice for T-LESS and HomebrewedDB
_SENSORS = {"primesense", "kinect", "canon", "realsense", "photoneo", "aria", "quest3"}


@dataclass(frozen=True)
class Folders:
    """The folders of every split, and which of them hold photographs."""

    by_split: dict[str, tuple[Path, ...]]
    photographs: frozenset[str]  # names

    def is_synthetic(self, folder: str, listed: bool = False) -> bool:
        """Whether a folder's pictures were rendered; those that split lists name, only where it says so."""
        return folder not in self.photographs and (not listed or _says_rendered(folder))

    def _sensors(self, splits: Collection[str]) -> set[str]:
        """What the names of folders of photographs say of their sensors."""
        folders = (folder.name for split in splits for folder in self.by_split[split])
        return {_kind(name) for name in folders if name in self.photographs} - set(_OF_NO_SENSOR)

    def of_one_sensor(self, root: Path, real_frames: Collection[str], notes: Counter[str]) -> "Folders":
        """The folders to use, which are those named and of one sensor; scenes of others are counted.

        Raises:
            UserError: where several sensors are equally likely.
        """
        known = _SENSORS | self._sensors(("validation", "test"))
        wanted = {_kind(name) for name in real_frames} - set(_OF_NO_SENSOR)
        chosen = dict(self.by_split)
        for split in ("test", "validation"):
            chosen[split] = self._one(root, split, real_frames, wanted)
            wanted = wanted or Folders(chosen, self.photographs)._sensors(("test",))
        training = {_kind(folder.name) for folder in self.by_split["train"]} & known
        if not wanted and len(training) > 1:
            wanted = training.intersection(_PREFERRED)
            if not wanted:
                raise _several(root, self.by_split["train"])
        for split, folders in chosen.items():
            chosen[split] = tuple(
                folder
                for folder in folders
                if folder.name in real_frames or _kind(folder.name) not in known - wanted or not wanted
            )
            for other in set(self.by_split[split]) - set(chosen[split]):
                scenes = len(scene_folders([other]))
                notes[f"scenes of {other.name}/ not used: of another sensor or kind"] += scenes
        return Folders(chosen, self.photographs)

    def _one(
        self, root: Path, split: str, real_frames: Collection[str], wanted: Collection[str]
    ) -> tuple[Path, ...]:
        """Of a split the folders of one sensor; of renderings only where there are no photographs."""
        folders = self.by_split[split]
        named = tuple(folder for folder in folders if folder.name in real_frames)
        candidates = tuple(folder for folder in folders if folder.name in self.photographs) or folders
        if named or len(candidates) < 2:
            return named or candidates
        by_kind = {_kind(folder.name): folder for folder in candidates}
        for kind in (*sorted(wanted), *_PREFERRED):
            if kind in by_kind:
                return (by_kind[kind],)
        raise _several(root, candidates)


def has_pictures(root: Path) -> bool:
    """Whether a data set has any folder of pictures, and is not one of models only."""
    return any(folder.is_dir() for pattern in _PATTERNS.values() for folder in root.glob(pattern))


def find_folders(root: Path, real_frames: Collection[str]) -> Folders:
    """All folders of every split; `real_frames` are names of those with photographs, whatever they say.

    Raises:
        UserError: for a name that is no folder of a split.
    """
    found = {
        split: tuple(folder for folder in sorted(root.glob(pattern)) if folder.is_dir())
        for split, pattern in _PATTERNS.items()
    }
    names = {split: {folder.name for folder in folders} for split, folders in found.items()}
    everything = sorted(set().union(*names.values()))
    for name in real_frames:
        if name not in everything:
            known = ", ".join(everything) or "none"
            raise UserError(f"{FLAG} {name}: {root} has no such folder of pictures (it has {known})")
    real = {name for name in names["validation"] | names["test"] if not _says_rendered(name)}
    if names["train"].isdisjoint(real_frames):
        real |= {_PHOTOGRAPHS} & names["train"]
    return Folders(found, frozenset(real.union(real_frames)))


def scene_folders(folders: Iterable[Path]) -> list[Path]:
    """The scenes in folders, in order."""
    scenes = (scene for folder in folders for scene in sorted(folder.iterdir()))
    return [scene for scene in scenes if scene.is_dir() and scene.name.isdecimal()]


def is_unclear(folder: str) -> bool:
    """Whether a folder of `train*` that is taken for renderings might hold photographs, by its name."""
    return not _says_rendered(folder) and folder != _PHOTOGRAPHS


def _says_rendered(folder: str) -> bool:
    return not _RENDERED.isdisjoint(folder.lower().split("_"))


def _kind(folder: str) -> str:
    """What follows train, val or test in a folder's name."""
    return folder.partition("_")[2]


def _several(root: Path, folders: Iterable[Path]) -> UserError:
    names = ", ".join(folder.name for folder in folders)
    return UserError(
        f"{root} has pictures of several sensors: {names}; say with {FLAG} NAME which of them to use"
    )
