"""Latencies as they might have been measured."""

from epropnp.inference.latency import Cost, Latency


def latency(
    ms: float = 8.0, *, host: str = "here", day: int = 1, batches: tuple[int, ...] = (1, 32)
) -> Latency:
    """The network takes that long for one image and half of it in a batch, its poses twice as long."""
    costs = {count: ms if count == 1 else ms / 2 for count in batches}
    return Latency(
        batches={count: Cost(network_ms=each, layer_ms=2 * each) for count, each in costs.items()},
        device="cpu",
        precision="float32",
        threads=2,
        torch="2.9.0",
        host=host,
        measured=f"2026-01-{day:02}T03:04:05+00:00",
    )
