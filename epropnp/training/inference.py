"""How a trial's network infers poses."""

from epropnp.inference.poses import Inference
from epropnp.models.network import CorrespondenceNet
from epropnp.pnp import EProPnP
from epropnp.training.config import TrialConfig


def inference_of(net: CorrespondenceNet, layer: EProPnP, config: TrialConfig) -> Inference:
    """Of a network and a layer, as a trial's config says."""
    return Inference(
        net=net,
        layer=layer,
        model=config.model,
        settings=config.evaluation,
        points=config.data.points,
        precision=config.optim.precision,
    )
