"""Datasets on any file system that pyarrow knows: synchronised once per node into a local cache.

A folder given as a path is read in place, on whatever it is mounted. A URI (`s3://bucket/0123456789ab`,
`gs://...`, `hdfs://...`, `file:///mnt/share/...`) is first copied below the cache (`epropnp.data.cache`),
under a lock: of the processes of a node, one copies and the others wait. Every file is checked against the
manifest on its way and gets its name only when it is whole: a copy that was broken off goes on with the
files it lacks. The copy's folder is named by the manifest's hash, so that it stays right when the remote
dataset changes.
"""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow.fs import FileSystem

from epropnp.data.cache import CACHE_VARIABLE, cache_dir
from epropnp.data.manifest import parse_manifest, stated_files
from epropnp.data.schema import MANIFEST
from epropnp.errors import UserError
from epropnp.files import fill_folder, whole_file

_CHUNK_BYTES = 1 << 20
_STREAMS = 8  # files copied at once: object stores answer late, but many


def is_uri(location: Path | str) -> bool:
    """Whether a location is a URI rather than a path of this machine."""
    return "://" in str(location)


def local_copy(location: Path | str) -> Path:
    """The folder of a dataset: `location` itself if it is a path, this node's copy of it if it is a URI.

    Raises:
        UserError: nothing can be read there, what is there is no dataset or is damaged, or the cache is full.
    """
    if not is_uri(location):
        return Path(location)
    try:
        filesystem, base = FileSystem.from_uri(str(location))
    except (pa.ArrowException, OSError, ValueError, ImportError) as error:
        raise UserError(f"{location} cannot be reached ({_reason(error)}): check the address") from error
    return synchronise(filesystem, base.rstrip("/"), str(location).rstrip("/"))


def synchronise(filesystem: FileSystem, base: str, name: str) -> Path:
    """Copy the dataset at `base` of a file system into the cache, or find it there; errors call it `name`."""
    content = b"".join(_read(filesystem, f"{base}/{MANIFEST}", f"{name}/{MANIFEST}"))
    manifest = parse_manifest(content.decode(errors="replace"), f"{name}/{MANIFEST}")
    key = f"{manifest['dataset_id']}-{hashlib.sha256(content).hexdigest()[:12]}"
    target = cache_dir() / "datasets" / key

    def fill(work: Path) -> None:
        _copy_files(filesystem, base, name, stated_files(manifest), work)
        (work / MANIFEST).write_bytes(content)

    try:
        fill_folder(target, target.with_name(f".{key}"), fill)
    except OSError as error:
        advice = f"free some space, or let {CACHE_VARIABLE} name another folder"
        raise UserError(f"cannot copy {name} to {target} ({_reason(error)}): {advice}") from error
    return target


def _copy_files(
    filesystem: FileSystem, base: str, name: str, entries: dict[str, dict[str, Any]], work: Path
) -> None:
    """Copy what an earlier attempt did not; the first failure ends the copy."""
    missing = [file for file in entries if not (work / file).is_file()]

    def copy(file: str) -> None:
        _copy_file(filesystem, f"{base}/{file}", f"{name}/{file}", entries[file]["sha256"], work / file)

    with ThreadPoolExecutor(_STREAMS) as pool:
        try:
            for _ in pool.map(copy, missing):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _copy_file(filesystem: FileSystem, source: str, name: str, sha256: str, target: Path) -> None:
    digest = hashlib.sha256()
    with whole_file(target) as unfinished:
        with unfinished.open("wb") as out:
            for chunk in _read(filesystem, source, name):
                digest.update(chunk)
                out.write(chunk)
        if digest.hexdigest() != sha256:
            raise UserError(f"{name} differs from its SHA-256 in the manifest: copy it there again")


def _read(filesystem: FileSystem, source: str, name: str) -> Iterator[bytes]:
    """The content of a remote file in pieces; what keeps it from being read becomes a UserError."""
    try:
        with filesystem.open_input_stream(source) as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                yield chunk
    except FileNotFoundError:
        advice = "check the address, or copy the dataset there again"
        raise UserError(f"{name} does not exist: {advice}") from None
    except (pa.ArrowException, OSError) as error:
        advice = "check address and access rights"
        raise UserError(f"{name} cannot be read ({_reason(error)}): {advice}") from error


def _reason(error: BaseException) -> str:
    """The first line of what the file system said."""
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
