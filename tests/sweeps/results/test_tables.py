"""The comparison table: columns, numbers, notes."""

import csv
import dataclasses
import io
from collections.abc import Callable

import pytest
from rich.console import Console

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import print_table, to_rich
from epropnp.evaluation.table_text import to_csv, to_markdown
from epropnp.inference.latency import Latency
from sweeps.results.columns import Row
from sweeps.results.tables import COLUMNS, trial_table
from sweeps.search.search import Planned
from tests.inference.measured import latency

DATASET = "abc123def456"


@pytest.fixture
def row(made_row: Callable[..., Row]) -> Row:
    return made_row()


@pytest.fixture
def failed(planned: Planned) -> Row:
    reason = "loss is not finite at step 3"
    return Row(name="broken", config=planned.config, dataset_id=DATASET, status="failed", reason=reason)


def _cells(markdown: str) -> list[dict[str, str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(table[0], cells, strict=True)) for cells in table[1:]]


def test_markdown_shows_every_column_with_its_number(row: Row) -> None:
    cells = _cells(to_markdown(trial_table([row], "title")))[0]
    assert cells == {
        "recipe": "tiny",
        "backbone": "test_resnet",
        "head": "deconv",
        "loss weight": "0.02",
        "pretraining": "none",
        "weights": "none",
        "seed": "0",
        "parameters": "1.23 M",
        "seconds": "61",
        "ms network": "-",
        "ms poses": "-",
        "ms network of 32": "-",
        "ms poses of 32": "-",
        "epochs": "2",
        "val 0.10d before": "0.50",
        "val 0.10d after": "71.25",
        "ADD(-S) 0.02d": "10.00 [5.0, 15.0]",
        "ADD(-S) 0.05d": "44.00 [39.0, 49.0]",
        "ADD(-S) 0.10d": "70.00 [65.0, 75.0]",
        "ADD(-S) mean of 3": "41.33 [36.3, 46.3]",
        "ADD(-S) area": "36.25 [31.2, 41.2]",
        "2deg2cm": "20.00 [15.0, 25.0]",
        "5deg5cm": "60.00 [55.0, 65.0]",
        "10deg10cm": "90.00 [85.0, 95.0]",
        "deg cm mean 1..10": "55.50 [50.5, 60.5]",
        "test images": "501",
        "test boxes": "-",
        "dataset": DATASET,
    }


def test_no_two_columns_share_a_name_and_no_average_is_just_a_mean() -> None:
    titles = [column.title.lower() for column in COLUMNS]
    assert len(set(titles)) == len(titles)
    assert not {"mean", "average", "add(-s) mean"} & set(titles)


def test_csv_keeps_full_precision_and_reads_back(row: Row, failed: Row) -> None:
    assert row.result is not None
    result = dataclasses.replace(row.result, weights_sha256="0123456789abcdef")
    scores = {**row.scores, "add_area": Estimate(100 / 3, 29.5, 37.25)}
    text = to_csv(trial_table([dataclasses.replace(row, result=result, scores=scores), failed], "title"))
    read = list(csv.DictReader(io.StringIO(text)))
    assert float(read[0]["ADD(-S) area"]) == 100 / 3
    assert [read[0][f"ADD(-S) area {bound}"] for bound in ("low", "high")] == ["29.5", "37.25"]
    assert read[0]["parameters"] == "1234567"
    assert read[0]["weights sha256"] == "0123456789ab"
    assert read[0]["status"] == "finished"
    assert {read[1][f"ADD(-S) area{bound}"] for bound in ("", " low", " high")} == {""}
    assert read[1]["status"] == "failed: loss is not finite at step 3"


def test_failed_trials_stay_in_the_table_with_their_reason(row: Row, failed: Row) -> None:
    markdown = to_markdown(trial_table([row, failed], "title"))
    assert (_cells(markdown)[1]["seconds"], _cells(markdown)[1]["status"]) == ("-", "failed")
    assert "FAILED: broken: loss is not finite at step 3" in markdown


def test_mixed_initialisation_is_said(row: Row) -> None:
    def started(**settings: object) -> Row:
        model = dataclasses.replace(row.config.model, **settings)  # type: ignore[arg-type]
        return dataclasses.replace(row, config=dataclasses.replace(row.config, model=model))

    told = "have seen different data before (column `pretraining`: {});"
    tiny, large = (
        {"backbone": f"convnext_tiny.{tag}", "pretrained": True} for tag in ("fb_in1k", "fb_in22k")
    )
    for rows, data in (
        ([row, started(pretrained=True)], "none; in1k"),
        ([started(**tiny), started(**large)], "in1k; in22k"),
        ([started(**tiny), started(pretrained=True)], None),
        ([row, row], None),
    ):
        text = to_markdown(trial_table(rows, "title"))
        assert ("NOTE: the networks of these rows" in text) == (data is not None)
        assert data is None or told.format(data) in text


def test_terminal_table_folds_shared_settings_into_the_notes(row: Row) -> None:
    config = dataclasses.replace(row.config, seed=1)
    rows = [row, dataclasses.replace(row, config=config)]
    table = to_rich(trial_table(rows, "title"), 200)
    titles = [str(column.header) for column in table.columns]
    assert "seed" in titles
    assert "dataset" not in titles
    buffer = io.StringIO()
    print_table(trial_table(rows, "title"), Console(file=buffer, width=200))
    assert f"dataset: {DATASET}" in buffer.getvalue()
    assert "70.00 [65.0, 75.0]" in buffer.getvalue()


@pytest.mark.parametrize(("width", "cell"), [(100, "{}.0 ±5.0"), (200, "{}.00 [{}.0, {}.0]")])
def test_a_terminal_shows_the_telling_scores_each_trial_on_one_line(
    made_row: Callable[..., Row], width: int, cell: str
) -> None:
    names = ("swin_nano_patch4_window8", "convnext_zepto_rms")
    rows = [made_row(backbone=name, seed=seed) for name in names for seed in (0, 1)]
    buffer = io.StringIO()
    Console(file=buffer, width=width).print(to_rich(trial_table(rows, "title"), width))
    lines = [line.strip() for line in buffer.getvalue().splitlines()]
    trials = [line for line in lines if line.startswith(names)]
    assert len(trials) == 4
    assert [line.split()[1] for line in trials] == ["0", "1", "0", "1"]
    assert all(line.count(cell.format(70 + k, 65 + k, 75 + k)) == 1 for k, line in enumerate(trials))
    assert all(line.count("±") == (5 if width == 100 else 0) for line in trials)
    assert all(line.count("[") == (0 if width == 100 else 5) for line in trials)
    rule = next(i for i, line in enumerate(lines) if line.startswith("──"))
    assert [line[:4] for line in lines[rule + 1 : rule + 5]] == ["swin", "swin", "conv", "conv"]  # none wraps


def test_a_wide_terminal_shows_latencies_each_trial_on_one_line(made_row: Callable[..., Row]) -> None:
    rows = [
        dataclasses.replace(made_row(backbone="swin_nano_patch4_window8", seed=seed), latency=latency(400.0))
        for seed in (0, 1)
    ]
    for width, shown in ((199, 0), (200, 1)):
        buffer = io.StringIO()
        Console(file=buffer, width=width).print(to_rich(trial_table(rows, "title"), width))
        lines = [line for line in buffer.getvalue().splitlines() if "swin_nano_patch4_window8" in line]
        assert [line.split()[1] for line in lines] == ["0", "1"]
        assert [" ".join(line.split()).count("400.0 800.0 200.0 400.0") for line in lines] == [shown] * 2


def test_what_was_measured_says_where(row: Row) -> None:
    def noted(*latencies: Latency | None) -> list[str]:
        rows = [dataclasses.replace(row, latency=each) for each in latencies]
        notes = trial_table(rows, "title").notes
        return [note for note in notes if note.startswith("ms: ")]

    assert noted(None) == []
    (note,) = noted(None, latency(), dataclasses.replace(latency(9.0), precision="bf16"), latency())
    assert note.endswith("running, on cpu, 2 threads, float32; cpu, 2 threads, bf16.")
    (note,) = noted(latency(), latency(host="there"))
    assert note.endswith(
        "on cpu, 2 threads, float32. Those of different machines are among them: they cannot be compared."
    )
