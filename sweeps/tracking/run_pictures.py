"""Frames of a trial's epochs as pictures of its run, which the MLflow UI shows with a slider over epochs."""

from functools import cached_property
from pathlib import Path
from typing import Any

from epropnp.training.frame_files import FOLDER

KEY = "validation images"
PLACE = "images"  # where MLflow keeps pictures that have a step
MOST = 8  # of a run: each is stored twice, whole and small


def frames_of(folder: Path) -> list[Path]:
    """Those of a trial's folder that are shown: the first, the last, and evenly some between them."""
    frames = sorted((folder / FOLDER).glob("[0-9]*.png"))
    count = min(MOST, len(frames))
    places = [round(i * (len(frames) - 1) / max(count - 1, 1)) for i in range(count)]
    return [frames[place] for place in places]


def is_frame(file: Path) -> bool:
    """Whether a file is a picture of an epoch."""
    return file.parent.name == FOLDER


class RunFrames:
    """Gives a run the pictures of its epochs, each once: a process may have been killed after one.

    Args:
        client: of MLflow.
        run_id: of the run.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self._client, self._run_id = client, run_id

    @cached_property
    def _had(self) -> set[str]:
        """Epochs of which the run has one."""
        paths = (each.path for each in self._client.list_artifacts(self._run_id, PLACE))
        return {path.removeprefix(f"{PLACE}/{KEY}+step+").partition("+")[0] for path in paths}

    def log(self, file: Path) -> None:
        """Store a picture, unless it is there. MlflowException or OSError where it cannot be."""
        from PIL import Image

        epoch = int(file.stem)
        if str(epoch) not in self._had:
            with Image.open(file) as image:
                picture = image.convert("RGB")
            self._client.log_image(self._run_id, picture, key=KEY, step=epoch, synchronous=True)
