"""Command line: build a dataset, verify it, look at it.

python pipelines/prepare.py build --objects cat --train 1000 --validation 50 --test 100
python pipelines/prepare.py verify data/0123456789ab
python pipelines/prepare.py inspect data/0123456789ab --output sheet.png
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from epropnp.data.format import SPLITS, ArrowDataset, read_manifest, verify
from epropnp.errors import UserError
from pipelines.build import BuildConfig, build, dataset_path
from pipelines.contact_sheet import write_contact_sheet


@dataclass(frozen=True, kw_only=True)
class Build:
    """Build a dataset; does nothing where it exists."""

    config: tyro.conf.OmitArgPrefixes[BuildConfig]
    root: Path = Path("data")
    """Folder of datasets."""
    workers: int | None = None
    """Processes; default: one per core."""

    def run(self) -> None:
        """Build and report id and path."""
        target = dataset_path(self.config, self.root)
        if target.exists():
            read_manifest(target)
            print(f"dataset {target.name} is already built: {target}")
            return
        path = build(self.config, self.root, self.workers)
        manifest = read_manifest(path)
        for name, skipped in manifest["skipped"].items():
            for reason, count in skipped.items():
                print(f"{name}: skipped {count} {reason}")
        rows = ", ".join(f"{split} {manifest['splits'][split]['rows']}" for split in SPLITS)
        print(f"dataset {path.name} ({rows}): {path}")


@dataclass(frozen=True, kw_only=True)
class Verify:
    """Check every file of a dataset against its manifest."""

    path: tyro.conf.Positional[Path]
    """Dataset folder."""

    def run(self) -> None:
        """Verify and say so."""
        verify(self.path)
        print(f"{self.path} is as it was built")


@dataclass(frozen=True, kw_only=True)
class Inspect:
    """Write a contact sheet: pictures with the projected pose, masks, coordinate maps."""

    path: tyro.conf.Positional[Path]
    """Dataset folder."""
    output: Path = Path("contact_sheet.png")
    """PNG file."""
    per_split: int = 8
    """Samples of each split."""

    def run(self) -> None:
        """Write the sheet and say where."""
        write_contact_sheet(ArrowDataset(self.path), self.output, self.per_split)
        print(f"wrote {self.output}")


Command = (
    Annotated[Build, tyro.conf.subcommand("build")]
    | Annotated[Verify, tyro.conf.subcommand("verify")]
    | Annotated[Inspect, tyro.conf.subcommand("inspect")]
)
_NAMES = ("build", "verify", "inspect", "-h", "--help")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 on success, 2 with one line on stderr for a user's error."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words and words[0] not in _NAMES:
        words.insert(0, "build")  # what one almost always wants
    try:
        command: Command = tyro.cli(Command, args=words, description=__doc__)
        command.run()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
