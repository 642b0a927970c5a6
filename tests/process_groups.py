"""The processes of a group, as the system lists them."""

import time
from pathlib import Path


def members(group: int) -> list[str]:
    """Command lines of the processes of a group that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            state, _, of_group, *_ = (folder / "stat").read_text().rpartition(")")[2].split()
            words = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has ended meanwhile
            continue
        if int(of_group) == group and state != "Z":
            found.append(words)
    return found


def left_after(group: int, seconds: float) -> list[str]:
    """Those that are left when a time has passed, or none as soon as there is none."""
    end = time.monotonic() + seconds
    while (found := members(group)) and time.monotonic() < end:
        time.sleep(0.05)
    return found
