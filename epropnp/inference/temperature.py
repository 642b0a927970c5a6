"""Posteriors that err as they say: a temperature and a tail, fitted on images held out from training.

After training the weights of all images may be too small or too large by one factor, and some images err by
more than theirs say. Temperature scaling (Guo et al., *On Calibration of Modern Neural Networks*, 2017) mends
the first; giving the posterior the tails of a t distribution, the second (docs/maths.md, section 5). Both
change the posterior by its cost alone: the most likely pose and the order of poses stay as they are.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy  # whose parts load when they are used

if TYPE_CHECKING:  # whoever reads predictions does without
    from torch import Tensor

DEGREES_OF_FREEDOM = 6  # of a pose
LOG_SCALE_LIMIT, TAIL_LIMIT = 4.0, 0.4  # a t distribution has a covariance where its tail is below 1 / 2
LOG_SCALE_PRIOR, TAIL_PRIOR = 0.5, 0.1  # standard deviation, mean: they hold back one or two images


@dataclass(frozen=True, kw_only=True)
class Temperature:
    """What a posterior of cost E becomes: the density `(1 + 2 tail e)^(-(1 / tail + 6) / 2)`, normalised.

    Here `e = scale^2 (E - E_min)`. Where E is quadratic, that is a t distribution with 1 / tail degrees of
    freedom. By default nothing changes.

    Attributes:
        scale: factor on all weights.
        tail: reciprocal of the degrees of freedom; 0: `p ~ exp(-e)`, as the network has it.
    """

    scale: float = 1.0
    tail: float = 0.0

    def energy(self, excess: "Tensor") -> "Tensor":
        """`-log p` up to a constant, of costs above that of the predicted pose.

        Below it, where the solver has missed the minimum, the energy goes on as a line.
        """
        scaled = self.scale**2 * excess
        if self.tail == 0:
            return scaled
        power = (1 / self.tail + DEGREES_OF_FREEDOM) / 2
        return power * (2 * self.tail * scaled.clamp(min=0)).log1p() + scaled.clamp(max=0)

    def shares(self, cost: "Tensor", log_mass: "Tensor") -> "Tensor":
        """Probabilities (K, B) of `epropnp.pnp.Hypotheses`, whose first one is the predicted pose.

        By Laplace's method: around a hypothesis the energy is that of its own quadratic cost, and the tails
        of one at a higher cost are wider, in 6 dimensions by `(1 + 2 tail e)^3`.
        """
        # log sqrt det of the covariances
        volume = (log_mass + cost).where(log_mass.isfinite(), -math.inf)
        excess = self.scale**2 * (cost - cost[:1])
        if self.tail:
            excess = (2 * self.tail * excess.clamp(min=0)).log1p() / (2 * self.tail) + excess.clamp(max=0)
        log_share = (volume - excess).where(log_mass.isfinite(), -math.inf)
        return log_share.softmax(0).nan_to_num(nan=0.0)

    @property
    def log_volume(self) -> float:
        """Log of the integral of `exp(-energy)` over 6 dimensions where E is `|x|^2 / 2`."""
        half = DEGREES_OF_FREEDOM // 2
        volume = half * math.log(2 * math.pi) - DEGREES_OF_FREEDOM * math.log(self.scale)
        # Gamma(n + half) / Gamma(n) of a t distribution is a product: no difference of large numbers.
        return volume - sum(math.log1p(2 * self.tail * i) for i in range(half))

    @property
    def covariance_factor(self) -> float:
        """By how much the covariance of a normal distribution grows."""
        return 1 / (self.scale**2 * (1 - 2 * self.tail))


@dataclass(frozen=True, kw_only=True)
class Temperatures:
    """Of the two claims that are made about a pose: its posterior, by samples, and its covariance alone.

    They differ: the covariance is that of iteratively re-weighted least squares, which under Huber's kernel
    is too small even where the posterior is right.
    """

    posterior: Temperature = Temperature()
    covariance: Temperature = Temperature()


class Draws(NamedTuple):
    """Importance samples of B posteriors beside the truth."""

    cost: "Tensor"  # (B,) of the predicted pose
    excess: "Tensor"  # (S, B) cost of the samples above it
    log_proposal: "Tensor"  # (S, B) log density of what they were drawn from
    excess_true: "Tensor"  # (B,) cost of the true pose above it, of the most likely equivalent

    def log_weights(self, temperature: Temperature) -> "Tensor":
        """Unnormalised log weights (S, B) of the samples."""
        return -temperature.energy(self.excess) - self.log_proposal

    def log_evidence(self, temperature: Temperature) -> "Tensor":
        """Log of the integral (B,) of `exp(-energy)`."""
        return self.log_weights(temperature).logsumexp(0) - math.log(len(self.excess))


def posterior_temperature(draws: Draws) -> Temperature:
    """The temperature under which the true poses are most likely, by samples.

    Objects with values that are not finite are left out; without any, nothing changes.
    """
    import torch

    finite = torch.stack([torch.atleast_2d(part).isfinite().all(0) for part in draws]).all(0)
    kept = Draws(*(part[..., finite].double().cpu() for part in draws))

    def negative_log_likelihood(temperature: Temperature) -> float:
        return float((temperature.energy(kept.excess_true) + kept.log_evidence(temperature)).sum())

    return _most_likely(negative_log_likelihood)


def covariance_temperature(squared_distance: np.ndarray) -> Temperature:
    """The temperature under which the true poses are most likely, by the covariances.

    Args:
        squared_distance: Mahalanobis' of the true poses from the predicted, (n,); those that are not finite
            are left out.
    """
    import torch

    excess = torch.from_numpy(squared_distance[np.isfinite(squared_distance)]).double() / 2

    def negative_log_likelihood(temperature: Temperature) -> float:
        return float(temperature.energy(excess).sum() + len(excess) * temperature.log_volume)

    return _most_likely(negative_log_likelihood)


def _most_likely(negative_log_likelihood: Callable[[Temperature], float]) -> Temperature:
    """Posterior mode of scale and tail, with weak priors: log-normal and exponential."""

    def cost(values: np.ndarray) -> float:
        log_scale, tail = map(float, values)
        prior = 0.5 * (log_scale / LOG_SCALE_PRIOR) ** 2 + tail / TAIL_PRIOR
        return negative_log_likelihood(Temperature(scale=math.exp(log_scale), tail=tail)) + prior

    bounds = ((-LOG_SCALE_LIMIT, LOG_SCALE_LIMIT), (0.0, TAIL_LIMIT))
    found = scipy.optimize.minimize(cost, (0.0, TAIL_PRIOR), method="L-BFGS-B", jac="3-point", bounds=bounds)
    log_scale, tail = map(float, found.x)
    return Temperature(scale=math.exp(log_scale), tail=tail)
