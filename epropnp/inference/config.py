"""How poses are inferred from what a network says, and what the crops are cut around meanwhile."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from epropnp.data.config import DetectorNoise
from epropnp.settings import Range


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How poses are inferred on the validation and test splits."""

    proposals: Annotated[int, Range(least=1)] = 64
    """Random-sample LM starts; `epnp` makes none."""
    iterations: Annotated[int, Range(least=0)] = 10
    """LM steps on the best start."""
    initial: Literal["random", "epnp", "epnp_or_random"] = "random"
    """What starts the refinement: random-sample LM; EPnP and Gauss-Newton as the report, often wrong where
    points are flat; or of both starts the one that costs least."""
    hypotheses: Annotated[int, Range(least=1)] = 1
    """Different poses refined; of several, the most probable one is the prediction."""
    samples: Annotated[int, Range(least=0)] = 256
    """Samples of each test image's pose posterior, for its calibration; 0: none."""
    temperature: Literal["validation", "none"] = "validation"
    """What corrects the posteriors' width and tails."""
    batch_size: Annotated[int, Range(least=1)] = 50
    """Images evaluated at once."""
    test_boxes: Literal["true", "detected", "auto"] = "true"
    """What the crops of the test split are cut around; `auto`: detected boxes where every image has one."""
    detector: DetectorNoise = field(default_factory=DetectorNoise)  # of all evaluation boxes


STUDY = EvaluationConfig(initial="epnp", iterations=3, test_boxes="auto")
"""As the report and the official code: EPnP, three Gauss-Newton steps, detected boxes where there are any."""
