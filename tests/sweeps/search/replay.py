"""A recorded grid, trained again under a rule: which settings it would have stopped, and what that saves."""

import heapq
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sweeps.search.stopping import Curve, Rule, why_stopped


@dataclass(frozen=True)
class Replayed:
    """What came of it.

    Attributes:
        best: the highest score of a setting that was trained to its end, in its best epoch.
        epochs: that were trained, of all settings together.
    """

    best: float
    epochs: int


def replay(rule: Rule, curves: Mapping[str, Curve], order: Sequence[str], at_once: int = 2) -> Replayed:
    """Train settings of one seed in an order, so many at once; all epochs take the same time.

    Args:
        rule: by which they are stopped.
        curves: by setting, the recorded scores after epochs 0, 1, ...
        order: of the settings.
        at_once: that are trained.
    """
    come: dict[str, list[Curve]] = {}
    finished: list[float] = []
    waiting, epochs = list(order), 0
    running: list[tuple[int, int, str, int]] = []  # when, in which order, who, after which epoch

    def start(now: int) -> None:
        if waiting:
            heapq.heappush(running, (now, len(order) - len(waiting), waiting.pop(0), 0))

    for _ in range(at_once):
        start(0)
    while running:
        now, place, name, epoch = heapq.heappop(running)
        whole = curves[name]
        come[name] = [whole[: epoch + 1]]
        epochs += epoch > 0
        if epoch + 1 == len(whole):
            finished.append(max(whole))
            start(now)
        elif why_stopped(rule, name, come, epoch, len(whole) - 1) is not None:
            start(now)
        else:
            heapq.heappush(running, (now + 1, place, name, epoch + 1))
    return Replayed(max(finished), epochs)
