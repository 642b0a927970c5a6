"""The defaults are those of the 6DoF EPro-PnP training (the paper, its supplementary and official code)."""

import dataclasses

from epropnp.pnp import PnPConfig
from epropnp.pnp.amis import Proposal
from epropnp.pnp.distributions import DOF
from epropnp.pnp.hypotheses import SEPARATION_DEG


def test_defaults_are_those_of_the_study() -> None:
    found = dataclasses.asdict(PnPConfig())
    expected = {
        "kernel": "adaptive",
        "relative_delta": 0.1,
        "lm_iterations": 5,
        "lm_initial_radius": 30.0,
        "lm_min_relative_decrease": 1e-3,
        "lm_min_diagonal": 1e-6,
        "lm_max_diagonal": 1e32,
        "lm_epsilon": 1e-5,
        "rslm_proposals": 4,
        "rslm_points": 16,
        "rslm_iterations": 3,
        "amis_iterations": 4,
        "amis_samples": 128,
        "dispersion": 0.001,
    }
    assert {name: found[name] for name in expected} == expected
    assert (found["dof"], found["delta"], found["learn_delta"], found["centred"]) == (6, 1.0, False, True)
    assert (found["compile"], found["sampler"]) == (False, "random")


def test_constants_that_the_documentation_states() -> None:
    assert DOF == 3  # of the translation's t distribution
    assert SEPARATION_DEG == 20
    assert Proposal.__dataclass_fields__.keys() == {"translation", "rotation"}
