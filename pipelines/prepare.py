"""Command line: build a dataset, verify it, look at it."""

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.markup import escape

from epropnp.command_line import parse_command, shown_as
from epropnp.credentials import without_credentials
from epropnp.errors import UserError
from epropnp.extras import require
from pipelines.building.config import BuildConfig

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from epropnp.data.reader import ArrowDataset

PROG = "python pipelines/prepare.py"
DESCRIPTION = """Turn meshes, real frames and photographs into an Arrow dataset, once, for all trainings.

Examples:
  python pipelines/prepare.py build --objects cat
      1,300 renderings of a procedural stand-in of the cat: nothing to download
  python pipelines/prepare.py build --objects cat ape can --source data/lm \\
      --backgrounds data/VOCdevkit
      real frames and meshes of a BOP folder, and 1,000 renderings each on photographs
  python pipelines/prepare.py build --objects part --source part.ply --distance 0.3 0.6
      renderings of a mesh alone, as if seen from 30 to 60 cm
  python pipelines/prepare.py build --objects cat --ray auto --root /shared/data
      the same on all cores of a Ray cluster whose machines share /shared/data
  python pipelines/prepare.py inspect data/0123456789ab
      a picture of what is inside
  python pipelines/prepare.py verify data/0123456789ab
      every byte against the manifest
  python pipelines/prepare.py export data/0123456789ab --output bop
      the same in the BOP format, for other tools
  python pipelines/prepare.py weights resnet34 convnext_tiny
      ImageNet weights into the cache that machines without network share

A build that was stopped, by whatever, goes on when the same command is given again.
"""
_console = Console(stderr=True)


@dataclass(frozen=True, kw_only=True)
class Build:
    """Build a dataset; does nothing where it exists.

    The folder below ROOT is named by the hash of all that decides the content: the same settings and
    sources give the same dataset, byte for byte, whoever builds it with however many workers.
    """

    config: tyro.conf.OmitArgPrefixes[BuildConfig]
    root: Path = Path("data")
    """Folder of datasets."""
    workers: Annotated[int | None, shown_as("N")] = None
    """Processes on this machine. Default: one per core."""
    ray: Annotated[str | None, shown_as("ADDRESS")] = None
    """Render on a Ray cluster instead: `auto`, `HOST:PORT`, or `local` to start one here."""

    def run(self) -> None:
        """Build and report what came of it."""
        if self.ray is not None and self.workers is not None:
            raise UserError("--workers counts processes here, --ray takes the cores of a cluster: give one")
        if self.workers is not None and self.workers < 1:
            raise UserError(f"--workers is {self.workers}, it must be at least 1")
        require("building a dataset", "data", *(() if self.ray is None else ("sweeps",)))
        from epropnp.data.manifest import read_manifest
        from pipelines.building.build import build_planned
        from pipelines.building.plan import plan_dataset

        start = time.monotonic()
        with _console.status("reading and hashing the sources"):
            plan = plan_dataset(self.config, self.root)
        if plan.path.exists():
            _print_checks(read_manifest(plan.path))
            print(f"dataset {plan.path.name} is already built: {plan.path}")
            return
        path = build_planned(plan, self.workers, _console.is_terminal, self.ray)
        _report(path, time.monotonic() - start)


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check every byte of a dataset against its manifest; names the first file that differs."""

    path: tyro.conf.Positional[str]
    """Dataset folder, or the URI of one."""

    def run(self) -> None:
        """Verify and say so."""
        from epropnp.data.manifest import read_manifest, stated_files, verify
        from epropnp.data.remote import local_copy

        folder = local_copy(self.path)
        files = stated_files(read_manifest(folder))
        size = sum(int(entry["bytes"]) for entry in files.values())
        with _console.status(f"hashing {len(files)} files, {_megabytes(size)}"):
            verify(folder)
        place = without_credentials(self.path)
        print(f"{place} is as it was built ({len(files)} files, {_megabytes(size)})")


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Print what is inside and draw a contact sheet: pictures with projected poses, masks, coordinates."""

    path: tyro.conf.Positional[str]
    """Dataset folder, or the URI of one."""
    output: Path = Path("contact_sheet.png")
    """PNG file."""
    per_split: int = 8
    """Samples of each split."""

    def run(self) -> None:
        """Print the table, write the sheet and say where."""
        if self.per_split < 1:
            raise UserError(f"--per-split is {self.per_split}, it must be at least 1")
        require("drawing a dataset", "data")
        from epropnp.data.reader import ArrowDataset
        from pipelines.contact_sheet import write_contact_sheet

        dataset = ArrowDataset(self.path)
        _describe(dataset)
        write_contact_sheet(dataset, self.output, self.per_split)
        print(f"wrote {self.output}")


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a dataset in the BOP format: pictures, masks, poses, cameras and meshes."""

    path: tyro.conf.Positional[str]
    """Dataset folder, or the URI of one."""
    output: Annotated[Path, tyro.conf.arg(metavar="FOLDER")]
    """A new folder."""
    source: Annotated[Path | None, shown_as("FOLDER")] = None
    """The folder that real frames and meshes came from; procedural stand-ins need none."""

    def run(self) -> None:
        """Export and say how much."""
        require("exporting a dataset", "data")
        from epropnp.data.reader import ArrowDataset
        from pipelines.building.bop_export import export_bop, source_of

        dataset = ArrowDataset(self.path)
        with _console.status("writing pictures"):
            count = export_bop(dataset, source_of(dataset, self.source), self.output)
        print(f"wrote {count} pictures of {len(dataset.objects)} objects to {self.output}")


@dataclass(frozen=True, kw_only=True)
class Weights:
    """Fetch ImageNet weights of backbones into the cache, for machines without network that share it."""

    names: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="BACKBONE ...")]]
    """Names of timm models."""

    def run(self) -> None:
        """Fetch them one by one and say where they are."""
        from epropnp.models.backbones import check_backbone
        from epropnp.models.hub import caches
        from epropnp.models.pretrained import create_pretrained

        if not self.names:
            raise UserError("weights: name one backbone or more, such as resnet34")
        for name in self.names:
            check_backbone(name)
        logging.getLogger("timm").setLevel(logging.WARNING)
        for name in self.names:
            with _console.status(escape(f"fetching {name}")):
                create_pretrained(name, None)
            print(f"{name}: its weights are here")
        for cache in caches(self.names):
            print(f"elsewhere, share or copy this folder and set {cache}")


def _report(path: Path, seconds: float) -> None:
    """Says what a new dataset holds, what was left out, and what to do next."""
    from epropnp.data.manifest import read_manifest, stated_files
    from epropnp.data.schema import SPLITS

    manifest = read_manifest(path)
    for name, notes in manifest["notes"].items():
        for reason, count in notes.items():
            print(f"{name}: {count} {reason}")
    _print_checks(manifest)
    counts = {split: manifest["splits"][split]["rows"] for split in SPLITS}
    size = sum(int(entry["bytes"]) for entry in stated_files(manifest).values())
    print(f"dataset {path.name} ({', '.join(f'{split} {rows}' for split, rows in counts.items())}): {path}")
    print(f"{sum(counts.values())} samples, {_megabytes(size)}, in {seconds:.0f} s")
    print(f"look at it: python pipelines/prepare.py inspect {path}")


def _describe(dataset: "ArrowDataset") -> None:
    """Prints the settings, and the samples of every object and split."""
    import numpy as np

    from epropnp.data.schema import SPLITS

    stated = dict(dataset.manifest["config"])
    views = stated.pop("views", {})
    config = ", ".join(f"{name} {value}" for name, value in stated.items() if value)
    print(f"dataset {dataset.dataset_id}: {config}")
    for name, view in views.items():
        print(f"  {name} is rendered with {_views_in_words(view)}")
    for split in SPLITS:
        records = dataset.split(split)
        ids, rendered = (np.asarray(records.column(name)) for name in ("object_id", "synthetic"))
        for object_id in np.unique(ids):
            model, own = dataset.objects[int(object_id)], ids == object_id
            count, synthetic = int(own.sum()), int(rendered[own].sum())
            print(
                f"  {split:10s} {model.name:12s} {count:6d} samples: {count - synthetic} photographs, "
                f"{synthetic} renderings; diameter {1000 * model.diameter_m:.1f} mm"
                + (", symmetric" if model.symmetric else "")
            )
    _print_checks(dataset.manifest)


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


def _print_checks(manifest: dict[str, Any]) -> None:
    """Says of every object what was found of its geometry and symmetries; older manifests do not."""
    from epropnp.data.manifest import checked_objects

    for name, line in checked_objects(manifest):
        print(f"{name}: {line}")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


Command = Build | Verify | Inspect | Export | Weights
COMMANDS: dict[str, type[Command]] = {
    "build": Build,
    "verify": Verify,
    "inspect": Inspect,
    "export": Export,
    "weights": Weights,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 with one line on stderr for a user's error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    words = sys.argv[1:] if arguments is None else arguments
    try:
        command: Command = parse_command(COMMANDS, DESCRIPTION, words, PROG, default="build")
        command.run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: the same command goes on from here", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
