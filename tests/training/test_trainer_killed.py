"""A real process, killed at random moments and started again, ends with the same weights to the bit."""

import json
import random
import time
from pathlib import Path

import pytest
import torch

from epropnp.inference.model import load_checkpoint
from epropnp.plain import from_dict
from epropnp.training.config import TrialConfig
from epropnp.training.result import TrialResult
from epropnp.training.trainer import Trainer
from tests.forked import Forked, Origin

SCRIPT = """
import sys
from pathlib import Path
from epropnp.training.config import TrialConfig
from epropnp.plain import from_dict
from epropnp.training.trainer import Trainer
import json
config = from_dict(TrialConfig, json.loads(sys.argv[1]))
Trainer(config, sys.argv[2], Path(sys.argv[3]), "cpu", checkpoint_s=0.2).fit()
"""
CONFIG = """{
    "model": {"backbone": "test_resnet", "input_px": 64, "deconv_stride": 16, "head_width": 16,
              "weight_norm": "v2"},
    "pnp": {"amis_samples": 16},
    "loss": {"deriv_t": 0.1, "deriv_r": 0.1},
    "optim": {"optimiser": "adamw", "lr": 0.002, "schedule": "onecycle", "epochs": 3, "batch_size": 8,
              "clip_norm": 5.0, "ema": 0.95},
    "data": {"points": 64, "workers": WORKERS, "augment": {"color": 0.2, "occlusion": 0.5}},
    "evaluation": {"proposals": 8, "iterations": 5}
}"""


def start(origin: Origin, dataset: Path, folder: Path) -> Forked:
    """With two loaders, unlike the one that nothing cuts."""
    config = CONFIG.replace("WORKERS", "2")
    return origin.start(["-c", SCRIPT, config, str(dataset), str(folder)])


def wait_for(path: Path, run: Forked) -> None:
    """Until a checkpoint is there, or the process has ended."""
    while not path.exists() and run.poll() is None:
        time.sleep(0.05)


@pytest.mark.slow
def test_killed_at_random_moments(origin: Origin, tiny_dataset: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    config = from_dict(TrialConfig, json.loads(CONFIG.replace("WORKERS", "0")))
    Trainer(config, tiny_dataset, whole, "cpu").fit()
    moments = random.Random(7)
    kills = 0
    for _ in range(2):
        run = start(origin, tiny_dataset, cut)
        wait_for(cut / "checkpoint.pt", run)
        time.sleep(moments.uniform(0.2, 1.5))
        if run.poll() is None:
            run.kill()
            kills += 1
        run.wait(60)
    assert start(origin, tiny_dataset, cut).wait(300) == 0
    assert kills
    first, second = (TrialResult.from_json((f / "result.json").read_text()) for f in (whole, cut))
    assert first.train_loss == second.train_loss
    assert first.test == second.test
    weights, others = (load_checkpoint(f / "checkpoint.pt") for f in (whole, cut))
    for part in ("net", "objective"):
        for name, value in weights[part].items():
            assert torch.equal(value, others[part][name]), name
    for name, value in weights["updates"]["average"].items():
        assert torch.equal(value, others["updates"]["average"][name]), name
