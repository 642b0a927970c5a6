"""Samples per second from a dataset, one process: `make bench`.

Raw records by memory map, evaluation crops, and training crops with the default augmentation.
"""

import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import tyro

from epropnp.data.augment import AugmentConfig
from epropnp.data.dataset import CropDataset
from epropnp.data.format import ArrowDataset
from pipelines.build import BuildConfig, build


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What is read."""

    dataset: Path | None = None
    """A built dataset. Default: 128 rendered cats, built first in a temporary folder."""
    input_px: int = 128
    map_px: int = 32
    seconds: float = 3.0
    """How long each kind of reading is timed."""


def render_cats(root: Path) -> Path:
    config = BuildConfig(objects=("cat",), train=128, validation=1, test=1, background_count=16)
    return build(config, root, workers=1, progress=False)


def rate(read: Callable[[int], object], rows: int, seconds: float) -> float:
    """Calls per second, going round all rows."""
    read(0)
    count, start = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds:
        read(count % rows)
        count += 1
    return count / elapsed


def main(config: BenchConfig) -> None:
    with ExitStack() as stack:
        path = config.dataset or render_cats(Path(stack.enter_context(tempfile.TemporaryDirectory())))
        dataset = ArrowDataset(path)
        records = dataset.split("train")
        size = {"input_px": config.input_px, "map_px": config.map_px}
        plain = CropDataset(dataset, "train", **size)
        augmented = CropDataset(dataset, "train", config=AugmentConfig(), **size)
        ways: dict[str, Callable[[int], object]] = {
            "records": lambda row: records[row].rgb[0, 0],
            "evaluation crops": lambda row: plain[0, row, row],
            "training crops": lambda row: augmented[0, row, row],
        }
        rates = [f"{name} {rate(way, len(records), config.seconds):.0f}/s" for name, way in ways.items()]
        print(f"Dataset, {len(records)} rows, {config.input_px} px, one process: {', '.join(rates)}")


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
