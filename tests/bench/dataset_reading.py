"""How fast one core reads samples, and how much memory several readers of one dataset take: `make bench`.

Rates are by CPU time, which other work on the machine hardly touches; those by the clock stand beside them.
"""

import json
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path

import cv2
import numpy as np
import torch
import tyro

from epropnp.data.config import AugmentConfig
from epropnp.data.dataset import CropDataset, Draw
from epropnp.data.manifest import stated_files
from epropnp.data.reader import ArrowDataset
from epropnp.data.schema import MANIFEST
from epropnp.data.writer import file_digest, write_records
from epropnp.training.recipes import RECIPES

REPORT_LOADER = 37  # training samples per second and core of the report's loader: PNG, pickle, resize
BATCH = 32


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What is read."""

    dataset: str | None = None
    """A built dataset. Default: rendered cats, made first in a temporary folder."""
    megabytes: int = 400
    """Size of the default: 64 renderings, repeated until the processor's caches cannot hold them."""
    input_px: int = 256
    map_px: int = 64
    seconds: float = 3.0
    """How long each kind of reading is timed."""
    readers: int = 4
    """Processes that read all of the dataset at once."""


def render_cats(root: Path, megabytes: int) -> Path:
    """A dataset whose training records lie in so many megabytes, although only 64 of them differ."""
    from pipelines.build import BuildConfig, build  # what renders is no part of a reader's memory

    config = BuildConfig(objects=("cat",), train=64, validation=0, test=1, background_count=64)
    path = build(config, root, workers=1, progress=False)
    records = list(ArrowDataset(path).split("train"))
    size = sum(record.rgb.nbytes + record.mask.nbytes + record.coords.nbytes for record in records)
    copies = range(megabytes * 10**6 // size + 1)
    shard = path / "repeated.arrow"
    rows = write_records(shard, (record for _ in copies for record in records))
    manifest = json.loads((path / MANIFEST).read_text())
    entry = {"file": shard.name, "rows": rows, **file_digest(shard)}
    manifest["splits"]["train"] = {"rows": rows, "shards": [entry]}
    (path / MANIFEST).write_text(json.dumps(manifest))
    return path


def rates(read: Callable[[Sequence[int]], object], rows: int, seconds: float) -> str:
    """Samples per second of CPU time, and of the clock: medians over batches of random rows."""
    order = np.random.default_rng(0).permutation(rows).tolist()
    spent: list[tuple[float, float]] = []
    start, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end or len(spent) < 2:
        chosen = order[start : start + BATCH]
        start = start + BATCH if start + 2 * BATCH <= rows else 0
        before = time.process_time(), time.perf_counter()
        read(chosen)
        spent.append((time.process_time() - before[0], time.perf_counter() - before[1]))
    cpu_rate, wall_rate = BATCH / np.median(spent[1:], axis=0)
    return f"{cpu_rate:8.0f} /s  (by the clock {wall_rate:.0f}; {cpu_rate / REPORT_LOADER:.0f} x)"


def print_rates(dataset: ArrowDataset, config: BenchConfig) -> None:
    """Every way of reading, on one thread."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    records = dataset.split("train")
    print(
        f"Samples per second of one core, {len(records)} rows, {config.input_px} px, batches of {BATCH}; "
        f"in brackets also relative to the report's loader ({REPORT_LOADER} /s)"
    )
    print("  records           ", rates(lambda rows: [records[r].K for r in rows], len(records), 1.0))
    kinds = {
        "evaluation crops  ": None,
        "training, paper   ": AugmentConfig(),
        "training, best    ": RECIPES["best"].base.data.augment,
    }
    for name, augment in kinds.items():
        data = crops(dataset, config, augment)

        def read(rows: Sequence[int], data: CropDataset = data) -> None:
            data.__getitems__(draws(rows))

        print(" ", name, rates(read, len(data), config.seconds))


def crops(dataset: ArrowDataset, config: BenchConfig, augment: AugmentConfig | None) -> CropDataset:
    return CropDataset(dataset, "train", input_px=config.input_px, map_px=config.map_px, config=augment)


def draws(rows: Sequence[int]) -> list[Draw]:
    return [(0, row, row) for row in rows]


def memory_mb() -> dict[str, float]:
    """This process's memory: resident (Rss), and with shared pages divided among their users (Pss)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    return {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines}


def read_all(path: Path, config: BenchConfig, barrier: Barrier, results: "Queue[dict[str, float]]") -> None:
    """One reader: every row once, then its memory while all others hold theirs."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    data = crops(ArrowDataset(path), config, AugmentConfig())
    order = np.random.default_rng(os.getpid()).permutation(len(data)).tolist()
    libraries = memory_mb()["Pss_Anon"]
    for start in range(0, len(order), BATCH):
        data.__getitems__(draws(order[start : start + BATCH]))
    barrier.wait()
    results.put(memory_mb() | {"libraries": libraries})
    barrier.wait()


def print_memory(dataset: ArrowDataset, config: BenchConfig) -> None:
    """What `config.readers` independent processes hold after each has read all rows."""
    context = multiprocessing.get_context("spawn")  # as strangers to one another, like trials
    barrier, results = context.Barrier(config.readers), context.Queue()
    given = (dataset.path, config, barrier, results)
    readers = [context.Process(target=read_all, args=given) for _ in range(config.readers)]
    for reader in readers:
        reader.start()
    found = [results.get() for _ in readers]
    for reader in readers:
        reader.join()
    total = {name: sum(one[name] for one in found) for name in found[0]}
    on_disk = sum(entry["bytes"] for entry in stated_files(dataset.manifest).values()) / 1e6
    own = total["Pss_Anon"] - total["libraries"]
    print(
        f"Memory of {config.readers} processes, each of which has read all of a dataset of {on_disk:.0f} MB\n"
        f"  every page for every process (RSS)  {total['Rss']:5.0f} MB\n"
        f"  shared pages counted once (PSS)     {total['Pss']:5.0f} MB: {total['Pss_File']:.0f} MB of files "
        f"(the dataset, libraries), {total['libraries']:.0f} MB that importing torch took, {own:.0f} MB more"
    )


def main(config: BenchConfig) -> None:
    with ExitStack() as stack:
        place = config.dataset or render_cats(
            Path(stack.enter_context(tempfile.TemporaryDirectory())), config.megabytes
        )
        dataset = ArrowDataset(place)
        print_rates(dataset, config)
        print_memory(dataset, config)


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
