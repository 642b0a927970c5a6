"""The answer of a sweep: settings grouped over seeds, ranked, with the right words."""

import csv
import dataclasses
import io
from collections.abc import Callable

import numpy as np
import pytest
from rich.console import Console

from epropnp.errors import UserError
from epropnp.evaluation.table import print_table
from epropnp.evaluation.table_text import to_csv
from sweeps.results.columns import Row
from sweeps.results.sentences import LACKING, ONE_SEED, TWO_SEEDS, answer
from sweeps.results.summary import (
    RANKED,
    SELECTION,
    answer_table,
    summarise,
    summary_page,
    summary_table,
)
from sweeps.results.tables import SCORES
from sweeps.results.tested import ImageScores
from tests.sweeps.results.counted import counted

IMAGES = 400
Make = Callable[..., Row]


def image_scores(rate: float, seed: int) -> ImageScores:
    """`rate` of the images counts 100, a few others per seed; other scores have other orders."""
    counts = 100.0 * (np.arange(IMAGES) < rate * IMAGES)
    flipped = np.random.default_rng(seed).permutation(IMAGES)[:6]
    counts[flipped] = 100 - counts[flipped]
    values = dict(
        zip((SCORES[title] for title in RANKED), (counts, 90 - 0.8 * counts, counts / 2), strict=True)
    )
    return counted([str(i) for i in range(IMAGES)], np.full(IMAGES, 6), values)


def made(make: Make, rates: dict[str, float], seeds: int) -> tuple[list[Row], dict[str, ImageScores]]:
    rows = [make(backbone=name, seed=seed) for name in rates for seed in range(seeds)]
    scores = {row.name: image_scores(rates[row.config.model.backbone], 10 * i) for i, row in enumerate(rows)}
    return rows, scores


RATES = {"test_resnet": 0.7, "test_convnext": 0.4, "test_vit": 0.7}


def test_trials_on_different_data_are_no_seeds_of_one_setting(made_row: Make) -> None:
    rows, scores = made(made_row, {"test_resnet": 0.7}, seeds=2)
    rows = [
        dataclasses.replace(row, name=row.name + count, dataset_id=count, build=(f"build.train={count}",))
        for row in rows
        for count in ("5", "50")
    ]
    summary = summarise(rows, {row.name: next(iter(scores.values())) for row in rows})
    seeds = {label: [row.config.seed for row in group] for label, group in summary.settings.items()}
    assert seeds == {"build.train 5": [0, 1], "build.train 50": [0, 1]}


def test_seeds_become_one_row_and_the_verdict_follows_the_difference(made_row: Make) -> None:
    rows, scores = made(made_row, RATES, seeds=3)
    summary = summarise(rows, scores)
    assert {label: len(group) for label, group in summary.settings.items()} == dict.fromkeys(RATES, 3)
    best, second, worst = summary.ranked[SELECTION].settings
    assert {best.name, second.name} == {"test_resnet", "test_vit"}
    assert (second.verdict, worst.verdict) == ("equal", "worse")
    assert worst.difference.value == pytest.approx(-30, abs=1.5)
    assert best.name in answer(SELECTION, summary.ranked[SELECTION])
    assert answer(SELECTION, summary.ranked[SELECTION]).endswith(
        f"; equal within 5: {second.name}; worse: test_convnext. "
        "Of 3 settings, with 95 % confidence for all of them together."
    )
    assert not summary.notes


def test_there_is_no_best_among_settings_that_score_nothing(made_row: Make) -> None:
    row = made_row()
    nothing = dataclasses.replace(image_scores(0.5, 0), values={SCORES[t]: np.zeros(IMAGES) for t in RANKED})
    summary = summarise([row], {row.name: nothing})
    assert (
        answer(SELECTION, summary.ranked[SELECTION])
        == f"{SELECTION}: every setting scores 0, so nothing tells them apart."
    )


def test_few_seeds_are_said(made_row: Make) -> None:
    assert summarise(*made(made_row, RATES, seeds=1)).notes == [ONE_SEED]
    assert summarise(*made(made_row, RATES, seeds=2)).notes == [TWO_SEEDS]


def test_an_answer_says_how_many_trials_it_is_of_while_others_are_to_be_finished(made_row: Make) -> None:
    rows, scores = made(made_row, RATES, seeds=1)
    whole = summarise(rows, scores)
    assert whole.answer(SELECTION) == answer(SELECTION, whole.ranked[SELECTION])
    later = [
        dataclasses.replace(row, name=f"{row.name}-later", status="waiting", result=None) for row in rows
    ]
    summary = summarise([*rows, later[0]], scores)
    said = f"So far, with 3 of 4 trials finished: {answer(SELECTION, summary.ranked[SELECTION])}"
    assert summary.answer(SELECTION) == answer_table(summary).title == said
    assert f"- {said}\n" in summary_page(summary, "x")
    assert summary_page(summary, "x").count("So far") == 1
    ended = dataclasses.replace(later[0], status="stopped", reason="hopeless")
    assert not summarise([*rows, ended], scores).so_far


def test_a_failed_trial_is_left_out_and_named(made_row: Make) -> None:
    rows, scores = made(made_row, {"test_resnet": 0.7}, seeds=3)
    failed = Row(
        name="broken", config=rows[0].config, dataset_id="abc123def456", status="failed", reason="diverged"
    )
    summary = summarise([*rows[:2], failed], {row.name: scores[row.name] for row in rows[:2]})
    assert [len(row.seeds) for row in summary.ranked[SELECTION].settings] == [2]
    assert "FAILED: broken: diverged" in summary.notes


def test_labels_hold_what_tells_settings_apart(made_row: Make) -> None:
    rows = [
        made_row(recipe=recipe, backbone=name)
        for recipe in ("a", "b")
        for name in ("test_resnet", "test_vit")
    ]
    summary = summarise(rows, {row.name: image_scores(0.5, 0) for row in rows})
    assert set(summary.settings) == {"a test_resnet", "a test_vit", "b test_resnet", "b test_vit"}
    alone = summarise(rows[:1], {rows[0].name: image_scores(0.5, 0)})
    assert set(alone.settings) == {"test_resnet"}
    assert answer(SELECTION, alone.ranked[SELECTION]).startswith(f"{SELECTION}: best is test_resnet with ")


def test_trials_tested_on_other_images_are_refused(made_row: Make) -> None:
    rows, scores = made(made_row, RATES, seeds=1)
    scores[rows[1].name].sample_id[7] = "another"
    with pytest.raises(
        UserError, match=f"{rows[1].name} and {rows[0].name} were not tested on the same images"
    ):
        summarise(rows, scores)


def test_files_hold_every_score_and_setting(made_row: Make) -> None:
    summary = summarise(*made(made_row, RATES, seeds=2))
    read = list(csv.DictReader(io.StringIO(to_csv(summary_table(summary)))))
    assert [row["score"] for row in read] == [title for title in RANKED for _ in RATES]
    first = summary.ranked[SELECTION].settings[0]
    assert float(read[0]["mean"]) == first.mean.value
    assert float(read[0]["mean low"]) == first.mean.low
    assert float(read[0]["spread between seeds"]) == first.spread
    assert read[0]["seeds"] == "0 1"
    assert read[2]["backbone"] == "test_convnext"
    assert float(read[2]["difference high"]) == summary.ranked[SELECTION].settings[2].difference.high
    markdown = summary_page(summary, "Sweep x")
    assert markdown.startswith(f"# Sweep x\n\n- {answer(SELECTION, summary.ranked[SELECTION])}\n")
    assert [line[3:] for line in markdown.splitlines() if line.startswith("## ")] == list(RANKED)
    assert (
        "All settings: recipe: tiny; head: deconv; loss weight: 0.02; pretraining: none; weights: none."
        in markdown
    )


def test_the_terminal_shows_the_answer_and_whole_intervals(made_row: Make) -> None:
    summary = summarise(*made(made_row, RATES, seeds=3))
    console = Console(record=True, width=110, file=io.StringIO())
    print_table(answer_table(summary), console)
    text = console.export_text()
    worst = summary.ranked[SELECTION].settings[2]
    assert f"{worst.mean.value:.2f} [{worst.mean.low:.1f}, {worst.mean.high:.1f}]" in text
    assert text.split("\n")[0].startswith("ADD(-S) 0.10d: best is")
    assert "ADD(-S) area: best is" in text


@pytest.mark.parametrize("other", ["in12k", "d1h_in1k"])
def test_settings_that_have_seen_other_data_are_marked(made_row: Make, other: str) -> None:
    rates = {"convnext_tiny.fb_in1k": 0.7, f"convnext_nano.{other}": 0.4, "resnet34.tv_in1k": 0.1}
    rows, scores = made(made_row, rates, seeds=1)
    rows = [
        dataclasses.replace(
            row,
            config=dataclasses.replace(
                row.config, model=dataclasses.replace(row.config.model, pretrained=True)
            ),
        )
        for row in rows
    ]
    page = summary_page(summarise(rows, scores), "title")
    table = page.partition(f"## {SELECTION}")[2].partition("## ")[0]
    seen = [line.split("|")[-2].strip() for line in table.splitlines() if line.startswith("|")]
    if other == "d1h_in1k":
        assert "pretraining" not in seen
        assert "(!)" not in page
    else:
        assert seen == ["pretraining", "---", "in1k", "in12k (!)", "in1k"]
        assert "(!): other data before this training than the first row's." in table


def test_a_setting_that_lacks_seeds_is_marked_and_never_best(made_row: Make) -> None:
    rows, scores = made(made_row, {"test_resnet": 0.9, "test_convnext": 0.6, "test_vit": 0.3}, seeds=2)
    (gone,) = [each for each in rows if each.config.model.backbone == "test_resnet" and each.config.seed == 1]
    for status in ("failed", "stopped", "waiting"):
        left = dataclasses.replace(gone, status=status, result=None)
        trials = [left if row is gone else row for row in rows]
        summary = summarise(trials, {n: found for n, found in scores.items() if n != gone.name})
        found = summary.ranked[SELECTION].settings
        assert [(row.name, row.verdict) for row in found] == [
            ("test_convnext", "best"),
            ("test_vit", "worse"),
            ("test_resnet", "not distinguishable"),
        ]
        table = answer_table(summary)
        assert [row[1] for row in table.rows] == [2, 2, "1 of 2"]
        assert LACKING in table.notes
    whole = summarise(rows, scores)
    assert whole.ranked[SELECTION].settings[0].name == "test_resnet"
    assert LACKING not in answer_table(whole).notes
