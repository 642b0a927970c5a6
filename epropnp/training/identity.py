"""What makes a trial the one that it is: the settings that are not the defaults, and the dataset."""

import functools
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

from epropnp.models.config import own_file
from epropnp.plain import Plain, flatten
from epropnp.training.config import TrialConfig

COMPUTES = 4
"""Raised by whoever changes what a trial computes: results of another number are not taken for known."""
INCIDENTAL = ("data.workers",)  # settings that no number depends on
DIGEST = "sha256:"  # begins what stands for the content of a file
FILES = ("model.weights_file", "model.released", "model.start")  # settings that name a file


def identity(config: TrialConfig) -> dict[str, Plain]:
    """Dotted settings that differ from their defaults; a setting that is added later changes none of it.

    Of a file that a setting names, and of each module that a head or a loss term of one's own comes from, the
    content counts, not the place.
    """
    default = flatten(TrialConfig())
    found = {
        key: value
        for key, value in flatten(config).items()
        if value != default[key] and key not in INCIDENTAL
    }
    for key in FILES:
        if key in found:
            found[key] = _digest(own_file(str(found[key]))) or found[key]
    if "." in config.model.head:
        module = config.model.head.rpartition(".")[0]
        digest = _module_digest(module)
        if digest:
            found[f"model.head:{module}"] = digest
    for module in dict.fromkeys(name.rpartition(".")[0] for name, _ in config.loss.own):
        digest = _module_digest(module)
        if digest:
            found[f"loss.own:{module}"] = digest
    return found


def trial_hash(config: TrialConfig, dataset_id: str) -> str:
    """Twelve hex digits that change whenever the dataset or a part of `identity` does."""
    content: dict[str, Any] = {"dataset": dataset_id, "settings": identity(config)}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _module_digest(module: str) -> str | None:
    """Of a module's source; None where there is none, as for the built-in terms."""
    try:
        spec = importlib.util.find_spec(module) if module else None
    except (ImportError, ValueError):
        return None
    return _digest(Path(spec.origin)) if spec and spec.origin else None


def _digest(file: Path) -> str | None:
    try:
        stat = file.stat()
        return _content_digest(file.resolve(), stat.st_mtime_ns, stat.st_size)
    except OSError:
        return None


@functools.lru_cache(maxsize=64)  # weights are large
def _content_digest(file: Path, changed_ns: int, size: int) -> str:
    with file.open("rb") as stream:
        return f"{DIGEST}{hashlib.file_digest(stream, 'sha256').hexdigest()[:16]}"
