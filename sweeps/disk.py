"""Whether the checkpoints of a sweep will find room, told before anything is trained."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from epropnp.errors import UserError
from sweeps.forecast import Forecast, peak_bytes


def room_told(rows: Sequence[Forecast], at_once: int, folder: Path) -> str | None:
    """What is to be feared with so many trials at once, in a line; None: nothing.

    Args:
        rows: of all trials.
        at_once: how many of them.
        folder: of the sweep, which may not be there yet.

    Raises:
        UserError: they do not even fit when one trial runs at a time.
    """
    where = next(each for each in (folder, *folder.parents) if each.is_dir())
    free = shutil.disk_usage(where).free
    least, most = peak_bytes(rows, 1), peak_bytes(rows, at_once)
    if least > free:
        raise UserError(
            f"--out: checkpoints need {size_text(least)}, even with one trial at a time, and {where} has "
            f"{size_text(free)} free: free some space, choose another --out, or keep less (--keep none)"
        )
    if most <= free:
        return None
    return (
        f"checkpoints need {size_text(most)} with {at_once} trials at once, and {where} has "
        f"{size_text(free)} free: free some space, keep less (--keep none), or run fewer (--trials-at-once)"
    )


def size_text(size: float) -> str:
    """Bytes for readers."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
