"""Command line: write a trained network as ONNX, or as a program of `torch.export`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro
from rich.console import Console

from epropnp.command_line import parse, run_program, shown_as
from epropnp.errors import UserError
from epropnp.models.config import own_file

PROG = "python -m epropnp.export"
DESCRIPTION = """Write a trained network as ONNX, or as a program of torch.export; the file is checked.

Examples:
  python -m epropnp.export runs/first/trials/a
      runs/first/trials/a/best.onnx: Predictor and epropnp.evaluate take it in the place of best.pt
  python -m epropnp.export runs/first/trials/a/best.pt --output cat.pt2
      for torch.export.load
"""
ONNX, PROGRAM = ".onnx", ".pt2"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """Which network, and where to."""

    network: tyro.conf.Positional[Path]
    """A trial's folder, or its best.pt."""
    output: Annotated[Path | None, shown_as("FILE")] = None
    """A name that ends in .onnx or .pt2. Default: that of the network, with .onnx."""


def export(arguments: Arguments, console: Console) -> None:
    """Write the file and say how far it deviates. UserError where that cannot be."""
    source = own_file(str(arguments.network))
    output = arguments.output or source.with_suffix(ONNX)
    if output.suffix not in (ONNX, PROGRAM):
        raise UserError(f"--output {output}: give a name that ends in {ONNX} or {PROGRAM}")
    if source.suffix == ONNX:
        raise UserError(f"{source} is an export already: give the best.pt that it came from")

    from epropnp.inference.export import BATCHES, export_onnx, export_program
    from epropnp.inference.model import load_model

    write = export_onnx if output.suffix == ONNX else export_program
    model = load_model(source)
    with console.status("exporting"):
        deviation = write(model, output)
    px, map_px = model.inference.model.input_px, model.inference.model.map_px
    console.print(
        f"wrote {output} ({output.stat().st_size / 1e6:.1f} MB)\n"
        f"image (batch, 3, {px}, {px}), RGB in [0, 1] -> coords (batch, 3, {map_px}, {map_px}), "
        f"weight_logits (batch, 2, {map_px}, {map_px}), log_scale (batch, 2)\n"
        f"largest relative deviation from the network, on random crops in batches of "
        f"{' and '.join(map(str, BATCHES))}: {deviation:.1e}",
        soft_wrap=True,
        markup=False,
        highlight=False,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_program` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_program(lambda: export(parse(Arguments, DESCRIPTION, words, PROG), Console()))


if __name__ == "__main__":
    sys.exit(main())
