"""A network that `export` wrote as ONNX, run by onnxruntime in the place of the network itself.

onnxruntime computes on the CPU with as many threads as torch, and on a CUDA device where its package can
(`onnxruntime-gpu`); the pose layer stays torch's. Reading a file runs no code from it.
"""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from epropnp.errors import UserError
from epropnp.extras import require
from epropnp.inference.card import CARD, from_text
from epropnp.models.network import Prediction

SUFFIX = ".onnx"
INPUT = "image"
OUTPUTS = ("coords", "weight_logits", "log_scale")  # the fields of `Prediction`


class OnnxNet(nn.Module):
    """What `CorrespondenceNet` is in an `Inference`. It computes in float32, whatever it was trained in.

    Args:
        path: a file of `export.export_onnx`.
        device: of the images that it will be given.

    Attributes:
        card: what else prediction needs, by the keys of `best.pt`.
        released: nothing is known of where its weights came from.

    Raises:
        UserError: onnxruntime is not installed; a file that is damaged, or not of ours.
    """

    released: None = None

    def __init__(self, path: Path, device: torch.device) -> None:
        super().__init__()
        self.session = _session(path, device)
        known: dict[str, str] = self.session.get_modelmeta().custom_metadata_map
        if CARD not in known:
            raise UserError(f"{path} is a network of other code: give a file of python -m epropnp.export")
        self.card = from_text(known[CARD], path)
        self.place = nn.Parameter(torch.empty(0, device=device), requires_grad=False)  # tells the device

    def forward(self, image: Tensor) -> Prediction:
        """Predict from an RGB image (B, 3, H, W) in [0, 1], as the network itself."""
        pixels = image.float().cpu().contiguous().numpy()
        maps = self.session.run(list(OUTPUTS), {INPUT: pixels})
        return Prediction(*(torch.from_numpy(values).to(image.device) for values in maps))


def _session(path: Path, device: torch.device) -> Any:
    """onnxruntime's session of a file."""
    require(f"running {path.name}", "export", only=("onnxruntime",))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    # Its threads sleep between two batches: the pose layer's need the cores.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(str(path), options, providers)
    except Exception as error:  # onnxruntime raises many kinds for a damaged file
        reason = type(error).__name__
        raise UserError(f"{path} cannot be read ({reason}): it is damaged, or no ONNX file") from error
