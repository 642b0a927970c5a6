"""Settings of the probabilistic PnP layer."""

from dataclasses import dataclass
from typing import Annotated, Literal

from epropnp.settings import Range


@dataclass(frozen=True, kw_only=True)
class PnPConfig:
    """Settings of `EProPnP`; the defaults are those of the 6DoF EPro-PnP training."""

    dof: Literal[4, 6] = 6
    """Degrees of freedom of a pose: 6, or 4 for translation and heading (see `space.FourDoF`)."""
    kernel: Literal["adaptive", "fixed", "none"] = "adaptive"
    """Huber kernel with a threshold relative to the correspondences, with a fixed one, or plain squares."""
    relative_delta: Annotated[float, Range(above=0)] = 0.1
    """Adaptive threshold relative to mean weight x spread of the image points."""
    delta: Annotated[float, Range(above=0)] = 1.0
    """Fixed threshold on the weighted residual norm."""
    learn_delta: bool = False
    """Whether the (relative) threshold is a parameter of the module that starts at that value."""
    centred: bool = True
    """Whether the solver turns objects about the weighted centre of their points rather than about their
    origin. The posterior is the same; translation and rotation come apart, which sampling needs where the
    origin lies outside of the points."""
    compile: bool = False
    """Whether the cost of the samples runs as compiled kernels; without a compiler it does not."""

    lm_iterations: Annotated[int, Range(least=0)] = 5
    """Levenberg-Marquardt iterations from the best initial pose."""
    lm_initial_radius: Annotated[float, Range(above=0)] = 30.0
    """Trust region radius at the start; the damping is the Hessian's diagonal divided by it."""
    lm_min_relative_decrease: Annotated[float, Range(least=0)] = 1e-3
    """A step is accepted when actual / predicted decrease reaches this."""
    lm_min_diagonal: Annotated[float, Range(least=0)] = 1e-6
    """Lower clamp of the Hessian's diagonal in the damping."""
    lm_max_diagonal: Annotated[float, Range(above=0)] = 1e32
    """Upper clamp of the Hessian's diagonal in the damping."""
    lm_epsilon: Annotated[float, Range(least=0)] = 1e-5
    """Added to the diagonal, so that the Hessian can be factorised and inverted."""

    rslm_proposals: Annotated[int, Range(least=0)] = 4
    """Random-sample proposals per object when an initial pose (the ground truth) competes."""
    rslm_points: Annotated[int, Range(least=3)] = 16
    """Points in the weight-sampled subset of each proposal."""
    rslm_iterations: Annotated[int, Range(least=0)] = 3
    """Levenberg-Marquardt iterations on each subset."""

    amis_iterations: Annotated[int, Range(least=1)] = 4
    """Rounds of adaptive multiple importance sampling."""
    amis_samples: Annotated[int, Range(least=1)] = 128
    """Pose samples per round and object."""
    sampler: Literal["random", "quasi"] = "random"
    """Quasi-random samples give the log-evidence two thirds of the standard deviation at equal cost."""
    dispersion: Annotated[float, Range(least=0)] = 0.001
    """Share of the previous proposal's scale added to each re-estimated one: keeps it definite."""
