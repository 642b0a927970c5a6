"""What a network costs, how it was begun and trained: the columns of Table 1 beside the settings."""

from collections.abc import Callable, Sequence

from epropnp.evaluation.table import Cell, millions
from epropnp.inference.latency import BATCHES, in_words
from epropnp.training.usage import DEVICE_MEMORY, MEMORY
from sweeps.results.columns import PRETRAINING, WEIGHTS, Row, TrialColumn, pretraining
from sweeps.results.tables import of_result

FLOPS_NOTE = (
    "GFLOPs: billions of multiply-adds of the network for one image at its input px, as tables of networks "
    "count; two operations each."
)
MEMORY_OF = {MEMORY: "main memory of its process", DEVICE_MEMORY: "what torch had allocated on the GPU"}


def _training(title: str, value: Callable[[Row], Cell], text: Callable[..., str] = str) -> TrialColumn:
    """A setting of the training, which most comparisons share."""
    return TrialColumn(title, value, kind="number", text=text, folds=True, terminal=70)


def _gflops(row: Row) -> Cell:
    """Billions of multiply-adds for one image."""
    count = row.latency.multiply_adds if row.latency else None
    return None if count is None else count / 1e9


def _memory(row: Row) -> str | None:
    """Which memory of a trial is told, where any is."""
    known = {name for metrics in row.history for name in metrics}
    return next((name for name in (DEVICE_MEMORY, MEMORY) if name in known), None)


def _peak(row: Row) -> Cell:
    """In MiB."""
    name = _memory(row)
    return None if name is None else max(metrics.get(name, 0.0) for metrics in row.history)


def _gigabytes(mebibytes: float) -> str:
    return f"{mebibytes * 2**20 / 1e9:.2f} GB"


def cost_notes(rows: Sequence[Row]) -> list[str]:
    """What GFLOPs and memory are, where there are any."""
    found = []
    if any(row.latency and row.latency.multiply_adds for row in rows):
        found.append(FLOPS_NOTE)
    told = {_memory(row) for row in rows}
    if places := " or ".join(where for name, where in MEMORY_OF.items() if name in told):
        found.append(f"memory: of the training of one trial, at its most: {places}.")
    return found


def _device(row: Row) -> Cell:
    return row.record.device if row.record else None


def _ms(count: int) -> Callable[[Row], Cell]:
    """Of network and poses together, per image."""

    def found(row: Row) -> Cell:
        cost = row.latency.batches.get(count) if row.latency else None
        return None if cost is None else cost.network_ms + cost.layer_ms

    return found


COSTS: tuple[TrialColumn, ...] = (
    TrialColumn(PRETRAINING, lambda row: pretraining(row).data, folds=True, terminal=65),
    TrialColumn(WEIGHTS, lambda row: pretraining(row).tag, folds=True, terminal=75),
    TrialColumn("parameters", of_result("parameters"), kind="number", text=millions, terminal=10),
    TrialColumn("GFLOPs", _gflops, kind="number", text="{:.2f}".format, terminal=20),
    _training("input px", lambda row: row.config.model.input_px),
    _training("epochs", of_result("epochs")),
    _training("batch", lambda row: row.config.optim.batch_size),
    _training("lr", lambda row: row.config.optim.lr, text="{:g}".format),
    *(
        TrialColumn(
            f"ms per image{'' if count == 1 else f' of {count}'}",
            _ms(count),
            kind="number",
            text=in_words,
            terminal=30 if count == 1 else 60,
        )
        for count in BATCHES
    ),
    TrialColumn("memory", _peak, kind="number", text=_gigabytes, terminal=50),
    TrialColumn("device", _device, folds=True, terminal=65),
)
