"""Where a dataset's objects and real frames come from: procedural stand-ins or a BOP folder."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from pipelines.bop import BopObject, Frame
from pipelines.mesh import Mesh
from pipelines.objects import ObjectInfo
from pipelines.seeds import cut_rng
from pipelines.standins import build_standin, standin_fingerprint

VALIDATION_SHARE = 0.15  # of the real training frames


class Source(Protocol):
    """Gives meshes, table entries and real frames. Must pickle: worker processes get a copy."""

    def fingerprint(self, objects: Iterable[ObjectInfo]) -> str:
        """Hash of everything read, independent of where it lies."""
        ...

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The mesh to render."""
        ...

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's table entry."""
        ...

    def real_frames(self, info: ObjectInfo) -> RealFrames:
        """The real frames of every split."""
        ...


@dataclass(frozen=True, kw_only=True)
class RealFrames:
    """Real frames of one object by split, and the number of skipped ones by reason."""

    by_split: dict[str, tuple[Frame, ...]]
    skipped: dict[str, int]


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


@dataclass(frozen=True)
class StandinSource:
    """Procedural meshes, kept on disk once built: one takes seconds. There are no real frames."""

    resolution: int
    cache: Path

    def fingerprint(self, objects: Iterable[ObjectInfo]) -> str:
        """Hash of the generators of the named objects."""
        return digest({info.name: self._key(info) for info in objects})

    def _key(self, info: ObjectInfo) -> str:
        return standin_fingerprint(info.name, self.resolution)

    def mesh(self, info: ObjectInfo) -> Mesh:
        """Reads the mesh from the cache, building it first where it is not there."""
        file = self.cache / f"{info.name}-{self._key(info)[:16]}.npz"
        if not file.is_file():
            mesh = build_standin(info.name, self.resolution)
            self.cache.mkdir(parents=True, exist_ok=True)
            partial = file.with_name(f"{file.stem}.{os.getpid()}.partial.npz")
            np.savez(
                partial,
                vertices=mesh.vertices,
                faces=mesh.faces,
                colors=mesh.colors,
                normals=mesh.normals,
            )
            partial.replace(file)
        with np.load(file) as arrays:
            names = ("vertices", "faces", "colors", "normals")
            return Mesh(*(arrays[name] for name in names))

    def model(self, info: ObjectInfo) -> ObjectModel:
        """Table entry; symmetric stand-ins are invariant under half a turn about z."""
        mesh = self.mesh(info)
        symmetries = [np.eye(4)]
        if info.symmetric:
            symmetries.append(np.diag([-1.0, -1.0, 1.0, 1.0]))
        return ObjectModel(
            object_id=info.object_id,
            name=info.name,
            diameter_m=info.diameter_m,
            bounds_min=mesh.vertices.min(axis=0),
            bounds_max=mesh.vertices.max(axis=0),
            symmetric=info.symmetric,
            symmetries=np.stack(symmetries),
            points=mesh.vertices.astype(np.float32),
        )

    def real_frames(self, info: ObjectInfo) -> RealFrames:
        """None."""
        return RealFrames(by_split={}, skipped={})


@dataclass(frozen=True)
class BopSource:
    """Real meshes and frames; the seed decides which training frames validate."""

    root: Path
    seed: int

    def fingerprint(self, objects: Iterable[ObjectInfo]) -> str:
        """Hash of the names and contents of all files that the named objects need."""
        files: set[Path] = set()
        for info in objects:
            data = BopObject(self.root, info)
            files |= {data.mesh_file, data.evaluation_mesh_file, *data.annotation_files}
            for frames in self.real_frames(info).by_split.values():
                files |= {file for frame in frames for file in (frame.image_file, frame.mask_file)}
        return digest(files_digest(sorted(files), self.root))

    def mesh(self, info: ObjectInfo) -> Mesh:
        """The real mesh."""
        return BopObject(self.root, info).mesh()

    def model(self, info: ObjectInfo) -> ObjectModel:
        """The object's entry in `models_info.json`."""
        return BopObject(self.root, info).model()

    def real_frames(self, info: ObjectInfo) -> RealFrames:
        """Training frames less the validation cut, the cut, and the official test frames."""
        data = BopObject(self.root, info)
        official, test = data.frames("train"), data.frames("test")
        shared = {f.image_id for f in official.frames} & {f.image_id for f in test.frames}
        if shared:
            raise UserError(f"{self.root}: {info.name} trains and tests on image {min(shared)}")
        if len(official.frames) < 2:
            raise UserError(
                f"{data.scene}: {len(official.frames)} of the training pictures of {info.name} "
                "are on disk, at least 2 are needed to train and validate"
            )
        count = max(1, round(VALIDATION_SHARE * len(official.frames)))
        order = cut_rng(self.seed, info.object_id).permutation(len(official.frames))
        chosen = set(order[:count].tolist())
        train = tuple(f for i, f in enumerate(official.frames) if i not in chosen)
        validation = tuple(f for i, f in enumerate(official.frames) if i in chosen)
        skipped = {
            "train pictures not on disk": official.missing,
            "train pictures with the object hidden": official.hidden,
            "test pictures not on disk": test.missing,
            "test pictures with the object hidden": test.hidden,
        }
        return RealFrames(
            by_split={"train": train, "validation": validation, "test": test.frames},
            skipped={reason: number for reason, number in skipped.items() if number},
        )
