"""Every cell of the table holds the field that its title names, of its own trial."""

import csv
import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import print_table, terminal_notes, to_rich
from epropnp.evaluation.table_text import to_csv, to_markdown
from sweeps.results.columns import SETTINGS as SETTING_COLUMNS
from sweeps.results.columns import Row
from sweeps.results.tables import SCORES, shared_settings, trial_table
from tests.inference.measured import latency

Make = Callable[..., Row]
KEYS = {  # title -> key of `image_scores`, by what the legend says
    "ADD(-S) 0.02d": "add_0.02d",
    "ADD(-S) 0.05d": "add_0.05d",
    "ADD(-S) 0.10d": "add_0.10d",
    "ADD(-S) mean of 3": "add_mean3",
    "ADD(-S) area": "add_area",
    "2deg2cm": "2deg2cm",
    "5deg5cm": "5deg5cm",
    "10deg10cm": "10deg10cm",
    "deg cm mean 1..10": "degcm_mean_1_10",
}
START = {  # of test_vit from timm's weights, and of any network from scratch
    True: {"pretraining": "in1k", "weights": "r160_in1k"},
    False: {"pretraining": "none", "weights": "none"},
}
MS: dict[str, dict[str, object]] = {  # of the trials that were timed
    "test_resnet": {"ms network": 8.5, "ms poses": 17.0, "ms network of 32": 4.25, "ms poses of 32": 8.5},
    "test_vit": {"ms network": 0.25, "ms poses": 0.5, "ms network of 32": "", "ms poses of 32": ""},
}
TITLES = [
    *("recipe", "backbone", "head", "loss weight", "pretraining", "weights", "seed", "parameters"),
    *("seconds", "ms network", "ms poses", "ms network of 32", "ms poses of 32", "epochs"),
    *("val 0.10d before", "val 0.10d after", *KEYS, "test images", "test boxes", "dataset"),
]


@pytest.fixture
def rows(made_row: Make) -> list[Row]:
    """Three trials that differ in everything, the second one failed; no score equals its neighbour's."""
    rows = [made_row("a", "test_resnet", 3), made_row("b", "test_convnext", 7), made_row("c", "test_vit", 5)]
    heads, weights, datasets = ("direct", "fpn", "upsample"), (0.02, 0.125, 1e-7), ("aaa", "bbb", "ccc")
    changed = []
    for k, row in enumerate(rows):
        assert row.result is not None
        model = dataclasses.replace(row.config.model, head=heads[k], pretrained=k == 2)
        loss = dataclasses.replace(row.config.loss, mc=weights[k])
        scores = {key: Estimate(e.value, e.value - 3 - k, e.value + 5) for key, e in row.scores.items()}
        result = dataclasses.replace(row.result, test_images=500 + k, weights_sha256=f"{k}" * 64)
        result = dataclasses.replace(result, test_boxes=("true", "detected", "detected")[k])
        config = dataclasses.replace(row.config, model=model, loss=loss)
        changed.append(
            dataclasses.replace(row, config=config, dataset_id=datasets[k], result=result, scores=scores)
        )
    changed[0] = dataclasses.replace(changed[0], latency=latency(8.5))
    changed[1] = dataclasses.replace(changed[1], result=None, scores={}, status="failed", reason="diverged")
    changed[2] = dataclasses.replace(changed[2], latency=latency(0.25, batches=(1,)))
    return changed


def expected(row: Row) -> dict[str, object]:
    """The values of a finished trial by title, as the legend defines them."""
    result = row.result
    assert result is not None
    return {
        "recipe": row.config.recipe,
        "backbone": row.config.model.backbone,
        "head": row.config.model.head,
        "loss weight": row.config.loss.mc,
        **START[row.config.model.pretrained],
        "seed": row.config.seed,
        "parameters": result.parameters,
        "seconds": result.seconds,
        **MS[row.config.model.backbone],
        "epochs": result.epochs,
        "val 0.10d before": result.val_before["add_0.10d"],
        "val 0.10d after": result.val_after["add_0.10d"],
        **{title: row.scores[key].value for title, key in KEYS.items()},
        **{f"{title} low": row.scores[key].low for title, key in KEYS.items()},
        **{f"{title} high": row.scores[key].high for title, key in KEYS.items()},
        "test images": result.test_images,
        "test boxes": result.test_boxes,
        "dataset": row.dataset_id,
        "weights sha256": result.weights_sha256[:12] if result.weights_sha256 else "",
        "trial": row.name,
        "status": "finished",
    }


def test_the_scores_have_the_keys_of_their_titles() -> None:
    assert SCORES == KEYS


def test_csv_cells_are_those_of_their_trial_and_title(rows: list[Row]) -> None:
    text = to_csv(trial_table(rows, "Sweep x"))
    bounded = [t + bound for t in TITLES for bound in (("", " low", " high") if t in KEYS else ("",))]
    assert text.splitlines()[0].split(",") == ["trial", *bounded, "weights sha256", "status"]
    first, failed, third = csv.DictReader(io.StringIO(text))
    assert first == {title: str(value) for title, value in expected(rows[0]).items()}
    assert third == {title: str(value) for title, value in expected(rows[2]).items()}
    own = {"recipe": "b", "backbone": "test_convnext", "head": "fpn", "loss weight": "0.125", "seed": "7"}
    own |= {"trial": rows[1].name, "status": "failed: diverged", "dataset": "bbb"} | START[False]
    assert failed == {title: own.get(title, "") for title in first}


def test_markdown_cells_are_those_of_their_trial_and_title(rows: list[Row]) -> None:
    lines = [line for line in to_markdown(trial_table(rows, "Sweep x")).splitlines() if line.startswith("|")]
    head, rule, *body = [line.strip("|").split("|") for line in lines]
    titles = [*TITLES, "status"]  # one of them failed
    assert [cell.strip() for cell in head] == titles
    right = [cell.strip().endswith(":") for cell in rule]
    texts = ("recipe", "backbone", "head", "loss weight", "pretraining", "weights", "seed", "test images")
    assert right == [title not in (*texts, "test boxes", "dataset", "status") for title in titles]
    cells = [dict(zip(titles, (cell.strip() for cell in line), strict=True)) for line in body]
    third = expected(rows[2])
    assert cells[2]["loss weight"] == "1e-07"
    assert (cells[2]["pretraining"], cells[2]["weights"]) == ("in1k", "r160_in1k")
    assert (cells[0]["pretraining"], cells[0]["weights"]) == ("none", "none")
    assert cells[2]["parameters"] == "1.43 M"
    assert (cells[2]["seconds"], cells[2]["epochs"], cells[2]["seed"]) == ("81", "42", "5")
    ms = [[line[title] for title in TITLES if title.startswith("ms ")] for line in cells]
    assert ms == [["8.5", "17.0", "4.2", "8.5"], ["-"] * 4, ["0.25", "0.50", "-", "-"]]
    assert (cells[2]["val 0.10d before"], cells[2]["val 0.10d after"]) == ("2.50", "73.25")
    assert (cells[2]["test images"], cells[2]["dataset"]) == ("502", "ccc")
    for title in KEYS:
        low, high = third[f"{title} low"], third[f"{title} high"]
        assert cells[2][title] == f"{third[title]:.2f} [{low:.1f}, {high:.1f}]"
    assert [line["backbone"] for line in cells] == ["test_resnet", "test_convnext", "test_vit"]
    lacking = (*KEYS, "parameters", "seconds", "epochs", "test images", "test boxes", "val 0.10d after")
    assert {cells[1][title] for title in lacking} == {"-"}
    assert [line["status"] for line in cells] == ["finished", "failed", "finished"]


def test_after_training_all_validation_images_count_where_they_were_scored(rows: list[Row]) -> None:
    result = rows[0].result
    assert result is not None
    whole = dataclasses.replace(result, validation={"add_0.10d": 61.75})
    table = trial_table([dataclasses.replace(rows[0], result=whole), rows[2]], "Sweep x")
    lines = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert [line["val 0.10d after"] for line in lines] == ["61.75", "73.25"]


@pytest.mark.parametrize("width", [149, 300])
def test_terminal_cells_are_those_of_their_trial(rows: list[Row], width: int) -> None:
    table = to_rich(trial_table(rows, "Sweep x"), width)
    titles = [str(column.header).replace("\n", " ") for column in table.columns]
    telling = ["ADD(-S) 0.10d", "ADD(-S) area", "2deg2cm", "5deg5cm", "deg cm mean 1..10"]
    counts = ["test images", "test boxes"]
    narrow_titles = [*TITLES[:5], "seed", *telling, *counts, "status"]
    wide_titles = [*TITLES[:13], *telling, *counts, "dataset", "status"]
    assert titles == (wide_titles if width == 300 else narrow_titles)
    for k, row in ((0, rows[0]), (2, rows[2])):
        cells = {
            title: str(list(column.cells)[k]) for title, column in zip(titles, table.columns, strict=True)
        }
        assert cells["seed"] == str(row.config.seed)
        assert cells.get("dataset", row.dataset_id) == row.dataset_id
        for title in telling:
            e = row.scores[KEYS[title]]
            whole = f"{e.value:.2f} [{e.low:.1f}, {e.high:.1f}]"
            narrow = f"{e.value:.1f} ±{(8 + k) / 2:.1f}"  # half of 3 + k below and 5 above
            assert cells[title] == (whole if width == 300 else narrow)


def test_only_what_all_trials_share_moves_to_the_notes(rows: list[Row]) -> None:
    same = [dataclasses.replace(row, dataset_id="one") for row in rows]
    table = to_rich(trial_table(same, "Sweep x"), 160)
    assert "dataset" not in [str(column.header) for column in table.columns]
    notes = terminal_notes(trial_table(same, "Sweep x"), 160)
    assert notes[0] == "dataset: one."
    assert any("FAILED: " + rows[1].name + ": diverged" in note for note in notes)


def test_settings_are_shared_where_all_that_have_them_agree(rows: list[Row]) -> None:
    assert shared_settings(rows, SETTING_COLUMNS) == {}
    assert shared_settings([rows[0], rows[0]], SETTING_COLUMNS) == {
        "recipe": "a",
        "backbone": "test_resnet",
        "head": "direct",
        "loss weight": "0.02",
        "pretraining": "none",
        "weights": "none",
    }


def test_one_backbone_keeps_its_column(made_row: Make) -> None:
    console = Console(record=True, width=160, file=io.StringIO())
    rows = [made_row(seed=seed) for seed in (0, 1)]
    print_table(trial_table(rows, "Sweep x"), console)
    text = console.export_text()
    lines = [line.split() for line in text.splitlines() if "test_resnet" in line]
    assert [line[:2] for line in lines] == [["test_resnet", "0"], ["test_resnet", "1"]]
    assert "loss weight: 0.02" in text


def test_a_stopped_trial_has_the_validation_numbers_of_its_history(rows: list[Row]) -> None:
    history = [{"val/add_0.10d": value} for value in (1.5, 30.25, 20.0)]
    stopped = dataclasses.replace(rows[1], status="stopped", reason="hopeless", history=history)
    line = list(csv.DictReader(io.StringIO(to_csv(trial_table([rows[0], stopped], "Sweep x")))))[1]
    assert (line["val 0.10d before"], line["val 0.10d after"]) == ("1.5", "30.25")
    assert (line["status"], line["ADD(-S) 0.10d"], line["seconds"]) == ("stopped: hopeless", "", "")
    document = to_markdown(trial_table([rows[0], stopped], "Sweep x"))
    assert f"STOPPED: {stopped.name}: hopeless" in document
    assert document.splitlines()[5].endswith("| stopped |")


def test_of_trials_that_were_not_begun_only_the_number_is_said(rows: list[Row]) -> None:
    new = [dataclasses.replace(rows[1], name=name, status="waiting", reason=None) for name in "pq"]
    halted = dataclasses.replace(rows[1], status="waiting", reason="interrupted after epoch 3")
    document = to_markdown(trial_table([rows[0], halted, *new], "Sweep x"))
    assert document.endswith(
        f"WAITING: {halted.name}: interrupted after epoch 3\n\nWAITING: 2 trials that were not begun\n"
    )
    assert sum(line.startswith("|") for line in document.splitlines()) == 2 + 2  # head and rule, two trials
    lines = list(csv.DictReader(io.StringIO(to_csv(trial_table([rows[0], *new], "Sweep x")))))
    assert [line["trial"] for line in lines] == [rows[0].name]


def test_where_all_finished_no_column_says_so_to_readers(rows: list[Row]) -> None:
    assert "finished" not in to_markdown(trial_table([rows[0], rows[2]], "Sweep x"))
