"""Settings of the probabilistic PnP layer."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PnPConfig:
    """Settings of `EProPnP`; the defaults are those of the 6DoF EPro-PnP training."""

    dof: Literal[4, 6] = 6
    """Degrees of freedom of a pose: 6, or 4 for translation and heading (see `space.FourDoF`)."""
    kernel: Literal["adaptive", "fixed", "none"] = "adaptive"
    """Huber kernel with a threshold relative to the correspondences, with a fixed one, or plain squares."""
    relative_delta: float = 0.1
    """Adaptive threshold relative to mean weight x spread of the image points."""
    delta: float = 1.0
    """Fixed threshold on the weighted residual norm."""
    learn_delta: bool = False
    """Whether the (relative) threshold is a parameter of the module that starts at the value above."""
    centred: bool = True
    """Whether the solver turns objects about the weighted centre of their points rather than about their
    origin. The posterior is the same; translation and rotation come apart, which sampling needs where the
    origin lies outside of the points."""
    compile: bool = False
    """Whether the cost of the samples runs as compiled kernels; without a compiler it does not."""

    lm_iterations: int = 5
    """Levenberg-Marquardt iterations from the best initial pose."""
    lm_initial_radius: float = 30.0
    """Trust region radius at the start; the damping is the Hessian's diagonal divided by it."""
    lm_min_relative_decrease: float = 1e-3
    """A step is accepted when actual / predicted decrease reaches this."""
    lm_min_diagonal: float = 1e-6
    """Lower clamp of the Hessian's diagonal in the damping."""
    lm_max_diagonal: float = 1e32
    """Upper clamp of the Hessian's diagonal in the damping."""
    lm_epsilon: float = 1e-5
    """Added to the diagonal, so that the Hessian can be factorised and inverted."""

    rslm_proposals: int = 4
    """Random-sample proposals per object when an initial pose (the ground truth) competes."""
    rslm_points: int = 16
    """Points in the weight-sampled subset of each proposal."""
    rslm_iterations: int = 3
    """Levenberg-Marquardt iterations on each subset."""

    amis_iterations: int = 4
    """Rounds of adaptive multiple importance sampling."""
    amis_samples: int = 128
    """Pose samples per round and object."""
    sampler: Literal["random", "quasi"] = "random"
    """Quasi-random samples give the log-evidence two thirds of the standard deviation at equal cost."""
    dispersion: float = 0.001
    """Share of the previous proposal's scale added to each re-estimated one: keeps it definite."""
