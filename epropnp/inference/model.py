"""A trained network in a file, with all that prediction needs: objects, settings, temperatures.

`best.pt` of a trial is such a file. It holds tensors and plain containers, and is read without running code
from it. `dataset_id` says what it was trained on; the dataset itself is not needed any more. An ONNX file of
`export` is another one.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from epropnp.data.augment import CROP_PER_BOX
from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError, nearest
from epropnp.files import replaced
from epropnp.inference.config import STUDY, EvaluationConfig
from epropnp.inference.onnx_net import SUFFIX, OnnxNet
from epropnp.inference.poses import Inference
from epropnp.inference.temperature import Temperature, Temperatures
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet
from epropnp.models.released import OFFICIAL_ANCHOR
from epropnp.plain import from_dict, to_dict
from epropnp.pnp import EProPnP, PnPConfig

BoxKind = Literal["visible", "whole"]
FORMAT = 2  # of such files; those without a number are of format 1
TRAINED_BOXES: BoxKind = "visible"  # what the crops of training are cut around
NEEDED = ("config", "objective", "objects")  # in such a file, beside the weights
OFFICIAL_POINTS = 512  # of each image, that weights are normalised over
LAYER = "layer."  # what the pose layer's parameters are called in the state of the training objective


@dataclass(frozen=True, kw_only=True)
class TrainedModel:
    """What such a file holds, ready for use.

    Attributes:
        inference: the network and how its maps become poses.
        objects: that it was trained on, by id.
        temperatures: that correct how sure it says it is; of an unfinished training, none.
        config: of the trial, as in `trial.json`; of a network of other code, what prediction takes of it.
        dataset_id: of the dataset that it was trained on.
        boxes: what the boxes of its training are about: the visible part of an object, or the whole.
    """

    inference: Inference
    objects: Mapping[int, ObjectModel]
    temperatures: Temperatures
    config: dict[str, Any]
    dataset_id: str
    boxes: BoxKind = TRAINED_BOXES

    def object_ids(self, objects: Sequence[str | int] | None, count: int) -> list[int]:
        """Ids of `count` objects by name or id; None where the network knows only one.

        Raises:
            UserError: an unknown object, a wrong number of them, or none named where there is a choice.
        """
        names = {model.name: key for key, model in self.objects.items()}
        if objects is None:
            if len(names) > 1:
                raise UserError(f"objects: which of {', '.join(names)} is in each crop?")
            return [*names.values()] * count
        if len(objects) != count:
            raise UserError(f"objects: {len(objects)} are named for {count} crops")
        known: dict[str | int, int] = {key: key for key in self.objects} | names
        for name in objects:
            if name not in known:
                raise UserError(f"objects: the network does not know {name!r}{nearest(str(name), names)}")
        return [known[name] for name in objects]


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain containers to a file, atomically.

    Raises:
        UserError: the file cannot be written, such as on a full disk. An earlier one stays whole.
    """
    with replaced(path) as temporary:
        torch.save(state, temporary)


def load_checkpoint(path: Path, advice: str = "delete it to start over") -> dict[str, Any]:
    """Read what `save_checkpoint` wrote, onto the CPU. UserError with an advice where it is damaged."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        if not isinstance(state, dict):
            raise TypeError(f"it holds a {type(state).__name__}")
    except Exception as error:  # torch raises many kinds for a damaged file
        reason = type(error).__name__
        raise UserError(f"checkpoint {path} cannot be read ({reason}): {advice}") from error
    return state


def portable(objects: Mapping[int, ObjectModel]) -> dict[str, Any]:
    """What a checkpoint needs beside weights and settings to be used without its dataset."""
    table = [
        {name: torch.tensor(value) if isinstance(value, np.ndarray) else value for name, value in row.items()}
        for row in map(dataclasses.asdict, objects.values())
    ]
    return {"format": FORMAT, "objects": table, "crop_per_box": CROP_PER_BOX, "boxes": TRAINED_BOXES}


def without_weights(model: TrainedModel) -> dict[str, Any]:
    """All of a `best.pt` but the weights."""
    return {
        "config": model.config,
        "objective": {f"{LAYER}{name}": value for name, value in model.inference.layer.state_dict().items()},
        **portable(model.objects),
        "boxes": model.boxes,
        "temperatures": dataclasses.asdict(model.temperatures),
        "dataset_id": model.dataset_id,
    }


def is_trained_model(path: Path) -> bool:
    """Whether a file is one of ours, such as a `best.pt`, and not a checkpoint of other code."""
    if not path.is_file() or path.suffix == SUFFIX:
        return True  # `load_model` says what is missing
    try:
        return bool({"config", "objective"} & load_checkpoint(path).keys())
    except UserError:
        return False


def load_model(path: Path, device: torch.device | str = "cpu") -> TrainedModel:
    """Read a network and what prediction needs, from a `best.pt` or an ONNX file of `export`.

    Raises:
        UserError: the file is missing or damaged, or older than the table of objects in such files; it is
            ONNX, and onnxruntime is not installed.
    """
    if not path.is_file():
        raise UserError(f"{path} is not there: give the best.pt of a trial")
    if path.suffix == SUFFIX:
        exported = OnnxNet(path, torch.device(device))
        return _assembled(_checked(exported.card, path, *NEEDED), exported, device)
    saved = load_checkpoint(path, "take another one, such as the best.pt of a finished trial")
    net = CorrespondenceNet(_network(_checked(saved, path, "net", *NEEDED)))
    net.load_state_dict(saved["net"])
    return _assembled(saved, net, device)


def _checked(saved: dict[str, Any], path: Path, *needed: str) -> dict[str, Any]:
    """What a file holds, if that is all that prediction needs, in a format that this version knows."""
    found = saved.get("format", 1)
    if found not in range(1, FORMAT + 1):
        raise UserError(
            f"{path} is a network of format {found}, this version reads formats 1 to {FORMAT}: update it, or "
            "take a network of this version"
        )
    missing = set(needed) - saved.keys()
    if missing:
        raise UserError(
            f"{path} does not hold {', '.join(sorted(missing))}: it is no best.pt, or one of an older "
            "version, whose networks cannot be used without their dataset; train again to get one that can"
        )
    return saved


def _network(saved: Mapping[str, Any]) -> ModelConfig:
    """Config of the network in a file, which has the weights."""
    return from_dict(ModelConfig, saved["config"]["model"], "config.model").bare


def _assembled(
    saved: Mapping[str, Any], net: CorrespondenceNet | OnnxNet, device: torch.device | str
) -> TrainedModel:
    config = saved["config"]
    layer = EProPnP(from_dict(PnPConfig, config["pnp"], "config.pnp"))
    state = saved["objective"].items()
    layer.load_state_dict({k.removeprefix(LAYER): v for k, v in state if k.startswith(LAYER)})
    inference = Inference(
        net=net.to(device).to(memory_format=torch.channels_last).eval(),
        layer=layer.to(device),
        model=_network(saved),
        settings=from_dict(EvaluationConfig, config["evaluation"], "config.evaluation"),
        points=config["data"]["points"],
        precision="float32" if isinstance(net, OnnxNet) else config["optim"]["precision"],
    )
    objects = [_object(row) for row in saved["objects"]]
    fitted = {name: Temperature(**values) for name, values in saved.get("temperatures", {}).items()}
    return TrainedModel(
        inference=inference,
        objects={model.object_id: model for model in objects},
        temperatures=Temperatures(**fitted),
        config=config,
        dataset_id=saved["dataset_id"],
        boxes=saved.get("boxes", TRAINED_BOXES),
    )


def load_released_model(
    path: Path, objects: Mapping[int, ObjectModel], device: torch.device | str = "cpu"
) -> TrainedModel:
    """A network of the official EPro-PnP 6DoF code, which knows these objects, with the official settings.

    The file says nothing of objects: whoever trained it knows. UserError as `models.released`.
    """
    model = ModelConfig(backbone="resnet34", head="deconv", cell_anchor=OFFICIAL_ANCHOR, released=str(path))
    inference = Inference(
        net=CorrespondenceNet(model).to(device).to(memory_format=torch.channels_last).eval(),
        layer=EProPnP(PnPConfig()).to(device),
        model=model,
        settings=STUDY,
        points=OFFICIAL_POINTS,
        precision="float32",
    )
    config = {
        "model": to_dict(model),
        "pnp": to_dict(inference.layer.config),
        "evaluation": to_dict(STUDY),
        "data": {"points": OFFICIAL_POINTS},
        "optim": {"precision": inference.precision},
    }
    return TrainedModel(
        inference=inference, objects=objects, temperatures=Temperatures(), config=config, dataset_id=""
    )


def _object(row: Mapping[str, Any]) -> ObjectModel:
    values: dict[str, Any] = {k: v.numpy() if isinstance(v, torch.Tensor) else v for k, v in row.items()}
    return ObjectModel(**values)
