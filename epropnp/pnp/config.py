"""Settings of the probabilistic PnP layer."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PnPConfig:
    """Settings of `EProPnP`; the defaults are those of the 6DoF EPro-PnP training."""

    relative_delta: float = 0.1
    """Huber threshold relative to mean weight x spread of the image points."""

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
    rslm_proposals_blind: int = 64
    """Random-sample proposals per object when there is no initial pose."""
    rslm_points: int = 16
    """Points in the weight-sampled subset of each proposal."""
    rslm_iterations: int = 3
    """Levenberg-Marquardt iterations on each subset."""

    amis_iterations: int = 4
    """Rounds of adaptive multiple importance sampling."""
    amis_samples: int = 128
    """Pose samples per round and object."""
    mle_iterations: int = 3
    """Fixed-point iterations of the angular central Gaussian's weighted maximum likelihood fit."""
    dispersion: float = 0.001
    """Share of the previous proposal's scale added to each re-estimated one: keeps it definite."""
