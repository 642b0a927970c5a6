"""The validation curves of a sweep, as a small file for tests.

python -m tests.sweeps.recorded.curves SWEEP FILE
"""

import json
import sys
from pathlib import Path

from sweeps.folder import open_sweep


def main(sweep: str, file: str) -> int:
    """Write `{trial: [area after epochs 0, 1, ...]}`."""
    found = {
        trial.name: [round(metrics["val/add_area"], 3) for metrics in trial.history]
        for trial in open_sweep(Path(sweep)).trials()
        if trial.status == "finished"
    }
    Path(file).write_text(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
