"""EPro-PnP: dense 2D-3D correspondences from a network, turned into a distribution over 6DoF poses.

Rooms: `pnp` (the probabilistic layer), `models`, `losses`, `data`, `inference` (from crops to poses),
`evaluation` (from poses to numbers), `training`, `visualization`. Nothing in here knows Ray or MLflow.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PROGRAMS_NEED = ("tyro", "rich", "numpy", "torch", "timm", "cv2", "pyarrow")  # before they answer anything


def _starts_a_program() -> bool:
    """Whether this is imported for a command line of this project, and not for its layer or its networks."""
    started = Path(sys.argv[0])  # `-m` while the package of a module is imported that will run
    here = Path(__file__).resolve().parents[1]
    return sys.argv[0] == "-m" or (started.is_file() and here in started.resolve().parents)


_absent = [name for name in PROGRAMS_NEED if find_spec(name) is None] if _starts_a_program() else []
if _absent:  # another Python than that of `make install`: said before a program imports what it lacks
    sys.stderr.write(
        f"error: {_absent[0]} is not installed for this Python ({sys.executable}); "
        "run make install, then . .venv/bin/activate\n"
    )
    raise SystemExit(2)
