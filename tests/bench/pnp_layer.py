"""Time and memory of the probabilistic PnP layer: one training step, its scaling, and inference.

The official implementation needs, on two quiet CPU cores: 0.43 s forward and 0.54 s backward for a training
step of 32 objects x 512 points x 512 samples and 0.97 GB; for inference, 17 ms (1 object x 4096 points) and
0.17 to 0.2 s (256 x 512) with 10 Gauss-Newton steps, 52 ms and 1.0 s with 64 random-sample proposals and 10
Levenberg-Marquardt steps.
"""

import ctypes
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor

from epropnp.pnp import Camera, Correspondences, EProPnP, PnPConfig
from epropnp.pnp.pose import transform

OFFICIAL_STEP_S, OFFICIAL_STEP_GB = 0.43 + 0.54, 0.97
INFERENCE = ("10 Gauss-Newton steps", "64 proposals + 10 LM steps")
OFFICIAL_INFERENCE_S = {(1, 4096): (0.017, 0.052), (256, 512): (0.185, 1.0)}


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What to time."""

    repeats: int = 12
    device: str = "cuda" if torch.cuda.is_available() else "cpu"
    compile: bool = True
    """Whether to time the compiled layer, too; compiling takes half a minute."""
    scaling: bool = True
    """Whether to vary the number of objects, points and samples, too."""


@dataclass(frozen=True)
class Case:
    """Noisy correspondences of random objects at 0.8 m, LineMOD's camera."""

    pose: Tensor  # (B, 7)
    given: Correspondences  # object points and weights with gradient


def make_case(objects: int, points: int, device: str) -> Case:
    torch.manual_seed(0)
    K = torch.tensor([[572.4, 0.0, 325.3], [0.0, 573.6, 242.0], [0.0, 0.0, 1.0]])
    quats = torch.nn.functional.normalize(torch.randn(objects, 4), dim=-1)
    pose = torch.cat([torch.tensor([[0.0, 0.0, 0.8]]).expand(objects, 3), quats], dim=-1)
    points_obj = (torch.rand(objects, points, 3) - 0.5) * 0.15
    homogeneous = transform(pose, points_obj) @ K.mT  # (B, N, 3)
    points_img = homogeneous[..., :2] / homogeneous[..., 2:]
    points_img = points_img + torch.randn_like(points_img)
    weights = torch.rand(objects, points, 2) / points**0.5
    box = torch.tensor([[-100.0, -100.0], [740.0, 580.0]]).expand(objects, 2, 2)
    K = K.expand(objects, 3, 3)
    given = Correspondences(
        points_obj=points_obj.to(device).requires_grad_(),
        points_img=points_img.to(device),
        weights=weights.to(device).requires_grad_(),
        camera=Camera(K.to(device), box[:, 0].to(device), box[:, 1].to(device)),
    )
    return Case(pose.to(device), given)


def clock(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def step(layer: EProPnP, case: Case) -> tuple[float, float]:
    """Seconds of one forward and one backward pass of the Monte Carlo loss."""
    device = case.pose.device.type
    start = clock(device)
    posterior = layer.monte_carlo(case.given, init_pose=case.pose)
    cost = layer.cost(case.given, case.pose, delta=posterior.delta)
    loss = (cost + posterior.log_evidence).mean()
    middle = clock(device)
    loss.backward()
    return middle - start, clock(device) - middle


def peak_above_inputs(function: Callable[[], Any], device: str) -> float:
    """GB that a call needs beyond what is allocated when it starts."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        function()
        return float(torch.cuda.max_memory_allocated() - before) / 1e9
    ctypes.CDLL(None).malloc_trim(0)  # earlier steps must not leave free memory to this one
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts from here
    before = _status_kb("VmRSS")
    function()
    return (_status_kb("VmHWM") - before) / 1e6


def _status_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def time_step(layer: EProPnP, case: Case, repeats: int) -> tuple[float, float]:
    step(layer, case)  # warm-up
    times = [step(layer, case) for _ in range(repeats)]
    forward, backward = (statistics.median(column) for column in zip(*times, strict=True))
    return forward, backward


def bench_step(config: BenchConfig) -> None:
    """The study's size: 32 objects x 512 points x 512 samples, 4 proposals x 16 points x 3 iterations."""
    for name, pnp in _modes(config).items():
        case, layer = make_case(32, 512, config.device), EProPnP(pnp)
        step(layer, case)  # libraries, compilation
        memory = peak_above_inputs(partial(step, layer, case), config.device)
        forward, backward = time_step(layer, case, config.repeats)
        ratio = OFFICIAL_STEP_S / (forward + backward)
        print(
            f"  {name:8s}  forward {forward:.3f} s  backward {backward:.3f} s  sum {forward + backward:.3f} s"
            f"  {ratio:4.1f}x the official layer  {memory:.3f} GB above the inputs ({OFFICIAL_STEP_GB} GB)"
        )


def bench_scaling(config: BenchConfig) -> None:
    compiled = config.compile
    for objects, points, samples in ((8, 512, 512), (128, 512, 512), (32, 128, 512), (32, 2048, 512),
                                     (32, 512, 128), (32, 512, 2048)):  # fmt: skip
        layer = EProPnP(PnPConfig(amis_samples=samples // 4, compile=compiled))
        case = make_case(objects, points, config.device)
        forward, backward = time_step(layer, case, max(3, config.repeats // 4))
        pairs = objects * points * samples
        print(
            f"  B {objects:3d}  N {points:4d}  S {samples:4d}  {forward:.3f} s + {backward:.3f} s"
            f"  {(forward + backward) / pairs * 1e9:5.1f} ns per pose and point"
        )


def bench_inference(config: BenchConfig) -> None:
    for name, pnp in _modes(config).items():
        for (objects, points), official in OFFICIAL_INFERENCE_S.items():
            case, layer = make_case(objects, points, config.device), EProPnP(pnp)
            solve = partial(layer.solve, case.given, iterations=10)
            newton = partial(solve, init_pose=case.pose, proposals=0, fast=True)
            blind = partial(solve, proposals=64)
            for label, call, reference in zip(INFERENCE, (newton, blind), official, strict=True):
                seconds = time_call(call, config)
                print(
                    f"  {name:8s}  {objects:3d} x {points:4d}  {label:26s}  {1e3 * seconds:6.1f} ms"
                    f"  {reference / seconds:4.1f}x the official layer"
                )


def time_call(call: Callable[[], Any], config: BenchConfig) -> float:
    """Median seconds of a call."""
    call()
    times = []
    for _ in range(config.repeats):
        start = clock(config.device)
        call()
        times.append(clock(config.device) - start)
    return statistics.median(times)


def _modes(config: BenchConfig) -> dict[str, PnPConfig]:
    return {"eager": PnPConfig()} | ({"compiled": PnPConfig(compile=True)} if config.compile else {})


def main(config: BenchConfig) -> None:
    print(f"PnP layer on {config.device}, {torch.get_num_threads()} threads; medians of {config.repeats}")
    print(" one training step, 32 objects x 512 points x 512 samples")
    bench_step(config)
    if config.scaling:
        print(" scaling of a training step" + (", compiled" if config.compile else ""))
        bench_scaling(config)
    print(" inference")
    bench_inference(config)


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
