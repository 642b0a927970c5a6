"""A trained network as a model of MLflow, which answers requests with poses wherever MLflow runs models.

The model is code, not a pickle: `pose_service.py`, the package `epropnp` as it is here, and `best.pt`.
"""

import base64
import importlib.util
from importlib import metadata
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import epropnp
from epropnp.inference.model import TrainedModel, load_model
from epropnp.models.config import own_file
from epropnp.training.record import CONFIG_FILE
from sweeps.tracking.fluent import quiet

NETWORK = "network"  # name of the artifact
SERVICE = Path(__file__).with_name("pose_service.py")
EXAMPLE_PX = 64
REQUEST = ("image", "K", "box", "object")
ROW = (
    *("request", "box", "of", "object", "object_id", "given_box", "valid", "T_cam_obj", "covariance"),
    *("hypotheses", "equal_poses", "credible_region", "log_evidence", "effective_samples", "cost", "overlap"),
    "notes",
)
# What `epropnp` imports, and MLflow itself.
LIBRARIES = (
    "mlflow",
    "torch",
    "torchvision",
    "timm",
    "huggingface-hub",
    "numpy",
    "scipy",
    "opencv-python-headless",
    "pyarrow",
    "matplotlib",
    "pillow",
    "rich",
    "tyro",
)


def save_pose_model(network: Path, folder: Path) -> None:
    """Write the model of a `best.pt`, or of a trial's folder, to a folder that is empty or new.

    Raises:
        UserError: the network cannot be used.
    """
    import mlflow

    with quiet():
        mlflow.pyfunc.save_model(path=str(folder), **content(network))


def content(network: Path) -> dict[str, Any]:
    """What `mlflow.pyfunc.save_model` is told. UserError as of `save_pose_model`."""
    file = own_file(str(network))
    model, note = load_model(file), file.resolve().with_name(CONFIG_FILE)
    return {
        "python_model": str(SERVICE),
        "artifacts": {NETWORK: str(file.resolve())} | ({"trial": str(note)} if note.is_file() else {}),
        "code_paths": [str(Path(epropnp.__file__).parent), *_own_code(model)],
        "signature": signature(),
        "input_example": example(model),
        "pip_requirements": requirements(),
        "metadata": {
            "dataset_id": model.dataset_id,
            "objects": {str(key): each.name for key, each in model.objects.items()},
            "boxes": model.boxes,
        },
    }


def signature() -> Any:
    """Columns of any JSON, for K may be a list or a table: `epropnp.prediction.requests` checks them.

    None counts as needed: MLflow's own words for what is missing would hold the whole request.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema
    from mlflow.types.schema import AnyType

    asked, told = (
        Schema([ColSpec(AnyType(), name, required=False) for name in names]) for names in (REQUEST, ROW)
    )
    return ModelSignature(inputs=asked, outputs=told)


def example(model: TrainedModel) -> list[dict[str, Any]]:
    """A request for the first object of a network, with a small picture."""
    side = EXAMPLE_PX
    picture = np.tile(np.linspace(40, 200, side).astype(np.uint8)[None, :, None], (side, 1, 3))
    content = cv2.imencode(".png", picture)[1].tobytes()
    middle = (side - 1) / 2
    return [
        {
            "image": base64.b64encode(content).decode(),
            "K": [float(side), 0.0, middle, 0.0, float(side), middle, 0.0, 0.0, 1.0],
            "box": [[16.0, 16.0, 32.0, 32.0]],
            "object": next(iter(model.objects.values())).name,
        }
    ]


def requirements() -> list[str]:
    """The libraries in the versions of this environment, as an index knows them: without local parts."""
    found = []
    for name in LIBRARIES:
        try:
            found.append(f"{name}=={metadata.version(name).partition('+')[0]}")
        except metadata.PackageNotFoundError:  # such as opencv-python in place of the headless one
            found.append(name)
    return found


def _own_code(model: TrainedModel) -> list[str]:
    """Where the module of a head of one's own lies, if it is one."""
    name = model.config["model"]["head"].partition(".")
    spec = importlib.util.find_spec(name[0]) if name[1] else None
    if spec is None or spec.origin is None:
        return []
    file = Path(spec.origin)
    return [str(file.parent if file.stem == "__init__" else file)]
