"""Which of Ray Tune's processes stay between two trials: beside what its own cache would keep."""

from collections.abc import Iterator

import pytest
from ray.tune.execution import tune_controller
from ray.tune.utils.object_cache import _ObjectCache

from sweeps.running.kept import keep_processes


@pytest.fixture
def cache() -> Iterator[_ObjectCache]:
    """That of a controller that is made from now on."""
    usual = tune_controller._ObjectCache
    keep_processes()
    yield tune_controller._ObjectCache(may_keep_one=True)
    tune_controller._ObjectCache = usual


def kept(cache: _ObjectCache, wanted: str, count: int) -> int:
    """How many stay of so many processes that end in one moment."""
    found = sum(cache.cache_object(wanted, f"process {i}") for i in range(count))
    return found - len(list(cache.flush_cached_objects()))


def test_all_stay_where_no_trial_waits_yet_and_of_tune_s_own_one(cache: _ObjectCache) -> None:
    assert kept(_ObjectCache(may_keep_one=True), "a core", 3) == 1
    assert kept(cache, "a core", 3) == 3
    assert cache.num_cached_objects == 3
    assert [cache.pop_cached_object("a core") for _ in range(4)] == [
        *("process 0", "process 1", "process 2"),
        None,
    ]


def test_all_stay_where_fewer_trials_wait_for_the_same(cache: _ObjectCache) -> None:
    cache.increase_max("a core")
    assert kept(cache, "a core", 3) == 3


def test_none_stays_in_the_way_of_a_trial_that_waits_for_more(cache: _ObjectCache) -> None:
    assert kept(cache, "a core", 2) == 2
    cache.increase_max("a whole GPU")
    assert list(cache.flush_cached_objects()) == ["process 0", "process 1"]
    assert not cache.cache_object("a core", "process 2")
    assert cache.cache_object("a whole GPU", "process 3")


def test_after_a_while_a_cluster_has_their_nodes_back(
    cache: _ObjectCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the end of a sweep, whose last trial may take hours."""
    now_s = 1000.0
    monkeypatch.setattr("sweeps.running.kept.time.monotonic", lambda: now_s)
    assert kept(cache, "a GPU", 3) == 3
    now_s += 29
    assert list(cache.flush_cached_objects()) == []
    now_s += 2
    assert list(cache.flush_cached_objects()) == ["process 0", "process 1", "process 2"]


def test_none_stays_at_the_end(cache: _ObjectCache) -> None:
    assert kept(cache, "a core", 2) == 2
    assert list(cache.flush_cached_objects(force_all=True)) == ["process 0", "process 1"]
    assert cache.num_cached_objects == 0
