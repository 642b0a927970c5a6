"""Time of one training step of the probabilistic PnP layer: `make bench`.

The reference implementation needs 0.43 s forward and 0.54 s backward for the default sizes, on two quiet
CPU cores.
"""

import resource
import statistics
import time
from dataclasses import dataclass

import torch
import tyro
from torch import Tensor

from epropnp.pnp.camera import Camera
from epropnp.pnp.layer import EProPnP
from epropnp.pnp.pose import transform


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Sizes of the timed problem. The number of pose samples is the layer's own (512)."""

    objects: int = 32
    points: int = 512
    repeats: int = 12
    device: str = "cuda" if torch.cuda.is_available() else "cpu"


@dataclass(frozen=True)
class Case:
    """Noisy correspondences of random objects at 0.8 m, LineMOD's camera."""

    pose: Tensor  # (B, 7)
    points_obj: Tensor  # (B, N, 3) metres
    points_img: Tensor  # (B, N, 2) px
    weights: Tensor  # (B, N, 2) 1/px, with gradient
    camera: Camera


def make_case(config: BenchConfig) -> Case:
    torch.manual_seed(0)
    count = config.objects
    K = torch.tensor([[572.4, 0.0, 325.3], [0.0, 573.6, 242.0], [0.0, 0.0, 1.0]])
    quats = torch.nn.functional.normalize(torch.randn(count, 4), dim=-1)
    pose = torch.cat([torch.tensor([[0.0, 0.0, 0.8]]).expand(count, 3), quats], dim=-1)
    points_obj = (torch.rand(count, config.points, 3) - 0.5) * 0.15
    homogeneous = transform(pose, points_obj) @ K.mT  # (B, N, 3)
    points_img = homogeneous[..., :2] / homogeneous[..., 2:]
    points_img = points_img + torch.randn_like(points_img)
    weights = torch.rand(count, config.points, 2) / config.points**0.5
    box = torch.tensor([[-100.0, -100.0], [740.0, 580.0]]).expand(count, 2, 2)
    device = config.device
    return Case(
        pose=pose.to(device),
        points_obj=points_obj.to(device).requires_grad_(),
        points_img=points_img.to(device),
        weights=weights.to(device).requires_grad_(),
        camera=Camera(K.expand(count, 3, 3).to(device), box[:, 0].to(device), box[:, 1].to(device)),
    )


def clock(device: str) -> float:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    return time.perf_counter()


def step(layer: EProPnP, case: Case, device: str) -> tuple[float, float]:
    """Seconds of one forward and one backward pass of the Monte Carlo loss."""
    given = (case.points_obj, case.points_img, case.weights, case.camera)
    start = clock(device)
    posterior = layer.monte_carlo(*given, pose_init=case.pose)
    cost = layer.cost(case.pose, *given, posterior.delta)
    loss = (cost + posterior.log_evidence).mean()
    middle = clock(device)
    loss.backward()
    end = clock(device)
    return middle - start, end - middle


def main(config: BenchConfig) -> None:
    layer, case = EProPnP(), make_case(config)
    step(layer, case, config.device)  # warm-up
    times = [step(layer, case, config.device) for _ in range(config.repeats)]
    forward, backward = (statistics.median(column) for column in zip(*times, strict=True))
    peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    if config.device.startswith("cuda"):
        peak_gb = torch.cuda.max_memory_allocated() / 1e9
    print(
        f"PnP layer, {config.objects} objects x {config.points} points, {config.device},"
        f" {torch.get_num_threads()} threads: forward {forward:.3f} s, backward {backward:.3f} s"
        f" (median of {config.repeats}), peak {peak_gb:.2f} GB"
    )


if __name__ == "__main__":
    main(tyro.cli(BenchConfig, description=__doc__))
