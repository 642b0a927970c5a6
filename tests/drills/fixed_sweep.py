"""Does a change of the code change a number? One small sweep, always the same, compared digit for digit.

    python tests/drills/fixed_sweep.py /tmp/before.json                      # before the change
    python tests/drills/fixed_sweep.py /tmp/after.json --against /tmp/before.json

It builds renderings of two stand-ins, trains two networks on them with the main job, and notes what must not
depend on how the code is arranged: all columns of the shards, the losses of each epoch, the predictions, the
scores, and the table. Names of trials and of datasets, times and hashes are left out. The same machine gives
the same file again; another one may differ in the last digits.
"""

import csv
import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.parquet as pq
import tyro

ROOT = Path(__file__).parents[2]
BUILD = "--objects cat eggbox --train 48 --validation 8 --test 12 --mesh-resolution 40 --background-count 8"
SWEEP = "--recipe quick --backbones resnet10t hrnet_w18_small --seeds 1 --epochs 2 --objects cat eggbox"
RENAMED = (
    "dataset",
    "trial",
    "config",
    "seconds",
    "hours",
    "minutes",
    "run",
    "ms ",
)  # what a name or time stands in


@dataclass(frozen=True, kw_only=True)
class DrillConfig:
    """Where the numbers go, and what they are compared with."""

    out: Annotated[Path, tyro.conf.Positional]
    """JSON file that receives all that was noted."""
    against: Path | None = None
    """One that was noted before."""


def run(program: str, arguments: str, *more: str) -> None:
    command = [sys.executable, str(ROOT / program), *arguments.split(), *more]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(
            f"{program} ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        )


def digest(column: pa.ChunkedArray) -> str:
    return hashlib.sha256(repr(column.to_pylist()).encode()).hexdigest()[:16]


def shard(file: Path) -> dict[str, str]:
    """A digest of each column."""
    with pa.memory_map(str(file)) as source:
        table = pa.ipc.open_file(source).read_all()
        return {name: digest(table[name]) for name in table.column_names}


def kept(values: dict[str, Any]) -> dict[str, Any]:
    return {key: x for key, x in values.items() if not any(word in key.lower() for word in RENAMED)}


def trial(folder: Path) -> dict[str, Any]:
    """What stands in the files of a trial."""
    table = pq.read_table(folder / "predictions.parquet")
    columns = {name: digest(table[name]) for name in table.column_names}
    return {"result": kept(json.loads((folder / "result.json").read_text())), "predictions": columns}


def noted(folder: Path) -> dict[str, Any]:
    """Build, train, and note."""
    run("pipelines/prepare.py", f"build {BUILD}", "--root", str(folder / "data"))
    (data,) = (path.parent for path in (folder / "data").glob("*/manifest.json"))
    run("sweeps/backbones.py", SWEEP, "--data", str(data), "--out", str(folder / "runs"), "--name", "fixed")
    sweep = folder / "runs" / "fixed"
    results = {json.loads(p.read_text())["backbone"]: p.parent for p in sweep.glob("trials/*/result.json")}
    table = [kept(row) for row in csv.DictReader((sweep / "table.csv").open())]
    return {
        "shards": {file.name: shard(file) for file in sorted(data.glob("*.arrow"))},
        "trials": {backbone: trial(place) for backbone, place in sorted(results.items())},
        "table": sorted(table, key=lambda row: row["backbone"]),
    }


def differences(before: Any, after: Any, where: str = "") -> list[str]:
    """Places at which two JSON values differ, with both."""
    if isinstance(before, dict) and isinstance(after, dict):
        keys = sorted(before.keys() | after.keys())
        parts = [differences(before.get(key), after.get(key), f"{where}/{key}") for key in keys]
        return [line for part in parts for line in part]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        parts = [differences(*pair, f"{where}/{i}") for i, pair in enumerate(zip(before, after, strict=True))]
        return [line for part in parts for line in part]
    return [] if before == after else [f"{where}: {before} -> {after}"]


def main(config: DrillConfig) -> int:
    with tempfile.TemporaryDirectory() as folder:
        found = json.loads(json.dumps(noted(Path(folder))))
    config.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if config.against is None:
        print(f"noted in {config.out}")
        return 0
    lines = differences(json.loads(config.against.read_text()), found)
    print("\n".join(lines) or "nothing differs")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main(tyro.cli(DrillConfig, description=__doc__)))
