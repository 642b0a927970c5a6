"""What to build, checked and fingerprinted: the dataset's id is known before anything is made.

The id is the hash of the configuration, of everything read, and of the versions of the schema and of
what makes records; never of where anything lies, nor of source text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epropnp.data import crop
from epropnp.data.schema import SCHEMA_VERSION, SPLITS
from epropnp.errors import UserError
from epropnp.settings import settings_of
from pipelines import rendering
from pipelines.building.config import BuildConfig
from pipelines.building.digests import digest, files_digest
from pipelines.building.sources import Source, StandinSource, open_source
from pipelines.building.views import check_views, plan_views
from pipelines.objects import ObjectInfo, resolve_objects
from pipelines.readers.frames import RealFrames
from pipelines.rendering.backgrounds import choose_photographs
from pipelines.rendering.views import Views

WORK_FOLDER = ".build"  # below the folder of datasets: what is not finished


@dataclass(frozen=True)
class Plan:
    """A checked configuration with its source read and fingerprinted: what `build` goes by."""

    config: BuildConfig
    root: Path
    objects: tuple[ObjectInfo, ...]
    occluders: tuple[ObjectInfo, ...]
    source: Source
    real: dict[str, RealFrames]  # by object name
    rendered: dict[str, dict[str, int]]  # renderings by object name and split
    views: dict[str, Views]  # of those, by object name
    photographs: list[Path] | None
    stated: dict[str, Any]  # the configuration as the manifest states it: without paths
    fingerprint: str
    background_set: Path
    test_background_set: Path  # procedural: behind renderings that validate or test

    @property
    def path(self) -> Path:
        """The dataset's folder, once it is built."""
        return self.root / self.dataset_id

    @property
    def versions(self) -> dict[str, int]:
        """Of all that makes records: with others, the same settings and sources may give other bytes."""
        return {"crop": crop.VERSION, "renderer": rendering.VERSION, **self.source.versions}

    @property
    def dataset_id(self) -> str:
        """First 12 hexadecimal digits of the hash of all that decides the content."""
        return digest(
            {
                "schema": SCHEMA_VERSION,
                "versions": self.versions,
                "config": self.stated,
                "source": self.fingerprint,
            }
        )[:12]


def plan_dataset(config: BuildConfig, root: Path) -> Plan:
    """Checks a configuration and reads and fingerprints all that it names. UserError as `build`.

    Sources are taken by absolute paths: workers may run on other machines, in other folders.
    """
    root = Path(root)
    _check_numbers(config)
    check_views(config)
    source = _source(config, root)
    table = source.objects()
    objects = _resolve(config.objects, table)
    others = config.objects if config.occluders is None else config.occluders
    occluders = _resolve(others, table) if others else ()
    real = source.real_frames(objects)
    rendered = {info.name: rendered_counts(config, real[info.name]) for info in objects}
    _check_samples(real, rendered)
    photographs, pictures = None, None
    if config.backgrounds is not None:
        folder = Path(config.backgrounds).absolute()
        photographs = choose_photographs(folder, config.background_count, config.seed)
        pictures = files_digest(photographs, folder)
    planned = {
        info.name: plan_views(config, info, source, real[info.name])
        for info in objects
        if any(rendered[info.name].values())
    }
    foreign = [source.mesh_fingerprint(info) for info in occluders if info not in objects]
    fingerprint = digest([source.fingerprint(objects, real), pictures, foreign])
    sets = root / "backgrounds"
    background_set, test_set = (
        sets / f"{digest([rendering.VERSION, config.background_count, config.seed, used])[:12]}.arrow"
        for used in (pictures, None)
    )
    return Plan(
        config=config,
        root=root,
        objects=objects,
        occluders=occluders,
        source=source,
        real=real,
        rendered=rendered,
        views={name: each.views for name, each in planned.items()},
        photographs=photographs,
        stated={
            "objects": [info.name for info in objects],
            "occluders": [info.name for info in occluders],
            "source": source.kind,
            **_stated(config, rendered, {name: each.stated for name, each in planned.items()}),
        },
        fingerprint=fingerprint,
        background_set=background_set,
        test_background_set=test_set,
    )


def _stated(
    config: BuildConfig, rendered: Mapping[str, Mapping[str, int]], views: Mapping[str, dict[str, Any] | None]
) -> dict[str, Any]:
    """What the manifest states of the configuration, and the id depends on: no paths.

    What came later stands there only where it is used, for the ids of other datasets to stay.
    """
    stated: dict[str, Any] = {
        "backgrounds": "procedural" if config.backgrounds is None else "photographs",
        **{split: max(counts[split] for counts in rendered.values()) for split in SPLITS},
        "seed": config.seed,
        "mesh_resolution": config.mesh_resolution if config.source is None else None,
        "background_count": config.background_count,
    }
    own_views = {name: each for name, each in views.items() if each is not None}
    if own_views:
        stated["views"] = own_views
    if config.mesh_unit != "mm":
        stated["mesh_unit"] = config.mesh_unit
    differs = config.occluders is not None or config.backgrounds is not None
    if differs and any(counts["validation"] or counts["test"] for counts in rendered.values()):
        stated["occluders and backgrounds"] = "of training images"
    return stated


def _source(config: BuildConfig, root: Path) -> Source:
    if config.source is not None:
        return open_source(
            Path(config.source),
            config.seed,
            config.train,
            config.splits,
            config.real_frames,
            config.mesh_unit,
            config.detections,
        )
    if config.splits is not None:
        raise UserError("splits are lists of a source's pictures: give the source, too")
    if config.real_frames:
        raise UserError("real_frames are folders of a source: give the source, too")
    if config.detections is not None:
        raise UserError("detections are of a source's test pictures: give the source, too")
    return StandinSource(config.mesh_resolution, root.absolute() / WORK_FOLDER / "standins")


def _resolve(names: Sequence[str], table: Mapping[str, ObjectInfo]) -> tuple[ObjectInfo, ...]:
    return tuple(sorted(resolve_objects(names, table), key=lambda info: info.object_id))


def _check_numbers(config: BuildConfig) -> None:
    for setting in settings_of(BuildConfig):
        value = getattr(config, setting.key)
        if setting.range is not None and value not in setting.range:
            raise UserError(f"{setting.key} is {value}, it must be {setting.range}")
    if config.source is None and not any((config.train, config.validation, config.test)):
        raise UserError("nothing to build: train, validation and test are all 0")


def _check_samples(real: Mapping[str, RealFrames], rendered: Mapping[str, Mapping[str, int]]) -> None:
    for name, counts in rendered.items():
        if not any(counts.values()) and not any(real[name].by_split.values()):
            raise UserError(f"nothing to build of {name}: it has no frames, and no renderings are wanted")


def rendered_counts(config: BuildConfig, real: RealFrames) -> dict[str, int]:
    """Renderings of an object in every split: what its given frames, and given renderings, leave open."""
    given = {split: real.by_split.get(split, ()) for split in SPLITS}
    return {
        "train": config.train - sum(frame.synthetic for frame in given["train"]),
        "validation": 0 if given["validation"] else config.validation,
        "test": 0 if given["test"] else config.test,
    }
