"""The comparison table: columns, numbers, notes."""

import csv
import dataclasses
import io

import pytest
from rich.console import Console

from epropnp.training.result import TrialResult
from sweeps.space import PlannedTrial
from sweeps.tables import COLUMNS, MIXED_NOTE, Row, table_csv, table_markdown, table_rich

DATASET = "abc123def456"


@pytest.fixture
def row(planned: PlannedTrial, result: TrialResult) -> Row:
    return Row(name=planned.name, config=planned.config, dataset_id=DATASET, result=result)


@pytest.fixture
def failed(planned: PlannedTrial) -> Row:
    reason = "loss is not finite at step 3"
    return Row(name="broken", config=planned.config, dataset_id=DATASET, failure=reason)


def _cells(markdown: str) -> list[dict[str, str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("| ")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(table[0], cells, strict=True)) for cells in table[1:]]


def test_markdown_shows_every_column_with_its_number(row: Row) -> None:
    cells = _cells(table_markdown([row], "title"))[0]
    assert cells == {
        "backbone": "test_resnet",
        "head": "deconv",
        "loss weight": "0.02",
        "pretrained": "no",
        "seed": "0",
        "parameters": "1.23 M",
        "seconds": "61",
        "epochs": "2",
        "val 0.10d before": "0.50",
        "val 0.10d after": "71.25",
        "ADD(-S) 0.02d": "10.00",
        "ADD(-S) 0.05d": "40.00",
        "ADD(-S) 0.10d": "70.00",
        "ADD(-S) mean of 3": "40.00",
        "ADD(-S) area": "36.25",
        "2deg2cm": "20.00",
        "5deg5cm": "60.00",
        "10deg10cm": "90.00",
        "deg cm mean 1..10": "55.50",
        "test images": "501",
        "dataset": DATASET,
    }


def test_no_two_columns_share_a_name_and_no_average_is_just_a_mean() -> None:
    titles = [column.title.lower() for column in COLUMNS]
    assert len(set(titles)) == len(titles)
    assert not {"mean", "average", "add(-s) mean"} & set(titles)


def test_csv_keeps_full_precision_and_reads_back(row: Row, failed: Row) -> None:
    result = dataclasses.replace(row.result, test=row.result.test | {"add_area": 100 / 3})  # type: ignore[union-attr, type-var]
    text = table_csv([dataclasses.replace(row, result=result), failed])
    read = list(csv.DictReader(io.StringIO(text)))
    assert float(read[0]["ADD(-S) area"]) == 100 / 3
    assert read[0]["parameters"] == "1234567"
    assert read[0]["status"] == "finished"
    assert read[1]["ADD(-S) area"] == ""
    assert read[1]["status"] == "failed: loss is not finite at step 3"


def test_failed_trials_stay_in_the_table_with_their_reason(row: Row, failed: Row) -> None:
    markdown = table_markdown([row, failed], "title")
    assert _cells(markdown)[1]["seconds"] == "failed"
    assert "FAILED: broken: loss is not finite at step 3" in markdown


def test_mixed_initialisation_is_said(row: Row) -> None:
    model = dataclasses.replace(row.config.model, pretrained=True)
    config = dataclasses.replace(row.config, model=model)
    mixed = [row, dataclasses.replace(row, config=config)]
    assert MIXED_NOTE in table_markdown(mixed, "title")
    assert MIXED_NOTE not in table_markdown([row, row], "title")


def test_terminal_table_folds_shared_settings_into_the_caption(row: Row) -> None:
    config = dataclasses.replace(row.config, seed=1)
    rows = [row, dataclasses.replace(row, config=config)]
    table = table_rich(rows, "title")
    titles = [str(column.header) for column in table.columns]
    assert "seed" in titles
    assert "dataset" not in titles
    buffer = io.StringIO()
    Console(file=buffer, width=200).print(table)
    assert f"dataset: {DATASET}" in buffer.getvalue()
    assert "70.00" in buffer.getvalue()
