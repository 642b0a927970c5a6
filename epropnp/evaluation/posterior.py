"""What importance samples of a pose's posterior say about the truth, for `epropnp.evaluation.calibration`."""

from dataclasses import replace

import torch
from torch import Tensor

from epropnp.pnp import Camera, EProPnP

ROUNDS = 2  # of quasi-random samples: as exact as four rounds, and faster (docs/maths.md)


class PosteriorSampler:
    """Samples posteriors around solutions that are known already.

    Args:
        layer: whose kernel, threshold and degrees of freedom hold.
        samples: number per object, rounded down to an even one, at least 2.
    """

    def __init__(self, layer: EProPnP, samples: int) -> None:
        config = replace(
            layer.config,
            rslm_proposals=0,
            lm_iterations=0,
            amis_iterations=ROUNDS,
            amis_samples=max(1, samples // ROUNDS),
            sampler="quasi",
        )
        self.layer = EProPnP(config)
        self.layer.load_state_dict(layer.state_dict())
        self.layer.to(next(layer.parameters(), torch.empty(0)).device)

    @torch.no_grad()
    def __call__(
        self,
        points_obj: Tensor,
        points_img: Tensor,
        weights: Tensor,
        camera: Camera,
        *,
        pose: Tensor,
        truths: Tensor,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """The fields of `predictions.Posterior`, (B,) each.

        Args:
            points_obj, points_img, weights, camera: as of `EProPnP`.
            pose: (B, 7) the most likely poses.
            truths: (S, B, 7) equivalent true poses; the most likely of them counts.
            generator: random numbers, on the device of the tensors.
        """
        given = points_obj, points_img, weights, camera
        drawn = self.layer.monte_carlo(*given, pose_init=pose, generator=generator)
        cost_true = self.layer.cost(truths, *given, delta=drawn.delta).amin(0)
        likelier = drawn.cost < cost_true  # (S, B)
        return {
            "log_evidence": drawn.log_evidence,
            "effective_samples": drawn.ess,
            "cost_true": cost_true,
            "credible_level": (torch.softmax(drawn.log_weights, 0) * likelier).sum(0),
        }
