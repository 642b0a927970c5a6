"""The most memory that a trial took, measured in its process, as a file of its folder."""

import contextlib
import dataclasses
import json
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from epropnp.errors import UserError
from epropnp.files import replaced

PEAK_FILE = "memory.json"
CLEAR_REFS = Path("/proc/self/clear_refs")
FORGET = "5"  # what the kernel takes for: let the peak be what is in memory now (man 5 proc)


@dataclass(frozen=True, kw_only=True)
class Peak:
    """Memory at its most, over training and test.

    Attributes:
        used_bytes: that torch had allocated on the GPU, or where there is none, that its process had in main
            memory.
        on_device: whether it is the GPU's.
    """

    used_bytes: int
    on_device: bool

    def write(self, folder: Path) -> None:
        """To `memory.json`, unless more was noted before: a trial may have been resumed. UserError."""
        before = Peak.read(folder)
        if before is None or before.on_device != self.on_device or before.used_bytes < self.used_bytes:
            with replaced(folder / PEAK_FILE) as file:
                file.write_text(json.dumps(dataclasses.asdict(self)), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Peak | None":
        """What was written; None where nothing was, as by older versions, or it is damaged."""
        try:
            values = json.loads((folder / PEAK_FILE).read_text(encoding="utf-8"))
            return cls(used_bytes=int(values["used_bytes"]), on_device=bool(values["on_device"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None


@contextlib.contextmanager
def noted(folder: Path) -> Iterator[None]:
    """Note the peak of what is done within, however it ends, in a folder that is there then."""
    known = _begin_anew()
    try:
        yield
    finally:
        if known and folder.is_dir():
            with contextlib.suppress(UserError):  # a full disk: the trial matters more
                _now().write(folder)


def _begin_anew() -> bool:
    """Forget the peak of an earlier trial of this process; whether that can be done."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        CLEAR_REFS.write_text(FORGET)
    except OSError:  # not on Linux
        return False
    return True


def _now() -> Peak:
    import torch

    if torch.cuda.is_available():
        return Peak(used_bytes=torch.cuda.max_memory_allocated(), on_device=True)
    unit = 1 if sys.platform == "darwin" else 1024
    return Peak(used_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, on_device=False)
