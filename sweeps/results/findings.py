"""What a comparison stands on: settings, what their trials did on each image, and what is left out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from epropnp.errors import UserError, first_line
from epropnp.evaluation.thresholds import BEST, MARGIN
from sweeps.results.columns import Row
from sweeps.results.joined import Joined
from sweeps.results.summary import Summary, summarise
from sweeps.results.tables import ADD, SCORES
from sweeps.results.tested import ImageScores, read_tested
from sweeps.search.search import by_setting


@dataclass(frozen=True, kw_only=True)
class Findings:
    """A comparison, ready to be shown.

    Attributes:
        title: of it.
        rows: of all trials.
        summary: of the best settings by every score; None where no trial finished.
        images: what their trials did on each test image, by name.
        others: settings that finished and are not compared, best first: their trials.
        remarks: what was left out, and what could not be read.
        folders: of the trials, by name, where they are told.
    """

    title: str
    rows: Sequence[Row]
    summary: Summary | None
    images: Mapping[str, ImageScores]
    others: Sequence[Sequence[Row]] = ()
    remarks: Sequence[str] = ()
    folders: Mapping[str, Path] = field(default_factory=dict)


def find(
    joined: Joined,
    title: str,
    *,
    best: int = BEST,
    margin: float = MARGIN,
) -> Findings:
    """Compare the best settings of some trials image by image, all others by their scores alone.

    Args:
        joined: the trials.
        title: of the comparison.
        best: number of settings that are compared, by their mean ADD(-S) 0.10d.
        margin: points of a score within which settings are called equal, if that can be shown.
    """
    settings = by_setting(row for row in joined.rows if row.result is not None)
    ranked = sorted(settings.values(), key=_mean, reverse=True)
    chosen, others = ranked[:best], ranked[best:]
    remarks, images = list(joined.left_out), dict[str, ImageScores]()
    for row in (row for group in chosen for row in group):
        try:
            images[row.name] = read_tested(joined.folders[row.name])
        except UserError as error:
            remarks.append(f"{row.name} is not compared: {first_line(error)}")
    if others:
        remarks.append(
            f"The best {best} of {len(ranked)} settings by ADD(-S) 0.10d are compared image by image; of the "
            f"other {len(others)} the means are given alone."
        )
    names = {row.name for group in others for row in group}
    compared = [row for row in joined.rows if row.name not in names]
    summary = summarise(compared, images, margin, tuple(SCORES)) if images else None
    return Findings(
        title=title,
        rows=joined.rows,
        summary=summary,
        images=images,
        others=others,
        remarks=remarks,
        folders=joined.folders,
    )


def _mean(group: Sequence[Row]) -> float:
    return float(np.mean([row.result.test[ADD] for row in group if row.result is not None]))
