"""What only some programs need: the extra that brings it is named in one line where it is missing."""

from importlib.util import find_spec

from epropnp.errors import UserError

LIBRARIES = {  # of each extra, by the names that they are imported by
    "data": ("trimesh", "embreex", "manifold3d", "skimage"),
    "sweeps": ("ray", "mlflow", "optuna"),
}


def require(task: str, *extras: str) -> None:
    """Check that all libraries of these extras are there; none is loaded.

    Raises:
        UserError: some are not; names them and says what to install for the task.
    """
    absent = {extra: [name for name in LIBRARIES[extra] if find_spec(name) is None] for extra in extras}
    wanted = [extra for extra, names in absent.items() if names]
    if wanted:
        names = ", ".join(name for extra in wanted for name in absent[extra])
        raise UserError(
            f"{task} needs more than is installed ({names}): pip install 'epropnp-sweeps[{','.join(wanted)}]'"
        )
