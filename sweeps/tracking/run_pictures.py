"""Frames of a trial's epochs as pictures of its run, which the MLflow UI shows with a slider over epochs."""

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


def log_frame(client: Any, run_id: str, file: Path) -> None:
    """Give a run the picture of an epoch, unless it has one: a process may have been killed after it.

    Raises:
        MlflowException, OSError: it cannot be stored.
    """
    from PIL import Image

    epoch = int(file.stem)
    stored = (each.path for each in client.list_artifacts(run_id, PLACE))
    if not any(path.startswith(f"{PLACE}/{KEY}+step+{epoch}+") for path in stored):
        with Image.open(file) as image:
            client.log_image(run_id, image.convert("RGB"), key=KEY, step=epoch, synchronous=True)
