"""What a comparison says in words: the answer, what could have been shown at all, and what to mind."""

import math
from collections.abc import Sequence

from epropnp.evaluation.comparison import Comparison
from sweeps.results.tables import interval

NAMED = 3  # settings of one verdict that a sentence names, where there are many
LEGEND = (
    "Percent, with 95 % intervals. mean: over seeds and test images; its interval accounts for other images "
    "and other seeds. spread between seeds: standard deviation. difference: paired over the same images; the "
    "intervals of a table hold for all its settings together. `worse`: the interval is below 0; "
    "`equal within X`: shown to be less than X points from the best; `not distinguishable`: neither. "
    "flips: images right at ADD(-S) 0.10d in most seeds here and in none of the best (+), and the reverse "
    "(-). How to read this: docs/comparing.md."
)
ONE_SEED = (
    "NOTE: with one seed the answers are about these trained networks: another seed may move a setting by "
    "more than its intervals say; run more, such as --seeds 0 1 2."
)
LONE_SEED = (
    "NOTE: a setting with one seed is never told from a best one with several: nothing says how lucky its "
    "seed was; run more of it. The interval of its mean does not include other seeds."
)
TWO_SEEDS = (
    "NOTE: two seeds hardly tell how much seeds matter, so intervals of means are wide; three tell far more."
)
LACKING = (
    "NOTE: a setting of which some seeds have no result (`1 of 2`) stands below the others, is never best "
    "and told from none: those that are there may not be there by chance."
)


def answer(title: str, comparison: Comparison) -> str:
    """The result for one score."""
    best, *others = comparison.settings
    if best.verdict != "best":
        return f"{title}: every setting scores {best.mean.value:.4g}, so nothing tells them apart."
    text = f"{title}: best is {best.name} with {interval(best.mean)}"
    for verdict in ("equal", "not distinguishable", "worse"):
        found = [row for row in others if row.verdict == verdict]
        if found:
            text += f"; {comparison.words(found[0])}: {named([row.name for row in found])}"
    if not others:
        return text + "."
    count = len(comparison.settings)
    if _one_seed(comparison):
        return (
            f"{text}. Of these {count} trained networks, with 95 % confidence for all of them together; "
            "other seeds may say otherwise."
        )
    return f"{text}. Of {count} settings, with 95 % confidence for all of them together."


def named(names: Sequence[str]) -> str:
    """Names in a sentence: of many the first ones, and how many more there are."""
    if len(names) <= NAMED + 1:
        return ", ".join(names)
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"


def could_show(comparison: Comparison) -> str | None:
    """The smallest margin that these images and seeds could have shown, and what would make it smaller.

    None where there is nothing to compare.
    """
    least, margin = comparison.least_margin, comparison.margin
    if least is None or comparison.settings[0].verdict != "best":
        return None
    if math.isinf(least):
        return "NOTE: with one test image of each object nothing can be told; build more."
    shown = f"{math.ceil(10 * least) / 10:.1f} points"
    if _one_seed(comparison):
        by, more = "test images", "more test images"
    else:
        by, more = (
            "test images and seeds",
            "more seeds" if comparison.seed_share > 0.5 else "more test images",
        )
    if least < margin:
        return f"The smallest margin that these {by} could have shown: {shown}."
    return (
        f"NOTE: equal within {margin:g} cannot be shown with these {by}; the smallest margin that they could "
        f"have shown: {shown}. What helps most: {more}."
    )


def seed_notes(seeds: Sequence[int]) -> list[str]:
    """What few seeds mean, from the number that each setting has."""
    found = []
    if max(seeds) == 1:
        found.append(ONE_SEED)
    elif min(seeds) == 1:
        found.append(LONE_SEED)
    if 2 in seeds:
        found.append(TWO_SEEDS)
    return found


def _one_seed(comparison: Comparison) -> bool:
    return all(len(row.seeds) == 1 for row in comparison.settings)
