"""What could not be sent yet, on disk: a file of lines that a kill or a full disk cannot spoil.

Each event is a line. A line `{"sent": END}` says that all before byte END is sent, so that nothing has to be
rewritten: the file goes when nothing is left in it.
"""

import contextlib
import errno
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.tracking.events import is_event

LARGE_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Leftover:
    """What an earlier process left.

    Attributes:
        lines: events that are not known to be sent, each with the byte where it ends.
        garbled: how many others there are, of which nothing can be made.
    """

    lines: Sequence[tuple[str, int]]
    garbled: int


class Spool:
    """A file of lines, of which one process is the only writer."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None
        self._end = 0  # bytes

    @property
    def is_large(self) -> bool:
        """Whether it is worth while to begin anew."""
        return self._end >= LARGE_BYTES

    def left(self) -> Leftover:
        """What an earlier process left; OSError where it cannot be read."""
        if not self.path.exists():
            return Leftover(lines=(), garbled=0)
        sent, lines, garbled = 0, [], []
        for text, end in _lines(self.path.read_bytes()):
            value = _parsed(text)
            if isinstance(value, dict) and isinstance(value.get("sent"), int):
                sent = value["sent"]
            elif is_event(value):
                lines.append((text, end))
            else:
                garbled.append(end)
        return Leftover(
            lines=[(text, end) for text, end in lines if end > sent],
            garbled=sum(end > sent for end in garbled),
        )

    def append(self, line: str) -> int:
        """Write a line; the byte where it ends. OSError where that fails, of which no part is left."""
        file = self._opened()
        content = line.encode() + b"\n"
        try:
            if os.write(file, content) < len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(file, self._end)
            self.close()  # opened again, it looks at how the file ends
            raise
        self._end += len(content)
        return self._end

    def sent(self, end: int) -> None:
        """Note that all up to a byte is sent; where that fails, it is sent again after a kill."""
        with contextlib.suppress(OSError):
            self.append(json.dumps({"sent": end}))

    def clear(self) -> None:
        """Remove it: all is sent."""
        self.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
            self._end = os.fstat(self._file).st_size
            if self._end and os.pread(self._file, 1, self._end - 1) != b"\n":  # a kill left half a line
                self._end += os.write(self._file, b"\n")
        return self._file


def _lines(content: bytes) -> Iterator[tuple[str, int]]:
    end = 0
    for line in content.split(b"\n"):
        end += len(line) + 1
        if line:
            yield line.decode("utf-8", "replace"), end


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
