"""The poses of a list of frames: JSON lines, written whole frames at a time; a second start goes on."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from epropnp.claims import claimed
from epropnp.errors import UserError
from epropnp.evaluation.bop_results import BopRow
from epropnp.files import replaced

POSES, ABOUT = "poses.jsonl", "predict.json"
_BUSY = "another process predicts into this folder; wait, or choose another --output"


class PoseLines:
    """An open file of poses.

    Attributes:
        done: the last line of the list whose poses are in the file; 0 at the start.
        failed: how many lines of the list have been written as damaged.
    """

    def __init__(self, file: Path, stream: IO[str], done: int, failed: int) -> None:
        self.file, self.done, self.failed, self._stream = file, done, failed, stream

    def write(self, line: int, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add the poses of one line of the list, a row for each box. UserError where that fails."""
        texts = [
            json.dumps({"line": line, "box": number, "of": len(rows), **row}, allow_nan=False)
            for number, row in enumerate(rows, 1)
        ]
        try:
            self._stream.write("".join(f"{text}\n" for text in texts))
            self._stream.flush()
        except OSError as error:
            raise UserError(
                f"{self.file} cannot be written: {error.strerror}; free some space, start again: it goes on"
            ) from None
        self.done = line
        self.failed += any("error" in row for row in rows)


@contextmanager
def opened(folder: Path, about: Mapping[str, Any], fresh: bool = False) -> Iterator[PoseLines]:
    """The file of poses in a folder, which is made, for one process at a time.

    What is there already stays, but for a frame that a kill has cut short.

    Args:
        folder: of the file.
        about: what the poses depend on: network, list, settings.
        fresh: begin anew, in place of poses that depend on the same.

    Raises:
        UserError: the folder holds poses of something else, or is another process's, or cannot be written.
    """
    with claimed(folder, _BUSY):
        file = folder / POSES
        _check(folder / ABOUT, about, file)
        if fresh:
            file.unlink(missing_ok=True)
        end, done, failed = _whole_frames(file)
        try:
            with file.open("a", encoding="utf-8") as stream:
                stream.truncate(end)
                yield PoseLines(file, stream, done, failed)
        except OSError as error:
            raise UserError(f"{file} cannot be written: {error.strerror}") from None


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """The rows of a whole file of poses, one after the other."""
    with file.open(encoding="utf-8") as stream:
        for text in stream:
            yield json.loads(text)


def bop_rows(file: Path) -> Iterator[BopRow]:
    """The valid poses of a file as rows of the BOP challenge.

    Raises:
        UserError: a frame has no scene and image id.
    """
    for row in read_rows(file):
        if not row.get("valid"):
            continue
        if row.get("scene_id") is None or row.get("image_id") is None:
            raise UserError(
                f"{file}: line {row['line']} has no scene_id and image_id, which BOP's files need"
            )
        score = -row["cost"] - (row["log_evidence"] or 0.0)
        yield BopRow(row["scene_id"], row["image_id"], row["object_id"], score, row["T_cam_obj"])


def _check(file: Path, about: Mapping[str, Any], poses: Path) -> None:
    """Notes what the poses depend on, or compares it with what is noted."""
    if not file.is_file():
        with replaced(file) as unfinished:
            unfinished.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        poses.unlink(missing_ok=True)  # of nothing that is known
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} cannot be read ({error}): delete the folder, or choose another one"
        ) from None
    other = [name for name in about if found.get(name) != about[name]]
    if other:
        raise UserError(
            f"{file.parent} has poses with another {', '.join(other)}: choose another --output, or delete it"
        )


def _whole_frames(file: Path) -> tuple[int, int, int]:
    """Where the last whole frame of a file ends, its line in the list, and how many lines are damaged."""
    end = position = done = failed = 0
    if not file.is_file():
        return end, done, failed
    with file.open("rb") as stream:
        for text in stream:
            position += len(text)
            try:
                row = json.loads(text)
            except ValueError:
                break
            if not text.endswith(b"\n"):
                break
            if row["box"] == row["of"]:
                end, done = position, row["line"]
                failed += "error" in row
    return end, done, failed
