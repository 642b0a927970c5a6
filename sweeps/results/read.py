"""From the folders of a sweep to the rows of its tables."""

from collections.abc import Mapping, Sequence

from epropnp.training.config import TrialConfig
from sweeps.folder import Sweep
from sweeps.results.columns import Row
from sweeps.search.search import Planned
from sweeps.trial import Trial

RANKS = {"finished": 0, "stopped": 1}  # others stand below these


def read_rows(sweep: Sweep, planned: Sequence[Planned], dataset_id: str) -> list[Row]:
    """One row per trial: what is finished, then what was stopped, then what failed or waits.

    Args:
        sweep: whose folders are read.
        planned: its trials in their order; others that it has, of an earlier plan, come after them.
        dataset_id: that they are trained on.

    Raises:
        UserError: a folder is damaged.
    """
    known = {trial.name: trial for trial in sweep.trials()}
    cases = {trial.config: trial.case for trial in planned}
    rows = [
        _row(known.pop(trial.name), cases)
        if trial.name in known
        else Row(
            name=trial.name, config=trial.config, dataset_id=dataset_id, status="waiting", case=trial.case
        )
        for trial in planned
    ]
    rows += [_row(trial, cases) for trial in known.values()]
    return sorted(rows, key=lambda row: RANKS.get(row.status, len(RANKS)))


def _row(trial: Trial, cases: Mapping[TrialConfig, str | None]) -> Row:
    return Row(
        name=trial.name,
        config=trial.config,
        dataset_id=trial.dataset_id,
        status=trial.status,
        reason=trial.reason,
        history=trial.history,
        result=trial.result,
        case=cases.get(trial.config),
    )


def _not_begun(trial: Planned, dataset_id: str) -> Row:
    return Row(name=trial.name, config=trial.config, dataset_id=dataset_id, status="waiting", case=trial.case)
