"""Folders of trials as they are when trained, for what is recorded from them."""

from pathlib import Path

from epropnp.training.config import TrialConfig
from epropnp.training.record import Record, config_note, write_config
from epropnp.training.result import TrialResult

ENDED = "2026-01-02T03:04:05+00:00"
ENDED_MS = 1_767_323_045_000


def write_trial(folder: Path, result: TrialResult | None, losses: list[float]) -> None:
    """One that has finished, or was interrupted; its epochs took ten seconds each."""
    write_config(folder, config_note(TrialConfig(), "0123456789ab"))
    history = tuple(
        {"train/loss": loss, "val/add_0.10d": 1 / loss, "time/seconds": 10.0 * (epoch + 1)}
        for epoch, loss in enumerate(losses)
    )
    status = "waiting" if result is None else "finished"
    reason = "interrupted" if result is None else None
    Record(status=status, reason=reason, started=ENDED, ended=ENDED, history=history).write(folder)  # type: ignore[arg-type]
    if result is not None:
        (folder / "result.json").write_text(result.to_json())
