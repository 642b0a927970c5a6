"""Command line: build a dataset, verify it, look at it."""

import logging
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

if not __package__:  # a script, whose Python may not have the project installed: epropnp says so
    sys.path.insert(0, str(Path(__file__).parents[1]))

from epropnp.errors import UserError  # before tyro, which is missed then

# isort: split

import tyro
from rich.console import Console
from rich.markup import escape

from epropnp.command_line import parse_command, run_program, shown_as
from epropnp.credentials import without_credentials
from epropnp.extras import require
from pipelines.building.config import BuildConfig
from pipelines.in_words import checks, describe, megabytes, report

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
  python pipelines/prepare.py frames data/lmo --objects cat --output frames.jsonl
      its test pictures with cameras and boxes, for `python -m epropnp.predict --frames`
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
            _print(checks(read_manifest(plan.path)))
            print(f"dataset {plan.path.name} is already built: {plan.path}")
            return
        path = build_planned(plan, self.workers, _console.is_terminal, self.ray)
        _print(report(path, time.monotonic() - start))


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
        with _console.status(f"hashing {len(files)} files, {megabytes(size)}"):
            verify(folder)
        place = without_credentials(self.path)
        print(f"{place} is as it was built ({len(files)} files, {megabytes(size)})")


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
        _print(describe(dataset))
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
class Frames:
    """List the pictures of a BOP folder with cameras and boxes, for `python -m epropnp.predict --frames`."""

    path: tyro.conf.Positional[Path]
    """A data set, one of its folders such as test, or a scene."""
    output: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("frames.jsonl")
    """The list, in JSON lines; paths of pictures are relative to it."""
    detections: Annotated[Path | None, shown_as("FILE")] = None
    """A detector's boxes in BOP's format, in place of the annotated ones."""
    objects: Annotated[tuple[str, ...], shown_as("NAME ...")] = ()
    """List the boxes of these alone, by name or number. Default: all."""
    boxes: Literal["visible", "whole"] = "visible"
    """Of the visible part, which networks of this project learn, or of the whole object."""

    def run(self) -> None:
        """List, and say how much."""
        require("listing the pictures of a data set", "data")
        from pipelines.readers.frame_list import write_frame_list

        with _console.status("reading annotations and pictures' headers"):
            notes = write_frame_list(
                self.path,
                self.output,
                boxes=self.boxes,
                detections=self.detections,
                objects=self.objects,
            )
        _print(f"{count} {what}" for what, count in notes.items() if count)
        print(f"wrote {self.output}")


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


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)


Command = Build | Verify | Inspect | Export | Frames | Weights
COMMANDS: dict[str, type[Command]] = {
    "build": Build,
    "verify": Verify,
    "inspect": Inspect,
    "export": Export,
    "frames": Frames,
    "weights": Weights,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; see `run_program` for the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    words = sys.argv[1:] if arguments is None else arguments

    def run() -> None:
        command: Command = parse_command(COMMANDS, DESCRIPTION, words, PROG, default="build")
        command.run()

    return run_program(run, "stopped: the same command goes on from here")


if __name__ == "__main__":
    sys.exit(main())
