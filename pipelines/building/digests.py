"""Hashes of what a dataset is made of."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from epropnp.errors import UserError


def digest(value: Any) -> str:
    """SHA-256 of a JSON value in canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def files_digest(files: Iterable[Path], root: Path) -> list[list[str]]:
    """Relative name and SHA-256 of every file."""
    rows = []
    for file in files:
        try:
            content = hashlib.sha256(file.read_bytes()).hexdigest()
        except OSError as error:
            raise UserError(f"cannot read {file}: {error.strerror}") from None
        rows.append([file.relative_to(root).as_posix(), content])
    return rows
