"""What a dataset holds and what was found of it, in lines of text."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from epropnp.data.reader import ArrowDataset


def report(path: Path, seconds: float) -> Iterator[str]:
    """Says what a new dataset holds, what was left out, and what to do next."""
    from epropnp.data.manifest import read_manifest, stated_files
    from epropnp.data.schema import SPLITS

    manifest = read_manifest(path)
    for name, notes in manifest["notes"].items():
        for reason, count in notes.items():
            yield (f"{name}: {count} {reason}")
    yield from checks(manifest)
    counts = {split: manifest["splits"][split]["rows"] for split in SPLITS}
    size = sum(int(entry["bytes"]) for entry in stated_files(manifest).values())
    yield (f"dataset {path.name} ({', '.join(f'{split} {rows}' for split, rows in counts.items())}): {path}")
    yield (f"{sum(counts.values())} samples, {megabytes(size)}, in {seconds:.0f} s")
    yield (f"look at it: python pipelines/prepare.py inspect {path}")


def describe(dataset: "ArrowDataset") -> Iterator[str]:
    """The settings, and the samples of every object and split."""
    import numpy as np

    from epropnp.data.schema import SPLITS

    stated = dict(dataset.manifest["config"])
    views = stated.pop("views", {})
    config = ", ".join(f"{name} {value}" for name, value in stated.items() if value)
    yield (f"dataset {dataset.dataset_id}: {config}")
    for name, view in views.items():
        yield (f"  {name} is rendered with {_views_in_words(view)}")
    for split in SPLITS:
        records = dataset.split(split)
        ids, rendered = (np.asarray(records.column(name)) for name in ("object_id", "synthetic"))
        for object_id in np.unique(ids):
            model, own = dataset.objects[int(object_id)], ids == object_id
            count, synthetic = int(own.sum()), int(rendered[own].sum())
            yield (
                f"  {split:10s} {model.name:12s} {count:6d} samples: {count - synthetic} photographs, "
                f"{synthetic} renderings; diameter {1000 * model.diameter_m:.1f} mm"
                + (", symmetric" if model.symmetric else "")
            )
    yield from checks(dataset.manifest)


def _views_in_words(view: dict[str, Any]) -> str:
    """What is stated of an object's views; what is not stated is LineMOD's."""
    words = []
    if isinstance(camera := view.get("camera"), list):
        fx, _, cx, _, fy, cy = camera[:6]
        width, height = camera[-2:]
        words.append(f"camera {width} x {height}, fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g}")
    elif camera is not None:
        words.append(f"camera {camera}")
    if isinstance(distance := view.get("distance"), list):
        words.append(f"distance {distance[0]:g} to {distance[1]:g} m")
    elif distance is not None:
        words.append(f"distance {distance}")
    return ", ".join([*words, *(f"views {name}" for name in [view.get("views")] if name)])


def checks(manifest: dict[str, Any]) -> Iterator[str]:
    """Says of every object what was found of its geometry and symmetries; older manifests do not."""
    from epropnp.data.manifest import checked_objects

    for name, line in checked_objects(manifest):
        yield (f"{name}: {line}")


def megabytes(size: int) -> str:
    """A number of bytes."""
    return f"{size / 1e6:,.1f} MB"
