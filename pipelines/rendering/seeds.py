"""One independent random stream per thing that is drawn, whatever the process that draws it."""

import numpy as np

from epropnp.data.schema import SPLITS

_BACKGROUNDS, _SAMPLES, _CUT = range(3)


def background_rng(seed: int, *key: int) -> np.random.Generator:
    """Stream of one background image, or of their selection when `key` is empty."""
    return _stream(seed, _BACKGROUNDS, *key)


def sample_rng(seed: int, object_id: int, split: str, index: int) -> np.random.Generator:
    """Stream of one synthetic sample."""
    return _stream(seed, _SAMPLES, object_id, SPLITS.index(split), index)


def cut_rng(seed: int, object_id: int) -> np.random.Generator:
    """Stream that cuts an object's validation frames out of its training frames."""
    return _stream(seed, _CUT, object_id)


def _stream(seed: int, *key: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
