"""What there is to say of a whole sweep at its end: the answer, and the setting that validation prefers."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeps.folder import Sweep
from sweeps.search.objectives import USUAL
from sweeps.search.search import by_setting
from sweeps.space import CASE
from sweeps.tracking.events import PARENT, TEXT_CHARACTERS, Event, described, ended
from sweeps.tracking.trial_words import NOTE_TAG, mean_scores, scores_in_words, varied_keys
from sweeps.trial import Trial

SUMMARY = "summary.md"
# As far as they are there.
FILES = (
    *(SUMMARY, "summary.csv", "summary.png", "table.md", "table.csv"),
    "report.html",
)
SCORE = USUAL.removeprefix("val/")


def end_of_sweep(sweep: Sweep, status: str, reason: str = "", files: Sequence[Path] = ()) -> Event:
    """Its end, as its folder tells it.

    Args:
        sweep: whose trials have ended.
        status, reason: of its run.
        files: of the report, beside the usual ones; of a folder its pictures.
    """
    trials = list(sweep.trials())
    setting = preferred_setting(trials)
    results = [trial.result for trial in setting if trial.result is not None]
    scores = mean_scores(results) if results else {}
    made = [each for file in files for each in (sorted(file.glob("*.png")) if file.is_dir() else [file])]
    kept = [*made, *(sweep.folder / name for name in FILES if (sweep.folder / name).is_file())]
    event = ended(PARENT, status, reason, scores=scores, files=[*dict.fromkeys(kept)], root=sweep.folder)
    note = _note(sweep, setting, scores)
    asked = [trial.asked for trial in trials if trial.asked is not None]
    drawn = [key for each in asked for key in each.draw.params if key != CASE]
    varied = dict.fromkeys((*sweep.varied, *(varied_keys(trials) if trials else ()), *drawn))
    return event | described({NOTE_TAG: note}) | {"varied": [*varied]}


def preferred_setting(trials: Sequence[Trial]) -> list[Trial]:
    """The finished trials of the setting with the best mean on validation; none where none has finished.

    Settings that lack seeds stand below the others.
    """
    groups = by_setting(trials)
    finished = {key: [t for t in group if t.result is not None] for key, group in groups.items()}
    ranked = {
        key: (len(found) == len(groups[key]), statistics.fmean(map(_validated, found)))
        for key, found in finished.items()
        if found
    }
    return finished[max(ranked, key=ranked.__getitem__)] if ranked else []


def _validated(trial: Trial) -> float:
    return 0.0 if trial.result is None else trial.result.validated.get(SCORE, 0.0)


def _note(sweep: Sweep, setting: Sequence[Trial], scores: dict[str, Any]) -> str:
    """In Markdown, as much of the summary as a description takes: answers first, then whole rankings."""
    file = sweep.folder / SUMMARY
    if not setting or not file.is_file():
        return f"Sweep {sweep.name}: no trial has finished."
    model = setting[0].config.model
    tested = scores_in_words({key.removeprefix("test/"): value for key, value in scores.items()})
    preferred = (
        f"Validation prefers `{model.backbone}` with head `{model.head}`, loss weight "
        f"{setting[0].config.loss.mc:g} (mean of {len(setting)} seeds, the scores of this run): {tested}."
    )
    head, *sections = file.read_text().split("\n## ")
    head = f"{head.rstrip()}\n\n{preferred}\n"
    text = head
    for section in sections:
        longer = f"{text}\n## {section}"
        if len(longer) > TEXT_CHARACTERS:
            break
        text = longer
    return text
