"""What a network costs, how it was begun and trained: the columns of Table 1 beside the settings."""

from collections.abc import Callable, Sequence

from epropnp.evaluation.table import Cell, millions
from epropnp.inference.latency import BATCHES, in_words
from sweeps.results.columns import PRETRAINING, WEIGHTS, Row, TrialColumn, pretraining
from sweeps.results.tables import of_result

FLOPS_NOTE = (
    "GFLOPs: billions of multiply-adds of the network for one image at its input px, as tables of networks "
    "count; two operations each."
)
MEMORY_OF = {False: "main memory of its process", True: "what torch had allocated on the GPU"}


def _training(title: str, value: Callable[[Row], Cell], text: Callable[..., str] = str) -> TrialColumn:
    """A setting of the training, which most comparisons share."""
    return TrialColumn(title, value, kind="number", text=text, folds=True, terminal=70)


def _gflops(row: Row) -> Cell:
    """Billions of multiply-adds for one image."""
    count = row.latency.multiply_adds if row.latency else None
    return None if count is None else count / 1e9


def _peak(row: Row) -> Cell:
    """Bytes."""
    return row.peak.used_bytes if row.peak else None


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f} GB"


def cost_notes(rows: Sequence[Row]) -> list[str]:
    """What GFLOPs and memory are, where there are any."""
    found = []
    if any(row.latency and row.latency.multiply_adds for row in rows):
        found.append(FLOPS_NOTE)
    where = {row.peak.on_device for row in rows if row.peak}
    if where:
        places = " or ".join(MEMORY_OF[on_device] for on_device in sorted(where))
        found.append(f"memory: of training and test of one trial, at its most: {places}.")
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
