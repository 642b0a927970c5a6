"""The numbers of the answer against plain means: settings over seeds, signed differences, labels."""

import csv
import dataclasses
import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from epropnp.evaluation.table import terminal_notes, to_rich
from epropnp.evaluation.table_text import to_csv
from sweeps.results.columns import Row
from sweeps.results.sentences import LEGEND, LONE_SEED, ONE_SEED, TWO_SEEDS, answer, could_show
from sweeps.results.summary import (
    RANKED,
    Summary,
    answer_table,
    summarise,
    summary_page,
    summary_table,
)
from sweeps.results.tables import SCORES
from sweeps.results.tested import ImageScores
from tests.sweeps.results.counted import counted

Make = Callable[..., Row]
OBJECT_ID = np.array(
    [1, 1, 1, 2]
)  # unequal numbers of images: an average over images is not that over objects
COUNTS = {  # backbone -> seed -> score -> what the images count
    "test_resnet": {
        3: {"ADD(-S) 0.10d": [100, 100, 0, 100], "ADD(-S) area": [10, 10, 10, 10], "5deg5cm": [0, 0, 0, 100]},
        8: {"ADD(-S) 0.10d": [100, 0, 0, 100], "ADD(-S) area": [16, 10, 10, 12], "5deg5cm": [0, 0, 0, 100]},
    },
    "test_convnext": {
        3: {"ADD(-S) 0.10d": [0, 100, 0, 0], "ADD(-S) area": [90, 80, 88, 70], "5deg5cm": [0, 100, 0, 0]},
        8: {"ADD(-S) 0.10d": [0, 0, 0, 0], "ADD(-S) area": [90, 80, 88, 80], "5deg5cm": [100, 0, 0, 0]},
    },
    "test_vit": {
        3: {"ADD(-S) 0.10d": [0, 0, 0, 100], "ADD(-S) area": [30, 30, 36, 40], "5deg5cm": [100, 100, 0, 100]},
        8: {
            "ADD(-S) 0.10d": [100, 0, 0, 0],
            "ADD(-S) area": [30, 30, 36, 44],
            "5deg5cm": [100, 100, 100, 100],
        },
    },
}
BEST = {"ADD(-S) 0.10d": "test_resnet", "ADD(-S) area": "test_convnext", "5deg5cm": "test_vit"}


def score(counts: Sequence[float]) -> float:
    """Mean over the images of each object, then over the two objects."""
    return (sum(counts[:3]) / 3 + counts[3]) / 2


@pytest.fixture
def rows(made_row: Make) -> list[Row]:
    """Seeds and settings in a mixed order."""
    return [made_row(backbone=name, seed=seed) for seed in (8, 3) for name in COUNTS]


@pytest.fixture
def images(rows: list[Row]) -> dict[str, ImageScores]:
    """By trial, in another order than the rows."""
    return {row.name: scores_of(COUNTS[row.config.model.backbone][row.config.seed]) for row in reversed(rows)}


def scores_of(counts: Mapping[str, Sequence[float]]) -> ImageScores:
    values = {SCORES[title]: np.array(each, float) for title, each in counts.items()}
    return counted(list("abcd"), OBJECT_ID, values)


@pytest.fixture
def summary(rows: list[Row], images: dict[str, ImageScores]) -> Summary:
    return summarise(rows, images)


@pytest.mark.parametrize("title", RANKED)
def test_settings_are_ranked_by_the_score_of_the_title(summary: Summary, title: str) -> None:
    seeds = {name: [score(by[seed][title]) for seed in (8, 3)] for name, by in COUNTS.items()}
    means = {name: np.mean(values) for name, values in seeds.items()}
    order = sorted(means, key=lambda name: -means[name])
    assert order[0] == BEST[title]
    ranked = summary.ranked[title].settings
    assert [row.name for row in ranked] == order
    for row in ranked:
        assert row.seeds == pytest.approx(seeds[row.name])
        assert row.mean.value == pytest.approx(means[row.name])
        first, second = seeds[row.name]
        assert row.spread == pytest.approx(abs(first - second) / np.sqrt(2))
        assert row.difference.value == pytest.approx(means[row.name] - means[order[0]])
    assert [row.verdict == "best" for row in ranked] == [True, False, False]
    assert answer(title, summary.ranked[title]).startswith(
        f"{title}: best is {BEST[title]} with {ranked[0].mean.value:.2f} ["
    )


def test_csv_lines_hold_their_own_setting_and_score(summary: Summary, rows: list[Row]) -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(summary_table(summary)))))
    assert list(lines[0]) == [
        *("score", "setting", "recipe", "backbone", "head", "loss weight"),
        *("pretraining", "weights", "seeds"),
        *("mean", "mean low", "mean high", "difference", "difference low", "difference high"),
        *("spread between seeds", "right here only", "right in the best only"),
        *("verdict", "smallest margin"),
    ]
    ranked = [(title, row) for title in RANKED for row in summary.ranked[title].settings]
    for line, (title, row) in zip(lines, ranked, strict=True):
        bounds = [
            float(line[f"{what}{bound}"])
            for what in ("mean", "difference")
            for bound in ("", " low", " high")
        ]
        estimates = (row.mean, row.difference)
        assert bounds == [value for e in estimates for value in (e.value, e.low, e.high)]
        assert line["score"] == title
        assert line["setting"] == line["backbone"] == row.name
        assert (line["recipe"], line["head"], line["loss weight"]) == ("tiny", "deconv", "0.02")
        assert (line["pretraining"], line["weights"]) == ("none", "none")
        assert line["seeds"] == "8 3"
        assert float(line["spread between seeds"]) == row.spread
        assert line["verdict"] == summary.ranked[title].words(row)


def test_markdown_tables_hold_their_own_setting_and_score(summary: Summary) -> None:
    text = summary_page(summary, "Sweep x")
    answers = [line for line in text.splitlines() if line.startswith("- ")]
    assert answers == [f"- {answer(title, summary.ranked[title])}" for title in RANKED]
    for title in RANKED:
        section = text.split(f"## {title}\n")[1].split("\n## ")[0]
        body = [
            [cell.strip() for cell in line.strip("|").split("|")]
            for line in section.splitlines()
            if line.startswith("| ")
        ]
        header = ["setting", "seeds", "mean", "spread between seeds", "difference to the best"]
        header += ["flips", "verdict"]
        assert body[0] == header
        for cells, row in zip(body[1:], summary.ranked[title].settings, strict=True):
            assert cells[:2] == [row.name, "2"]
            assert cells[2] == f"{row.mean.value:.2f} [{row.mean.low:.1f}, {row.mean.high:.1f}]"
            assert cells[3] == f"{row.spread:.2f}"
            d = row.difference
            best = row.verdict == "best"
            assert cells[4] == ("-" if best else f"{d.value:.2f} [{d.low:.1f}, {d.high:.1f}]")
            assert cells[6] == summary.ranked[title].words(row)


FLIPS = {  # against the best, of COUNTS by hand: ADD(-S) 0.10d in both seeds here, in none there; the reverse
    "ADD(-S) 0.10d": {"test_resnet": None, "test_vit": (0, 0), "test_convnext": (0, 2)},
    "ADD(-S) area": {"test_convnext": None, "test_vit": (0, 0), "test_resnet": (2, 0)},
    "5deg5cm": {"test_vit": None, "test_resnet": (0, 0), "test_convnext": (0, 0)},
}


@pytest.mark.parametrize("title", RANKED)
def test_flips_are_of_one_score_in_every_ranking(summary: Summary, title: str) -> None:
    lines = csv.DictReader(io.StringIO(to_csv(summary_table(summary))))
    found = {
        line["setting"]: (line["right here only"], line["right in the best only"])
        for line in lines
        if line["score"] == title
    }
    assert found == {name: tuple(map(str, pair or ("", ""))) for name, pair in FLIPS[title].items()}
    section = summary_page(summary, "Sweep x").split(f"## {title}\n")[1].split("\n## ")[0]
    for name, pair in FLIPS[title].items():
        (line,) = (line for line in section.splitlines() if line.startswith(f"| {name} "))
        assert (f"| +{pair[0]} -{pair[1]} |" if pair else "| - | - | best |") in line


def test_each_ranking_says_which_margin_could_have_been_shown(summary: Summary) -> None:
    text = summary_page(summary, "Sweep x")
    for title in RANKED:
        section = text.split(f"## {title}\n")[1].split("\n## ")[0]
        least = summary.ranked[title].least_margin
        assert least is not None
        assert f"{np.ceil(10 * least) / 10:.1f} points" in section
    table = answer_table(summary)
    assert could_show(summary.ranked["ADD(-S) 0.10d"]) in table.notes


def test_one_seed_has_no_spread(rows: list[Row], images: dict[str, ImageScores]) -> None:
    summary = summarise(rows[:3], images)
    lines = csv.DictReader(io.StringIO(to_csv(summary_table(summary))))
    assert {line["spread between seeds"] for line in lines} == {""}
    assert "| 1 | " in summary_page(summary, "Sweep x")


def test_trials_that_did_not_finish_weigh_nothing(rows: list[Row], images: dict[str, ImageScores]) -> None:
    gone = rows[0]
    rows[0] = dataclasses.replace(gone, result=None, status="failed", reason="diverged")
    del images[gone.name]
    summary = summarise(rows, images)
    kept = next(
        row for row in summary.ranked["ADD(-S) 0.10d"].settings if row.name == gone.config.model.backbone
    )
    other = COUNTS[gone.config.model.backbone][3]["ADD(-S) 0.10d"]
    assert kept.seeds == pytest.approx((score(other),))
    assert {len(row.seeds) for row in summary.ranked["ADD(-S) 0.10d"].settings} == {1, 2}


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ((1, 1), [ONE_SEED]),
        ((1, 3), [LONE_SEED]),
        ((1, 2), [LONE_SEED, TWO_SEEDS]),
        ((2, 3), [TWO_SEEDS]),
        ((3, 4), []),
    ],
)
def test_what_few_seeds_mean_is_said_of_any_setting_that_has_them(
    made_row: Make, seeds: tuple[int, int], said: list[str]
) -> None:
    names = ("test_resnet", "test_vit")
    rows = [
        made_row(backbone=b, seed=seed)
        for b, count in zip(names, seeds, strict=True)
        for seed in range(count)
    ]
    images = {row.name: scores_of(COUNTS[row.config.model.backbone][3]) for row in rows}
    assert summarise(rows, images).notes == said


def changed(row: Row, *, head: str = "deconv", mc: float = 0.02, lr: float = 1e-4, name: str = "") -> Row:
    """The same trial under another head, loss weight or learning rate."""
    config = dataclasses.replace(
        row.config,
        model=dataclasses.replace(row.config.model, head=head),
        loss=dataclasses.replace(row.config.loss, mc=mc),
        optim=dataclasses.replace(row.config.optim, lr=lr),
    )
    return dataclasses.replace(row, config=config, name=name or f"{row.name}-{head}-{mc}-{lr}")


def labels(rows: list[Row]) -> dict[str, list[str]]:
    images = {row.name: scores_of(COUNTS["test_vit"][3]) for row in rows}
    return {label: [row.name for row in group] for label, group in summarise(rows, images).settings.items()}


def test_a_loss_weight_is_named_where_it_alone_tells_settings_apart(made_row: Make) -> None:
    rows = [changed(made_row(seed=seed), mc=mc) for seed in (0, 1) for mc in (0.02, 0.2)]
    names = [row.name for row in rows]
    assert labels(rows) == {"loss weight 0.02": names[0::2], "loss weight 0.2": names[1::2]}


def test_a_loss_weight_that_follows_from_the_recipe_is_not_named(made_row: Make) -> None:
    rows = [changed(made_row(recipe=recipe), mc=mc) for recipe, mc in (("a", 0.02), ("b", 0.2))]
    assert list(labels(rows)) == ["a", "b"]


def test_heads_and_backbones_are_named_by_their_values(made_row: Make) -> None:
    pairs = [("test_resnet", "deconv"), ("test_resnet", "direct"), ("test_convnext", "deconv")]
    rows = [changed(made_row(backbone=backbone), head=head) for backbone, head in pairs]
    assert list(labels(rows)) == ["test_resnet deconv", "test_resnet direct", "test_convnext deconv"]


def test_the_terminal_is_given_each_answer_once(summary: Summary) -> None:
    table = to_rich(answer_table(summary), 100)
    first, *others = (answer(title, summary.ranked[title]) for title in RANKED)
    assert answer_table(summary).title == first
    assert terminal_notes(answer_table(summary), 100)[:3] == [*others, LEGEND]
    names = [row.name for row in summary.ranked["ADD(-S) 0.10d"].settings]
    assert list(map(str, table.columns[0].cells)) == names
