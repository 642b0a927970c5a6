"""How long network and poses take: by a clock that the parts themselves move."""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from epropnp.data.dataset import Crops
from epropnp.inference import latency as module
from epropnp.inference.flops import multiply_adds
from epropnp.inference.latency import Latency, in_words, measure
from epropnp.inference.poses import Inference, Inferred
from tests.inference.measured import latency
from tests.inference.untrained import untrained


class Timed:
    """In the place of an `Inference`: its parts take so many milliseconds, in turn, 16 times that for 32."""

    device, precision, model = torch.device("cpu"), "float32", SimpleNamespace(input_px=8)
    net = torch.nn.Conv2d(3, 2, 1)

    def __init__(self, network_ms: Sequence[float], layer_ms: Sequence[float]) -> None:
        self._network, self._layer = itertools.cycle(network_ms), itertools.cycle(layer_ms)
        self.now_s, self.seen = 100.0, list[int]()

    def perf_counter(self) -> float:
        return self.now_s

    def maps(self, crops: Crops) -> str:
        self.seen.append(len(crops.image))
        self._pass(self._network, len(crops.image))
        return "maps"

    def solved(self, maps: str, crops: Crops) -> None:
        assert maps == "maps"
        self._pass(self._layer, len(crops.side))

    def _pass(self, ms: Iterator[float], count: int) -> None:
        self.now_s += next(ms) / 1000 * (1 if count == 1 else 16)


def found(timed: Timed, patch: pytest.MonkeyPatch, batches: tuple[int, ...] = (1, 32)) -> Latency:
    patch.setattr(module, "time", timed)
    inference: Any = timed
    return measure(inference, batches)


def test_both_parts_have_their_own_medians_of_each_batch_without_the_warm_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "REPETITIONS", 5)
    # Three warm-ups, then five runs: with the warm-ups the medians would be others.
    timed = Timed([3, 3, 3, 0.1, 0.2, 3, 0.4, 0.5], [4, 4, 4, 2, 1, 40, 3, 50])
    latency = found(timed, monkeypatch)
    assert timed.seen == [1] * 8 + [32] * 8
    alone, together = latency.batches[1], latency.batches[32]
    assert (alone.network_ms, alone.layer_ms) == pytest.approx((0.4, 3))
    assert (together.network_ms, together.layer_ms) == pytest.approx((0.2, 1.5))  # per image


@pytest.mark.parametrize(
    ("ms", "runs_alone", "runs_of_32"),
    [
        (1, 3 + 30, 3 + 30),
        (10, 3 + 30, 1 + 4),  # of 0.32 s each: the warm-up ends after one, the others within a second
        (21, 3 + 24, 2),  # it may take 1.3 s, and has had its warm-up
        (200, 1 + 3, 0),  # it may take 12.8 s
    ],
)
def test_no_network_takes_longer_than_some_seconds(
    ms: float, runs_alone: int, runs_of_32: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed = Timed([ms], [ms])
    latency = found(timed, monkeypatch)
    assert (timed.seen.count(1), timed.seen.count(32)) == (runs_alone, runs_of_32)
    assert list(latency.batches) == ([1, 32] if runs_of_32 else [1])
    assert timed.now_s - 100 < 10


def test_on_another_device_no_batch_is_timed_without_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its kernels for a size are loaded with the first run."""
    timed = Timed([21], [21])
    timed.device = torch.device("meta")
    monkeypatch.setattr(module, "_now_s", lambda device: timed.perf_counter())
    found(timed, monkeypatch)
    assert (timed.seen.count(1), timed.seen.count(32)) == (3 + 24, 1 + 2)


def test_network_and_layer_of_a_real_one_are_timed_as_a_call_runs_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REPETITIONS", 1)
    monkeypatch.setattr(module, "WARM_UPS", 0)
    monkeypatch.setattr(module, "LONGEST_S", 1000.0)  # on a busy machine
    inference = untrained(tmp_path).inference
    seen: list[tuple[int, ...]] = []
    inference.net.register_forward_hook(lambda net, given, maps: seen.append(tuple(given[0].shape)))
    solved: list[Inferred] = []
    plain = Inference.solved

    def noted(self: Inference, prediction: Any, crops: Crops) -> Inferred:
        solved.append(plain(self, prediction, crops))
        return solved[-1]

    monkeypatch.setattr(Inference, "solved", noted)
    latency = measure(inference)
    px = inference.model.input_px
    assert seen == [(1, 3, px, px), (32, 3, px, px), (1, 3, px, px)]  # the last one is counted
    assert latency.multiply_adds == multiply_adds(inference.net, px, inference.device)
    assert [len(each.solution.pose) for each in solved] == [1, 32]
    assert all(each.solution.pose.isfinite().all() for each in solved)
    assert all(ms > 0 for cost in latency.batches.values() for ms in vars(cost).values())
    assert (latency.device, latency.threads) == ("cpu", torch.get_num_threads())
    assert latency.precision in ("bf16", "float32")  # as the processor can
    assert latency.torch == torch.__version__


def test_a_line_says_all_of_it() -> None:
    both = dataclasses.replace(latency(12.34), threads=1)
    assert both.words == (
        "network 12.3 ms, poses 24.7 ms per image alone; 6.2 and 12.3 ms in batches of 32, "
        "on cpu, 1 thread, float32"
    )
    alone = latency(0.1234, batches=(1,))
    assert alone.words == "network 0.12 ms, poses 0.25 ms per image alone, on cpu, 2 threads, float32"
    assert in_words(1234.56) == "1234.6"


def test_what_is_written_is_read_and_what_is_damaged_is_none(tmp_path: Path) -> None:
    assert Latency.read(tmp_path) is None
    latency(8.0).write(tmp_path)
    assert Latency.read(tmp_path) == latency(8.0)
    older = json.loads((tmp_path / "latency.json").read_text())
    del older["multiply_adds"]
    (tmp_path / "latency.json").write_text(json.dumps(older))
    assert Latency.read(tmp_path) == latency(8.0)
    text = (tmp_path / "latency.json").read_text()
    for damaged in (
        "",
        "[]",
        "{}",
        text[:50],
        text.replace("layer_ms", "other"),
        text.replace('"32"', '"x"'),
    ):
        (tmp_path / "latency.json").write_text(damaged)
        assert Latency.read(tmp_path) is None
