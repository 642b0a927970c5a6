"""What the validation images of a sweep's trials count, as a small file for tests.

python -m tests.sweeps.recorded.validation_scores SWEEP FILE
"""

import sys
from pathlib import Path

import numpy as np

from sweeps.folder import open_sweep
from sweeps.search.objectives import objectives_of
from sweeps.search.search import setting_key
from sweeps.search.validated import images_of
from tests.sweeps.recorded.curves import told

SCORES = ("add_auc_10cm", "mspd_ar", "add_area")


def main(folder: str, file: str) -> int:
    """Write `names` of the settings (K,), and each score (K, S, n) in hundredths of a percent, as int16."""
    sweep = open_sweep(Path(folder))
    trials = [trial for trial in sweep.trials() if trial.status == "finished"]
    groups: dict[str, list[int]] = {}
    for at, trial in enumerate(trials):
        groups.setdefault(setting_key(trial.config, trial.dataset_id), []).append(at)
    whole = max(map(len, groups.values()))
    kept = [sorted(group, key=lambda at: trials[at].config.seed) for group in groups.values()]
    kept = [group for group in kept if len(group) == whole]
    stored = {"names": np.array([told(trials[group[0]].config) for group in kept])}
    for score in SCORES:
        images = images_of(sweep, objectives_of(f"val/{score}")[0])
        values = [[images(trials[at])[2] for at in group] for group in kept]
        stored[score] = np.round(100 * np.array(values)).astype(np.int16)
    np.savez_compressed(file, allow_pickle=False, **stored)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
