"""What only some programs need: the extra that brings it is named in one line where it is missing."""

from collections.abc import Collection
from importlib.util import find_spec

from epropnp.errors import UserError

LIBRARIES = {  # of each extra, by the names that they are imported by
    "data": ("trimesh", "embreex", "manifold3d", "skimage"),
    "sweeps": ("ray", "mlflow", "optuna", "pandas"),
    "export": ("onnx", "onnxscript", "onnxruntime"),
}


def require(task: str, *extras: str, only: Collection[str] = ()) -> None:
    """Check that all libraries of these extras are there, or of one extra `only` those; none is loaded.

    Raises:
        UserError: some are not; names them and says what to install for the task.
    """
    absent = {
        extra: [name for name in only or LIBRARIES[extra] if find_spec(name) is None] for extra in extras
    }
    wanted = [extra for extra, names in absent.items() if names]
    if wanted:
        names = ", ".join(name for extra in wanted for name in absent[extra])
        raise UserError(
            f"{task} needs more than is installed ({names}): pip install 'epropnp-sweeps[{','.join(wanted)}]'"
        )
