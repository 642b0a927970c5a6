"""The validation curves of a sweep, as a small file for tests.

python -m tests.sweeps.recorded.curves SWEEP SCORE FILE
"""

import json
import sys
from pathlib import Path

from epropnp.training.config import TrialConfig
from sweeps.folder import open_sweep


def told(config: TrialConfig) -> str:
    """A setting of the recorded sweeps in words."""
    return f"mc {config.loss.mc:g} lr {config.optim.lr:g} points {config.data.points}"


def main(sweep: str, score: str, file: str) -> int:
    """Write `{setting: [score after epochs 0, 1, ...]}`."""
    found = {
        told(trial.config): [round(metrics[f"val/{score}"], 3) for metrics in trial.history]
        for trial in open_sweep(Path(sweep)).trials()
        if trial.status == "finished"
    }
    Path(file).write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
