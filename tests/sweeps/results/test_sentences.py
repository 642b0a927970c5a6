"""What is said of a comparison: claims of a family, networks or settings, and what could have been shown."""

import pytest

from epropnp.evaluation.comparison import Compared, Comparison, Verdict
from epropnp.evaluation.estimate import Estimate
from sweeps.results.sentences import LONE_SEED, ONE_SEED, TWO_SEEDS, answer, could_show, named, seed_notes

VERDICTS: tuple[Verdict, ...] = ("best", "worse", "not distinguishable", "equal", "worse")


def comparison(
    verdicts: tuple[Verdict, ...] = VERDICTS,
    seeds: tuple[int, ...] = (3, 3, 3, 3, 3),
    margin: float = 5.0,
    least: float | None = 4.21,
    seed_share: float = 0.4,
) -> Comparison:
    rows = [
        Compared(
            name="abcde"[k],
            seeds=(60.0,) * count,
            mean=Estimate(61.666, 56, 67),
            spread=None,
            difference=Estimate(0, 0, 0),
            verdict=verdict,
        )
        for k, (verdict, count) in enumerate(zip(verdicts, seeds, strict=False))
    ]
    return Comparison(settings=tuple(rows), margin=margin, least_margin=least, seed_share=seed_share)


def test_the_answer_claims_for_all_settings_together() -> None:
    assert answer("ADD", comparison()) == (
        "ADD: best is a with 61.67 [56.0, 67.0]; equal within 5: d; not distinguishable: c; worse: b, e. "
        "Of 5 settings, with 95 % confidence for all of them together."
    )


def test_with_one_seed_everywhere_it_speaks_of_networks() -> None:
    assert answer("ADD", comparison(("best", "worse"), seeds=(1, 1))) == (
        "ADD: best is a with 61.67 [56.0, 67.0]; worse: b. Of these 2 trained networks, with 95 % confidence "
        "for all of them together; other seeds may say otherwise."
    )
    assert "trained networks" not in answer("ADD", comparison(("best", "worse"), seeds=(1, 2)))


def test_one_setting_is_compared_with_nothing() -> None:
    alone = comparison(("best",), least=None)
    assert answer("ADD", alone) == "ADD: best is a with 61.67 [56.0, 67.0]."
    assert could_show(alone) is None


def test_none_is_best_where_all_score_the_same() -> None:
    nothing = comparison(("not distinguishable", "not distinguishable"))
    assert answer("ADD", nothing) == "ADD: every setting scores 61.67, so nothing tells them apart."
    assert could_show(nothing) is None


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (
            comparison(),
            "The smallest margin that these test images and seeds could have shown: 4.3 points.",
        ),
        (
            comparison(margin=4.2),
            "NOTE: equal within 4.2 cannot be shown with these test images and seeds; the smallest margin "
            "that they could have shown: 4.3 points. What helps most: more test images.",
        ),
        (
            comparison(margin=1, seed_share=0.6),
            "NOTE: equal within 1 cannot be shown with these test images and seeds; the smallest margin that "
            "they could have shown: 4.3 points. What helps most: more seeds.",
        ),
        (
            comparison(seeds=(1, 1), least=2.0),
            "The smallest margin that these test images could have shown: 2.0 points.",
        ),
        (
            comparison(least=float("inf")),
            "NOTE: with one test image of each object nothing can be told; build more.",
        ),
    ],
)
def test_what_could_have_been_shown_is_rounded_up_and_what_helps_is_named(
    found: Comparison, said: str
) -> None:
    assert could_show(found) == said


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ([1, 1], [ONE_SEED]),
        ([1, 3], [LONE_SEED]),
        ([2, 1], [LONE_SEED, TWO_SEEDS]),
        ([2, 3], [TWO_SEEDS]),
        ([3, 4], []),
    ],
)
def test_what_few_seeds_mean_is_said(seeds: list[int], said: list[str]) -> None:
    assert seed_notes(seeds) == said


def test_of_many_settings_the_first_ones_are_named_and_the_others_counted() -> None:
    assert named(["a"]) == "a"
    assert named(list("abcd")) == "a, b, c, d"
    assert named(list("abcde")) == "a, b, c and 2 more"
