"""Compiled kernels give the numbers of the eager ones; without a compiler the layer still works."""

import logging
import shutil

import pytest
import torch
from torch._dynamo import config as dynamo_config
from torch._inductor import config as inductor_config

from epropnp.pnp import EProPnP, PnPConfig
from epropnp.pnp.compiled import compiled
from tests.pnp.scenes import make_scene, perturbed


@pytest.mark.slow
@dynamo_config.patch(error_on_recompile=True)
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
def test_compiled_once_cost_and_gradients_are_the_eager_ones_for_any_size(
    caplog: pytest.LogCaptureFixture,
) -> None:
    eager, fast = EProPnP(), EProPnP(PnPConfig(compile=True))
    for batch, count, samples in ((5, 40, 20), (7, 64, 9)):  # 2 and 3 would be taken for image and space
        scene = make_scene(batch, count, outliers=0.2, dtype=torch.float32).leaves()
        poses = perturbed(scene, samples, scale=0.2)
        inputs = (scene.points_obj, scene.points_img, scene.weights)
        costs = [layer.cost(scene.correspondences, poses) for layer in (eager, fast)]
        torch.testing.assert_close(costs[1], costs[0], rtol=1e-5, atol=1e-4)
        gradients = [torch.autograd.grad((-cost).logsumexp(0).sum(), inputs) for cost in costs]
        for a, b in zip(*gradients, strict=True):
            assert ((a - b).norm() / a.norm()).item() < 1e-5
    assert not [record for record in caplog.records if record.name.startswith("epropnp")]  # it was compiled


@inductor_config.patch({"cpp.cxx": ("no-such-compiler",), "force_disable_caches": True})
def test_without_a_compiler_the_function_itself_runs_and_the_log_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def increment(values: torch.Tensor) -> torch.Tensor:
        return values + 1

    assert compiled(increment, False) is increment
    run = compiled(increment, True)
    with caplog.at_level(logging.WARNING, logger="epropnp"):
        assert run(torch.ones(2)).tolist() == [2.0, 2.0]
        assert run(torch.ones(3)).tolist() == [2.0, 2.0, 2.0]
    warnings = [record.message for record in caplog.records if record.name.startswith("epropnp")]
    assert len(warnings) == 1
    assert warnings[0].startswith("increment runs without torch.compile: ")
