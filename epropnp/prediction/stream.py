"""Frames in, poses out, in order: pictures are read while the network works, and few are held at a time."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from epropnp.data.cameras import GivenCamera
from epropnp.data.pictures import is_turned, read_picture
from epropnp.errors import UserError
from epropnp.prediction.frames import Damaged, Frame
from epropnp.prediction.pose_predictor import Picture, PicturePoses, PosePredictor, View

READERS = 2  # threads
AHEAD = 2  # batches of crops that are read before they are needed
DOUBTFUL_OVERLAP = 0.3
TURNED = "its EXIF orientation is not applied: K and box mean pixels as stored"


@dataclass(frozen=True, kw_only=True)
class Solved:
    """What became of a line of a list: poses, or the reason why not, and what there is to say."""

    line: int
    said: dict[str, Any]  # what the picture is known by: image, scene and image id
    poses: PicturePoses | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """As tables of JSON, one for each box."""
        if self.poses is None:
            return [{**self.said, "error": self.error}]
        noted = {"notes": self.notes} if self.notes else {}
        return [{**self.said, **estimate.row(), **noted} for estimate in self.poses]


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """A frame whose picture has been read."""

    frame: Frame
    view: View
    notes: list[str]


def solved(predictor: PosePredictor, frames: Iterable[Frame | Damaged]) -> Iterator[Solved]:
    """Poses of frames, in their order. What is wrong with a frame costs that frame alone."""
    batch = predictor.model.inference.settings.batch_size
    waiting: list[_Seen | Solved] = []
    crops = 0
    for each in _read_ahead(predictor, frames, AHEAD * batch):
        waiting.append(each)
        crops += len(each.view.boxes) if isinstance(each, _Seen) else 0
        if crops >= batch or len(waiting) >= batch:
            yield from _together(predictor, waiting)
            waiting, crops = [], 0
    yield from _together(predictor, waiting)


def seen(predictor: PosePredictor, frame: Frame) -> tuple[View, list[str]]:
    """The picture of a frame with its objects, and what there is to say of it.

    Raises:
        UserError: picture, camera, boxes or objects that do not fit.
    """
    picture = read_picture(frame.image, frame.bits)
    notes = picture_notes(picture, frame.camera, is_turned(frame.image))
    learnt = predictor.model.boxes
    if frame.kind not in (None, learnt):
        notes.append(
            f"its boxes are of the {frame.kind} object, the network has learnt those of the {learnt} part"
        )
    return predictor.view(picture, frame.camera.K, frame.boxes, frame.objects), notes


def picture_notes(picture: Picture, camera: GivenCamera, turned: bool) -> list[str]:
    """What there is to say of a picture. UserError where the camera is that of pictures of another size."""
    return camera.of_picture((picture.shape[1], picture.shape[0])) + [TURNED] * turned


def _read_ahead(
    predictor: PosePredictor, frames: Iterable[Frame | Damaged], most: int
) -> Iterator[_Seen | Solved]:
    queue: deque[Future[_Seen | Solved]] = deque()
    with ThreadPoolExecutor(READERS) as readers:
        try:
            for frame in frames:
                queue.append(readers.submit(_look, predictor, frame))
                if len(queue) >= most:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            readers.shutdown(wait=True, cancel_futures=True)


def _look(predictor: PosePredictor, frame: Frame | Damaged) -> _Seen | Solved:
    if isinstance(frame, Damaged):
        return Solved(line=frame.line, said=frame.said, error=frame.reason)
    try:
        view, notes = seen(predictor, frame)
    except UserError as error:
        return Solved(line=frame.line, said=_said(frame), error=str(error))
    return _Seen(frame=frame, view=view, notes=notes)


def _together(predictor: PosePredictor, waiting: list[_Seen | Solved]) -> Iterator[Solved]:
    found = iter(predictor.solve([each.view for each in waiting if isinstance(each, _Seen)]))
    for each in waiting:
        if isinstance(each, Solved):
            yield each
        else:
            poses = next(found)
            notes = each.notes + doubts(poses)
            yield Solved(line=each.frame.line, said=_said(each.frame), poses=poses, notes=notes)


def doubts(poses: PicturePoses) -> list[str]:
    """What looks wrong with the poses in one picture."""
    found = []
    for number, estimate in enumerate(poses, 1):
        name = f"{estimate.object} in box {number}"
        if not estimate.valid:
            found.append(f"{name}: the correspondences determine no pose")
        elif estimate.overlap < DOUBTFUL_OVERLAP:
            found.append(
                f"{name}: outline and box overlap by {estimate.overlap:.0%}: wrong object, K or box?"
            )
    return found


def _said(frame: Frame) -> dict[str, Any]:
    numbers = {"scene_id": frame.scene_id, "image_id": frame.image_id}
    return {"image": str(frame.image)} | {name: value for name, value in numbers.items() if value is not None}
