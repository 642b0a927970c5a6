"""From the folders of a sweep to the rows of its tables."""

from collections.abc import Sequence

from sweeps.build_settings import Build
from sweeps.folder import Sweep
from sweeps.results.columns import Row, alike, labels
from sweeps.search.search import Planned
from sweeps.space import BACKBONE, CASE, HEAD, RECIPE
from sweeps.trial import Trial

BARE_AXES = (RECIPE, BACKBONE, HEAD, CASE)  # whose values say what they are
RANKS = {"finished": 0, "stopped": 1}  # others stand below these


def read_rows(sweep: Sweep, planned: Sequence[Planned]) -> list[Row]:
    """One row per trial, by rank.

    Args:
        sweep: whose folders are read.
        planned: its trials in their order; others that it has, of an earlier plan, come after them.
    """
    known = {trial.name: trial for trial in sweep.trials()}
    rows = [
        _row(known.pop(trial.name), trial.case, trial.build) if trial.name in known else _not_begun(trial)
        for trial in planned
    ]
    rows += [_row(trial, None, trial.build) for trial in known.values()]
    return by_rank(rows)


def by_rank(rows: Sequence[Row]) -> list[Row]:
    """What is finished, then what was stopped, then what failed or waits."""
    return sorted(rows, key=lambda row: RANKS.get(row.status, len(RANKS)))


def _row(trial: Trial, case: str | None, build: Build) -> Row:
    return Row(
        name=trial.name,
        config=trial.config,
        dataset_id=trial.dataset_id,
        status=trial.status,
        reason=trial.reason,
        history=trial.history,
        result=trial.result,
        case=case,
        build=build,
        known=trial.known,
        latency=trial.latency,
        test_id=trial.test_id,
        record=trial.record,
        peak=trial.peak,
    )


def _not_begun(trial: Planned) -> Row:
    return Row(
        name=trial.name,
        config=trial.config,
        dataset_id=trial.dataset_id,
        status="waiting",
        case=trial.case,
        build=trial.build,
    )


def labels_of(planned: Sequence[Planned]) -> dict[str, str]:
    """By name, what tells each of these trials from the others."""
    return labels([_not_begun(trial) for trial in planned])


def drawn_label(trial: Planned) -> str:
    """What a search chose for a trial, in few words."""
    if trial.asked is None:
        return trial.label or trial.name
    words = [
        str(value) if name in BARE_AXES else f"{name.rpartition('.')[2]} {value}"
        for name, value in trial.asked.draw.params.items()
    ]
    return " ".join((*words, f"seed {trial.config.seed}"))


def shared_of(planned: Sequence[Planned]) -> list[str]:
    """What all of these trials have in common, in a few words each."""
    return alike([_not_begun(trial) for trial in planned])
