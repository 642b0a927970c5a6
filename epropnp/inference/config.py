"""How poses are inferred from what a network says, and what the crops are cut around meanwhile."""

from dataclasses import dataclass, field
from typing import Literal

from epropnp.data.augment import DetectorNoise


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """How poses are inferred on the validation and test splits."""

    proposals: int = 64  # random-sample LM starts
    iterations: int = 10  # LM steps on the best start
    initial: Literal["random", "epnp"] = "random"  # random-sample LM, or EPnP and Gauss-Newton as the report
    hypotheses: int = 1  # different poses refined; of several, the most probable one is the prediction
    samples: int = 256  # of each test image's pose posterior, for its calibration; 0: none
    temperature: Literal["validation", "none"] = "validation"  # what corrects the posteriors' width and tails
    batch_size: int = 50
    test_boxes: Literal["true", "detected"] = "true"  # what the crops of the test split are cut around
    detector: DetectorNoise = field(default_factory=DetectorNoise)  # random errors of all evaluation boxes
