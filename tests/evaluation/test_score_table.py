"""The table of scores: every number in its own cell, in the CSV, in Markdown and in a terminal."""

import csv
import dataclasses

import pytest

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.score_table import AVERAGE, merged, score_list, score_table, table_columns
from epropnp.evaluation.scores import Estimates
from epropnp.evaluation.table import to_rich
from epropnp.evaluation.table_text import to_csv, to_markdown

NAMES = {1: "ape", 6: "cat"}


def cell(start: float) -> Estimate:
    return Estimate(start + 0.25, start, start + 0.5)


def first() -> Estimates:
    """Distinct numbers everywhere."""
    return Estimates(
        average={"a": cell(10), "b": cell(20)},
        per_object={1: {"a": cell(30), "b": cell(40)}, 6: {"a": cell(50), "b": cell(60)}},
    )


def test_merging_keeps_each_score_with_its_object() -> None:
    second = Estimates(average={"c": cell(70)}, per_object={6: {"c": cell(80)}})
    found = merged(first(), second)
    assert found.average == {"a": cell(10), "b": cell(20), "c": cell(70)}
    assert found.per_object == {
        1: {"a": cell(30), "b": cell(40)},
        6: {"a": cell(50), "b": cell(60), "c": cell(80)},
    }
    lines = to_markdown(score_table(table_columns(found, NAMES))).splitlines()
    assert lines[-1] == "| c | 70.2 [70.0, 70.5] | - | 80.2 [80.0, 80.5] |"  # the ape has none


def test_columns_are_the_average_and_every_object_by_its_name() -> None:
    columns = table_columns(first(), NAMES)
    assert list(columns) == [AVERAGE, "ape (1)", "cat (6)"]
    assert columns[AVERAGE]["a"] == cell(10)
    assert columns["ape (1)"]["b"] == cell(40)
    assert columns["cat (6)"]["a"] == cell(50)


def test_a_single_object_stands_for_itself() -> None:
    alone = Estimates(average={"a": cell(1)}, per_object={6: {"a": cell(2)}})
    assert table_columns(alone, NAMES) == {"cat (6)": {"a": cell(2)}}


def test_the_csv_holds_value_low_and_high_of_each_object_and_score() -> None:
    rows = list(csv.DictReader(to_csv(score_list(table_columns(first(), NAMES))).splitlines()))
    assert len(rows) == 6
    found = {(r["object"], r["score"]): (float(r["value"]), float(r["low"]), float(r["high"])) for r in rows}
    assert found[AVERAGE, "b"] == (20.25, 20, 20.5)
    assert found["ape (1)", "a"] == (30.25, 30, 30.5)
    assert found["cat (6)", "b"] == (60.25, 60, 60.5)


def test_the_markdown_holds_title_rows_and_notes() -> None:
    table = score_table(table_columns(first(), NAMES))
    lines = to_markdown(dataclasses.replace(table, title="title", notes=["one", "two"])).splitlines()
    assert lines[0] == "# title"
    assert lines[2] == "| score | average | ape (1) | cat (6) |"
    assert lines[4] == "| a | 10.2 [10.0, 10.5] | 30.2 [30.0, 30.5] | 50.2 [50.0, 50.5] |"
    assert lines[5] == "| b | 20.2 [20.0, 20.5] | 40.2 [40.0, 40.5] | 60.2 [60.0, 60.5] |"
    assert lines[6:] == ["", "one", "", "two"]


@pytest.mark.parametrize(("width", "shown"), [(94, 4), (93, 2)])
def test_a_terminal_that_is_too_narrow_shows_the_average_alone(width: int, shown: int) -> None:
    """22 characters for the names and 24 for each of three columns make 94."""
    columns = table_columns(first(), NAMES)
    table = to_rich(score_table(columns), width)
    assert len(table.columns) == shown
    assert str(next(iter(table.columns[1].cells))) == "10.2 [10.0, 10.5]"
    alone = {"cat (6)": columns["cat (6)"]}
    assert len(to_rich(score_table(alone), 10).columns) == 2
