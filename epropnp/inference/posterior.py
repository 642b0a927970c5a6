"""What importance samples of a pose's posterior say about the truth, for `epropnp.evaluation.calibration`."""

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor

from epropnp.inference.temperature import Draws, Temperatures
from epropnp.pnp import Correspondences, EProPnP, MonteCarlo
from epropnp.pnp.amis import effective_sample_size
from epropnp.pnp.draws import SameDraws

SAMPLES_SEED = 20220332  # of the samples' noise: the same for every image
ROUNDS = 2  # of quasi-random samples: as exact as four rounds, and faster (docs/maths.md)


class Samples(NamedTuple):
    """Importance samples of B posteriors."""

    poses: Tensor  # (S, B, 7)
    weights: Tensor  # (S, B), they add up to one over S
    log_evidence: Tensor  # (B,), in the measure of `epropnp.pnp.amis`
    effective_samples: Tensor  # (B,)


class PosteriorSampler:
    """Samples posteriors around solutions that are known already.

    Args:
        layer: whose kernel, threshold and degrees of freedom hold.
        samples: number per object, rounded down to an even one, at least 2.
        temperatures: of the posterior; the covariance's scale is that of the weights at which is drawn.
    """

    def __init__(self, layer: EProPnP, samples: int, temperatures: Temperatures | None = None) -> None:
        config = replace(
            layer.config,
            rslm_proposals=0,
            lm_iterations=0,
            amis_iterations=ROUNDS,
            amis_samples=max(1, samples // ROUNDS),
            sampler="quasi",
        )
        self.temperatures = temperatures or Temperatures()
        self.layer = EProPnP(config)
        self.layer.load_state_dict(layer.state_dict())
        self.layer.to(next(layer.parameters(), torch.empty(0)).device)

    @torch.no_grad()
    def draw(
        self,
        correspondences: Correspondences,
        *,
        pose: Tensor,
        truths: Tensor,
    ) -> Draws:
        """Samples and the truth, as costs of the weights that are given.

        Args:
            correspondences: of B objects.
            pose: (B, 7) the most likely poses.
            truths: (S, B, 7) equivalent true poses; the most likely of them counts.
        """
        drawn = self._drawn(correspondences, pose)
        costs = self.layer.cost(correspondences, torch.cat((pose[None], truths, drawn.samples)))
        cost, equivalent, sampled = costs.split((1, len(truths), len(drawn.samples)))
        return Draws(
            cost=cost[0],
            excess=sampled - cost,
            log_proposal=-drawn.cost - drawn.log_weights,
            excess_true=equivalent.amin(0) - cost[0],
        )

    @torch.no_grad()
    def samples(self, correspondences: Correspondences, pose: Tensor) -> Samples:
        """Samples of the posteriors of B objects around the most likely poses (B, 7)."""
        drawn = self._drawn(correspondences, pose)
        costs = self.layer.cost(correspondences, torch.cat((pose[None], drawn.samples)))
        draws = Draws(costs[0], costs[1:] - costs[0], -drawn.cost - drawn.log_weights, costs[0] * 0)
        temperature = self.temperatures.posterior
        log_weights = draws.log_weights(temperature)
        return Samples(
            poses=drawn.samples,
            weights=torch.softmax(log_weights, 0),
            log_evidence=draws.log_evidence(temperature) - temperature.scale**2 * draws.cost,
            effective_samples=effective_sample_size(log_weights),
        )

    def _drawn(self, correspondences: Correspondences, pose: Tensor) -> MonteCarlo:
        weights = self.temperatures.covariance.scale * correspondences.weights
        scaled = replace(correspondences, weights=weights)
        return self.layer.monte_carlo(scaled, init_pose=pose, generator=SameDraws(SAMPLES_SEED))

    def describe(self, draws: Draws) -> dict[str, Tensor]:
        """The fields of `predictions.Posterior`, (B,) each, from what `draw` returned."""
        temperature = self.temperatures.posterior
        log_weights = draws.log_weights(temperature)
        cost = temperature.scale**2 * draws.cost
        return {
            "log_evidence": draws.log_evidence(temperature) - cost,
            "effective_samples": effective_sample_size(log_weights),
            "cost_true": temperature.energy(draws.excess_true) + cost,
            "credible_level": (torch.softmax(log_weights, 0) * (draws.excess < draws.excess_true)).sum(0),
        }
