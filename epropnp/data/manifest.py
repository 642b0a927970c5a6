"""The manifest of a dataset folder: what should lie beside it, and whether it does.

Three checks: `check_sizes` asks the file system only and runs whenever a dataset is opened; `verify` reads
and hashes every byte; `verify_once` does so the first time on a machine, and again when a file was touched.
"""

import hashlib
import json
import logging
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from epropnp.data.cache import cache_dir
from epropnp.data.schema import MANIFEST, SCHEMA_VERSION
from epropnp.data.writer import file_digest
from epropnp.errors import UserError
from epropnp.files import locked

REBUILD = "delete its folder and build the dataset again"  # an existing folder is never built over
_log = logging.getLogger(__name__)

Manifest = dict[str, Any]


def parse_manifest(text: str, where: str) -> Manifest:
    """A manifest from its JSON. UserError naming `where` when it is broken or of another schema."""
    try:
        manifest: Manifest = json.loads(text)
        version = int(manifest["schema_version"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{where} is not a dataset manifest ({error!r}): {REBUILD}") from None
    if version != SCHEMA_VERSION:
        advice = "update this code" if version > SCHEMA_VERSION else REBUILD
        raise UserError(f"{where} has schema version {version}, this code reads {SCHEMA_VERSION}: {advice}")
    try:
        entries = stated_files(manifest)
        complete = isinstance(manifest["dataset_id"], str) and all(
            isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str) for entry in entries.values()
        )
        plain = all(Path(name).name == name for name in entries)  # nothing outside of the folder
        rows_agree = all(
            split["rows"] == sum(shard["rows"] for shard in split["shards"])
            for split in manifest["splits"].values()
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{where} is not a dataset manifest ({error!r}): {REBUILD}") from None
    if not (complete and plain and rows_agree):
        raise UserError(f"{where} is not a dataset manifest (it contradicts itself): {REBUILD}")
    return manifest


def read_manifest(path: Path) -> Manifest:
    """The manifest of a dataset folder. UserError when missing, broken or of another schema."""
    file = path / MANIFEST
    if not path.is_dir():
        raise UserError(f"no dataset at {path}: build one with `python pipelines/prepare.py`")
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{file} is missing: the folder is not a finished dataset, {REBUILD}") from None
    except (OSError, ValueError) as error:
        raise UserError(f"{file} is not a dataset manifest ({error!r}): {REBUILD}") from None
    return parse_manifest(text, str(file))


def stated_files(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Every file that a manifest lists, by name, with its `bytes` and `sha256`."""
    stated = dict(manifest["files"])
    for split in manifest["splits"].values():
        stated.update({shard["file"]: shard for shard in split["shards"]})
    return stated


def checked_objects(manifest: Manifest) -> list[tuple[str, str]]:
    """Lines on geometry, symmetries and points, each with its object's name; older manifests have none."""
    geometry = [(name, line) for name, lines in manifest.get("geometry", {}).items() for line in lines]
    return [*geometry, *manifest.get("symmetries", {}).items(), *manifest.get("points", {}).items()]


def check_sizes(path: Path, manifest: Manifest) -> None:
    """UserError naming the first file that is missing or not as long as the manifest says."""
    for name, entry in sorted(stated_files(manifest).items()):
        file = path / name
        if not file.is_file():
            raise UserError(f"{file} is missing although the manifest lists it: {REBUILD}")
        size = file.stat().st_size
        if size != entry["bytes"]:
            raise UserError(f"{file} has {size} bytes, the manifest says {entry['bytes']}: {REBUILD}")


def verify(path: Path) -> None:
    """Check all sizes and SHA-256 sums against the manifest; UserError names the wrong file."""
    path = Path(path)
    manifest = read_manifest(path)
    check_sizes(path, manifest)
    for name, entry in sorted(stated_files(manifest).items()):
        if file_digest(path / name)["sha256"] != entry["sha256"]:
            raise UserError(f"{path / name} differs from its SHA-256 in the manifest: {REBUILD}")


def verify_once(path: Path) -> None:
    """`verify`, unless this machine has done so since any of the files was last touched.

    A mark in the cache remembers sizes and times of modification and of status change. Processes that start
    together wait for the first. Where the cache cannot be written, everything is hashed each time.
    """
    path = Path(path).resolve()
    mark = cache_dir() / "verified" / hashlib.sha256(str(path).encode()).hexdigest()[:24]
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(mark.with_suffix(".lock")))
        except OSError as error:
            _log.info("no marks can be kept in %s (%s): hashing every time", mark.parent, error.strerror)
        state = _state(path)
        if mark.is_file() and mark.read_text() == state:
            return
        verify(path)
        with suppress(OSError):
            mark.write_text(state)


def _state(path: Path) -> str:
    """A digest that changes when any of a dataset's files is written, replaced or renamed."""
    names = sorted([MANIFEST, *stated_files(read_manifest(path))])
    stats = [(name, (path / name).stat()) for name in names if (path / name).exists()]
    state = [(name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) for name, stat in stats]
    return hashlib.sha256(json.dumps(state).encode()).hexdigest()
