"""The layer never waits for its device: no value travels to the host, in forward or backward."""

from dataclasses import replace

import pytest
import torch

from epropnp.pnp import Camera, EProPnP, PnPConfig
from tests.gpu.waiting import NoWaiting, cuda_waits_are_errors
from tests.pnp.scenes import Scene, make_scene

CONFIGS = [PnPConfig(), PnPConfig(sampler="quasi"), PnPConfig(dof=4), PnPConfig(kernel="none")]


def use_everything(layer: EProPnP, scene: Scene, generator: torch.Generator) -> None:
    given = scene.correspondences
    start = scene.pose_gt if layer.config.dof == 6 else scene.pose_gt[:, :4]
    masked = replace(given, mask=torch.ones_like(scene.weights[..., 0], dtype=torch.bool))
    result = layer.monte_carlo(masked, init_pose=start, generator=generator)
    loss = (layer.cost(masked, start, delta=result.delta) + result.log_evidence).sum()
    fast = layer.solve(given, fast=True, generator=generator)
    loss = loss + layer.gauss_newton_step(given, fast.pose).sum()
    loss.backward()


@pytest.mark.parametrize("config", CONFIGS)
def test_no_operation_reads_a_value(config: PnPConfig) -> None:
    scene = make_scene(3, 40, dtype=torch.float32).leaves()
    with NoWaiting("cpu") as guard:
        use_everything(EProPnP(config), scene, torch.Generator().manual_seed(0))
    assert guard.seen > 500
    assert scene.weights.grad is not None
    assert torch.isfinite(scene.weights.grad).all()


def test_the_guard_catches_what_it_should() -> None:
    values = torch.tensor([1.0, -1.0])
    for waiting in (
        lambda: values.sum().item(),
        lambda: values[values > 0],
        lambda: values.nonzero(),
        lambda: torch.linalg.inv(values.diag()),  # looks whether it has worked
    ):
        with pytest.raises(AssertionError), NoWaiting("cpu"):
            waiting()


def to_cuda(scene: Scene) -> Scene:
    obj, img, weights = (x.detach().cuda().requires_grad_() for x in scene.tensors)
    camera = Camera(scene.camera.K.cuda(), scene.camera.lower.cuda(), scene.camera.upper.cuda())
    return Scene(obj, img, weights, camera, scene.pose_gt.cuda())


@pytest.mark.gpu
@pytest.mark.parametrize("config", CONFIGS)
def test_cuda_never_synchronises(config: PnPConfig) -> None:
    scene = to_cuda(make_scene(3, 40, dtype=torch.float32))
    generator, layer = torch.Generator("cuda").manual_seed(0), EProPnP(config)
    use_everything(layer, scene, generator)  # loads kernels and libraries, which may synchronise
    with cuda_waits_are_errors():
        use_everything(layer, scene, generator)


@pytest.mark.gpu
def test_cuda_gives_the_results_of_the_cpu() -> None:
    scene = make_scene(6, 200)
    layer, other = EProPnP(PnPConfig(amis_samples=1024)), to_cuda(scene)
    here = layer.solve(scene.correspondences, init_pose=scene.pose_gt, proposals=0, iterations=20)
    there = layer.solve(other.correspondences, init_pose=other.pose_gt, proposals=0, iterations=20)
    torch.testing.assert_close(there.pose.cpu(), here.pose, atol=1e-9, rtol=0)
    found = [layer.monte_carlo(s.correspondences, init_pose=s.pose_gt).log_evidence for s in (scene, other)]
    torch.testing.assert_close(found[1].detach().cpu(), found[0], atol=0.1, rtol=0)
