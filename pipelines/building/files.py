"""Files that appear whole under their names, or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

PARTIAL = "*.partial"  # pattern of what a kill may leave behind


@contextmanager
def whole_file(file: Path) -> Iterator[Path]:
    """Gives a name beside `file` to write to; it becomes `file` when the block ends well."""
    partial = file.with_name(f"{file.name}.{uuid4().hex[:12]}.partial")
    try:
        yield partial
        partial.replace(file)
    finally:
        partial.unlink(missing_ok=True)


def share_file(file: Path, name: Path) -> None:
    """Gives a file one more name on its file system, or copies it where that cannot be."""
    with whole_file(name) as partial:
        try:
            os.link(file, partial)
        except OSError:
            shutil.copyfile(file, partial)
