"""Which weights stay in the folder of a trial that has ended: `--keep`. All else that it holds always stays.

A trial that failed or waits keeps all of them. One that was stopped keeps what it could go on from: the last
ones, and the best, which it would be tested with.
"""

import contextlib
from pathlib import Path
from typing import Literal, get_args

from epropnp.models.config import BEST
from epropnp.training.halt import stop_reason
from sweeps.trial import CHECKPOINT_FILE, RESULT_FILE

Keep = Literal["best", "last", "all", "none"]
KEEPS: tuple[Keep, ...] = get_args(Keep)
USUAL: Keep = "best"
OF_EPOCHS = "epoch-*.pt"
KEPT: dict[Keep, tuple[str, ...]] = {"best": (BEST,), "last": (CHECKPOINT_FILE,), "none": ()}  # when finished


def weights(folder: Path) -> list[Path]:
    """Files of a trial's folder that hold weights."""
    named = [folder / name for name in (CHECKPOINT_FILE, BEST)]
    return [file for file in (*named, *sorted(folder.glob(OF_EPOCHS))) if file.is_file()]


def surplus(folder: Path, keep: Keep) -> list[Path]:
    """Those that a trial need not keep as it stands."""
    if keep == "all":
        return []
    if (folder / RESULT_FILE).is_file():
        kept = KEPT[keep]
    elif stop_reason(folder) is not None:
        kept = (CHECKPOINT_FILE, BEST)
    else:
        return []
    return [file for file in weights(folder) if file.name not in kept]


def remove_surplus(folder: Path, keep: Keep) -> None:
    """Remove them; what cannot be removed stays."""
    for file in surplus(folder, keep):
        with contextlib.suppress(OSError):
            file.unlink()
