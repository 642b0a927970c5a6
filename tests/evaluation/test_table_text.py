"""A table as CSV and as Markdown: exact texts."""

import csv
import dataclasses
import io

from epropnp.evaluation.table import Column, Table
from epropnp.evaluation.table_text import to_csv, to_markdown
from tests.evaluation.written import TABLE


def test_csv_holds_everything_in_full_precision() -> None:
    assert to_csv(TABLE) == (
        "trial,name,[b]|h,mean,mean low,mean high,seconds,best\n"
        '"t,1",a|b,fpn,33.333333333333336,29.5,37.25,61.5,True\n'
        "t2,[red]c[/red],fpn,2.0,1.0,4.0,7.0,False\n"
        "t3,d,,,,,,\n"
    )


def test_csv_reads_back() -> None:
    text = 'one "two",\nthree'
    table = Table(columns=[Column("a"), Column("b")], rows=[[text, 0.1 + 0.2]])
    (row,) = csv.DictReader(io.StringIO(to_csv(table)))
    assert row["a"] == text
    assert float(row["b"]) == 0.1 + 0.2


def test_an_estimate_fills_three_columns_even_where_nothing_was_estimated() -> None:
    table = Table(columns=[Column("a", kind="estimate"), Column("b", kind="number")], rows=[[None, 1]])
    assert to_csv(table) == "a,a low,a high,b\n,,,1\n"


def test_markdown_is_a_document_for_readers() -> None:
    assert to_markdown(TABLE) == (
        "# Sweep [bold]x[/bold]\n"
        "\n"
        "| name | [b]\\|h | mean | seconds | best |\n"
        "|---|---|---:|---:|---|\n"
        "| a\\|b | fpn | 33.3 [29.5, 37.2] | 61.5 | yes |\n"
        "| [red]c[/red] | fpn | 2.0 [1.0, 4.0] | 7.0 | no |\n"
        "| d | - | - | failed | - |\n"
        "\n"
        "Means [0, 1].\n"
        "\n"
        "NOTE: [i]one[/i] | two.\n"
    )


def test_markdown_can_be_a_part_of_a_document_and_needs_no_title() -> None:
    table = Table(columns=[Column("a")], rows=[["one\ntwo"], [3]], title="score")
    assert to_markdown(table, level=2) == "## score\n\n| a |\n|---|\n| one two |\n| 3 |\n"
    assert to_markdown(dataclasses.replace(table, title="")) == "| a |\n|---|\n| one two |\n| 3 |\n"
