"""How long a network takes for an image, and how long its poses do after it; as a file of its own, too.

Beside it stands how much the network computes (`flops`), which hangs on no machine.

Made-up crops will do: neither part does more or less for what a picture shows.
"""

import dataclasses
import json
import socket
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.files import replaced

if TYPE_CHECKING:  # what reads the file only starts without torch
    import torch

    from epropnp.data.dataset import Crops
    from epropnp.inference.poses import Inference

LATENCY_FILE = "latency.json"
BATCHES = (1, 32)  # images
WARM_UPS, WARM_S = 3, 0.3  # runs that do not count, and how long they are begun
REPETITIONS, SECONDS = 30, 1.0  # runs that do, and how long they are begun; there is one at least
LONGEST_S = 8.0  # a batch of which one run may take longer than that is left out
SEED = 20260101


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Milliseconds per image.

    Attributes:
        network_ms: from the crop to the maps.
        layer_ms: from the maps to the pose: correspondences, initial poses, solver.
    """

    network_ms: float
    layer_ms: float


@dataclass(frozen=True, kw_only=True)
class Latency:
    """How fast a network was, and where.

    Attributes:
        batches: medians, by images at once; a batch that takes too long is not among them.
        device: `cpu`, or the name of the GPU.
        precision: that the network computes in.
        threads: of the CPU.
        torch: its version.
        host: on which machine.
        measured: when, ISO 8601 in UTC.
        multiply_adds: of the network for one image; None where older versions measured, or it is an export.
    """

    batches: Mapping[int, Cost]
    device: str
    precision: str
    threads: int
    torch: str
    host: str
    measured: str
    multiply_adds: int | None = None

    @property
    def place(self) -> str:
        """Such as `cpu, 2 threads, float32`."""
        return f"{self.device}, {self.threads} thread{'s' * (self.threads > 1)}, {self.precision}"

    @property
    def words(self) -> str:
        """All of it in a line."""
        parts = []
        for count, cost in self.batches.items():
            network, layer = in_words(cost.network_ms), in_words(cost.layer_ms)
            alone = f"network {network} ms, poses {layer} ms per image alone"
            parts.append(alone if count == 1 else f"{network} and {layer} ms in batches of {count}")
        return f"{'; '.join(parts)}, on {self.place}"

    def write(self, folder: Path) -> None:
        """To `latency.json`. UserError where that fails."""
        with replaced(folder / LATENCY_FILE) as file:
            file.write_text(json.dumps(dataclasses.asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Latency | None":
        """What was written; None where nothing was, or it is damaged: it can be measured again."""
        try:
            values = json.loads((folder / LATENCY_FILE).read_text(encoding="utf-8"))
            batches = {int(count): Cost(**cost) for count, cost in values.pop("batches").items()}
            return cls(batches=batches, **values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None


def in_words(ms: float) -> str:
    """Milliseconds, `12.3` or `0.45`."""
    return f"{ms:.1f}" if ms >= 1 else f"{ms:.2f}"


def host_here() -> str:
    """What a measurement is of."""
    return socket.gethostname()


def measure(inference: "Inference", batches: Sequence[int] = BATCHES) -> Latency:
    """Time a network on its device; nothing else should run meanwhile. It takes a few seconds.

    Where one run of a batch may take longer than all repetitions are to, it is warmed up by one run, and on a
    CPU by the batch before: a GPU loads other kernels for each size.

    Args:
        inference: the network, and how its maps become poses.
        batches: images at once, the fewest first.
    """
    import torch

    from epropnp.inference.flops import multiply_adds
    from epropnp.inference.precision import computed

    device, found = inference.device, dict[int, Cost]()
    for count in batches:
        most_ms = [count * (cost.network_ms + cost.layer_ms) for cost in found.values()][-1:]
        if not most_ms or most_ms[0] <= 1000 * LONGEST_S:
            long = any(ms > 1000 * SECONDS for ms in most_ms)
            few = 0 if device.type == "cpu" else 1
            found[count] = _medians(inference, _made_up(inference, count), few if long else WARM_UPS)
    return Latency(
        batches=found,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        precision=computed(device, inference.precision),
        threads=torch.get_num_threads(),
        torch=torch.__version__,
        host=host_here(),
        measured=datetime.now(UTC).isoformat(timespec="seconds"),
        multiply_adds=multiply_adds(inference.net, inference.model.input_px, device),
    )


def _made_up(inference: "Inference", count: int) -> "Crops":
    """Noise, as if cut from the middle of a common camera's picture."""
    import torch

    from epropnp.data.dataset import Crops

    px, generator = inference.model.input_px, torch.Generator().manual_seed(SEED)
    return Crops(
        image=torch.randint(256, (count, px, px, 3), generator=generator, dtype=torch.uint8),
        K=torch.tensor([[570.0, 0, 320], [0, 570, 240], [0, 0, 1]]).expand(count, 3, 3).contiguous(),
        corner=torch.tensor([240.0, 160.0]).expand(count, 2).contiguous(),
        side=torch.full((count,), 160.0),
        coord_scale=torch.full((count, 3), 0.05),
    ).to(inference.device)


def _medians(inference: "Inference", crops: "Crops", warm_ups: int) -> Cost:
    if warm_ups:
        _runs(inference, crops, warm_ups, WARM_S)
    runs = _runs(inference, crops, REPETITIONS, SECONDS)
    network, layer = (1000 * statistics.median(part) / len(crops.side) for part in zip(*runs, strict=True))
    return Cost(network_ms=network, layer_ms=layer)


def _runs(inference: "Inference", crops: "Crops", most: int, seconds: float) -> list[tuple[float, float]]:
    """Seconds of network and layer in each of several runs; none begins when that time is over."""
    runs: list[tuple[float, float]] = []
    began_s = time.perf_counter()
    while len(runs) < most and (not runs or time.perf_counter() - began_s < seconds):
        begin_s = _now_s(inference.device)
        maps = inference.maps(crops)
        between_s = _now_s(inference.device)
        inference.solved(maps, crops)
        runs.append((between_s - begin_s, _now_s(inference.device) - between_s))
    return runs


def _now_s(device: "torch.device") -> float:
    """When the device has done what it was told."""
    import torch

    if device.type != "cpu":
        getattr(torch, device.type).synchronize(device)  # as torch.cuda's
    return time.perf_counter()
