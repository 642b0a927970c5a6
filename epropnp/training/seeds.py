"""Seeds of the random choices of a trial."""

import numpy as np


def mixed_seed(seed: int, *draw: int) -> int:
    """A seed for each of a trial's draws; torch's CPU generator reads the low 32 bits, which differ, too."""
    return int(np.random.SeedSequence(seed, spawn_key=draw).generate_state(1, np.uint64)[0])
