"""Ray Tune's processes between two trials: all of them are kept for a while that the next ones can use."""

import time
from collections.abc import Iterator
from typing import Any

from ray.tune.execution import tune_controller
from ray.tune.utils.object_cache import _ObjectCache

KEPT_S = 30.0  # then no trial comes: a cluster may have its node back


def keep_processes() -> None:
    """Let Tune, in this process, keep all that are free, as far as no trial waits for other resources.

    Its own cache keeps one where no trial waits yet: of two trials that end in the same moment, as seeds do,
    the second one's process would go, and another import torch and timm for seconds of a core.
    """
    tune_controller._ObjectCache = _AllKept


class _AllKept(_ObjectCache):  # type: ignore[misc, unused-ignore]
    _newest_s = 0.0  # when the last one became free

    def cache_object(self, key: Any, obj: Any) -> bool:
        if self._lacks_other(key):
            return bool(super().cache_object(key, obj))
        self._newest_s = time.monotonic()
        self._cached_objects[key].append(obj)
        self._num_cached_objects += 1
        return True

    def flush_cached_objects(self, force_all: bool = False) -> Iterator[Any]:
        in_the_way = any(self._lacks_other(key) for key, kept in self._cached_objects.items() if kept)
        if force_all or in_the_way or time.monotonic() - self._newest_s > KEPT_S:
            yield from super().flush_cached_objects(force_all)

    def _lacks_other(self, key: Any) -> bool:
        """Whether trials wait for processes with other resources than these, which may be in their way."""
        return any(waiting > 0 for other, waiting in self._max_num_objects.items() if other != key)
