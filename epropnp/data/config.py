"""Settings of what is random when a sample is read; without images, so that command lines answer at once."""

from dataclasses import dataclass
from typing import Annotated

from epropnp.settings import Range, Share


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Ranges and probabilities of the random changes to a training sample.

    The defaults are the report's settings, and those of both releases of EPro-PnP on LineMOD: jittered crops
    and new backgrounds, nothing else.
    """

    scale_jitter: Annotated[float, Range(least=0, below=1)] = 0.25
    """Largest change of the crop's side, as a fraction of it."""
    shift_jitter: Share = 0.25
    """Largest shift of the crop's centre, as a fraction of the box."""
    rotation_deg: Annotated[float, Range(least=0)] = 0.0
    """Largest in-plane rotation, either way."""
    background_synthetic: Share = 1.0
    """Probability that a rendered image gets a new background."""
    background_real: Share = 0.5
    """Probability that a photograph gets a new background."""
    occlusion: Share = 0.0
    """Probability that rectangles hide parts of the crop."""
    occluders: Annotated[int, Range(least=1)] = 1
    """Largest number of rectangles that hide parts of a crop."""
    occluder_crops: Share = 0.0
    """Probability that a hiding rectangle shows a piece of another crop, not of a background."""
    color: Share = 0.0
    """Strength of brightness, contrast, saturation and tint changes."""
    grey: Share = 0.0
    """Probability that colours fade, up to grey."""
    blur: Share = 0.0
    """Probability of a Gaussian blur."""
    blur_px: Annotated[float, Range(least=0)] = 1.5
    """Largest standard deviation of the blur, pixels of the input."""
    noise: Share = 0.0
    """Largest standard deviation of additive noise, in fractions of white."""


@dataclass(frozen=True, kw_only=True)
class DetectorNoise:
    """Errors of a detector that stands in for the true box: each uniform in +- a fraction of the box."""

    scale: Annotated[float, Range(least=0, below=1)] = 0.0
    """Largest error of the box's size."""
    shift: Annotated[float, Range(least=0)] = 0.0
    """Largest error of the box's place."""
