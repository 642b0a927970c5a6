"""Which frames train and which validate, so that a picture with several objects is in one split for all.

Photographs are drawn by object, of a set that comes without validation frames. What one object drew holds
for the others in the picture; those with fewer pictures draw first.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from epropnp.data.schema import SPLITS
from epropnp.errors import UserError
from pipelines.objects import ObjectInfo
from pipelines.readers.frames import Frame, RealFrames
from pipelines.rendering.seeds import cut_rng

VALIDATION_SHARE = 0.15  # of the real training frames


def split_whole(
    given: Mapping[ObjectInfo, RealFrames], seed: int, root: Path
) -> dict[ObjectInfo, RealFrames]:
    """The frames of objects by split: no picture is in two.

    What tests an object, or validates it, trains no other. Renderings never validate where there are
    photographs for it. Sets that only test stay without the rest.

    Raises:
        UserError: where an object has but one training picture, so that it cannot train and validate.
    """
    counts: dict[ObjectInfo, Counter[str]] = {info: Counter(frames.notes) for info, frames in given.items()}
    frames = {info: _without_validating_renderings(one, counts[info]) for info, one in given.items()}
    for later, earlier in (("train", "test"), ("validation", "test"), ("train", "validation")):
        taken = _pictures(frame for own in frames.values() for frame in own[earlier])
        for info, own in frames.items():
            kept = tuple(frame for frame in own[later] if frame.image_file not in taken)
            counts[info][f"{later} frames left out: the {earlier} split has their picture"] += len(
                own[later]
            ) - len(kept)
            own[later] = kept
    validating = _validation_cut(frames, seed, root)
    for own in frames.values():
        cut = tuple(frame for frame in own["train"] if _is_in(frame, validating))
        own["train"] = tuple(frame for frame in own["train"] if not _is_in(frame, validating))
        own["validation"] += cut
    return {
        info: RealFrames(by_split=own, notes={reason: n for reason, n in counts[info].items() if n})
        for info, own in frames.items()
    }


def _without_validating_renderings(given: RealFrames, notes: Counter[str]) -> dict[str, tuple[Frame, ...]]:
    """The frames by split, without renderings that validate where photographs could."""
    own = {split: given.by_split.get(split, ()) for split in SPLITS}
    real = tuple(frame for frame in own["validation"] if not frame.synthetic)
    if real or any(not frame.synthetic for frame in own["train"]):
        notes["validation renderings not used: photographs validate"] += len(own["validation"]) - len(real)
        own["validation"] = real
    return own


def _is_in(frame: Frame, pictures: set[Path]) -> bool:
    return not frame.synthetic and frame.image_file in pictures


def _pictures(frames: Iterable[Frame]) -> dict[Path, None]:
    """The pictures of frames, each once, in order."""
    return dict.fromkeys(frame.image_file for frame in frames)


def _validation_cut(
    frames: Mapping[ObjectInfo, Mapping[str, tuple[Frame, ...]]], seed: int, root: Path
) -> set[Path]:
    """The training photographs that validate instead."""
    shown = {
        info: list(_pictures(frame for frame in own["train"] if not frame.synthetic))
        for info, own in frames.items()
    }
    training: set[Path] = set()
    validating: set[Path] = set()
    for info, pictures in shown.items():
        if frames[info]["validation"]:
            training.update(pictures)  # a set that comes with validation frames of its own is not cut
    for info in sorted(shown, key=lambda info: (len(shown[info]), info.object_id)):
        pictures = shown[info]
        if not pictures or frames[info]["validation"]:
            continue
        if len(pictures) < 2:
            raise UserError(
                f"{root}: only 1 training picture of {info.name} is on disk, at least 2 are needed to train "
                "and validate"
            )
        count = max(1, round(VALIDATION_SHARE * len(pictures))) - len(validating.intersection(pictures))
        free = [picture for picture in pictures if picture not in training | validating]
        order = cut_rng(seed, info.object_id).permutation(len(free))
        validating.update(free[i] for i in order[: max(0, count)])
        training.update(set(pictures) - validating)
    return validating
