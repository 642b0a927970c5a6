"""One value, written as CSV, as Markdown and for a terminal: exact texts."""

import csv
import dataclasses
import io
import math
import subprocess
import sys

import pytest
from rich.console import Console

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import (
    Cell,
    Column,
    Layout,
    Table,
    cell_text,
    millions,
    print_table,
    shared_texts,
    to_csv,
    to_markdown,
    to_rich,
    yes_no,
)

COLUMNS = (
    Column("trial", csv_only=True),
    Column("name"),
    Column("[b]|h", folds=True),
    Column("mean", kind="estimate", short_title="m", short_text=lambda e: f"{e.value:.0f}"),
    Column("seconds", kind="number", text="{:.1f}".format, missing="failed", terminal=44),
    Column("best", text=yes_no, terminal=math.inf),
)
ROWS: list[list[Cell]] = [
    ["t,1", "a|b", "fpn", Estimate(100 / 3, 29.5, 37.25), 61.5, True],
    ["t2", "[red]c[/red]", "fpn", Estimate(2.0, 1.0, 4.0), 7.0, False],
    ["t3", "d", None, None, None, None],
]
TABLE = Table(
    title="Sweep [bold]x[/bold]",
    columns=COLUMNS,
    rows=ROWS,
    notes=["Means [0, 1].", "NOTE: [i]one[/i] | two."],
    short_notes=["Means."],
    layout=Layout(wide=44),
)


def printed(table: Table, width: int) -> list[str]:
    """The lines of a terminal without what fills them up on the right."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(table, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


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


def test_a_wide_terminal_says_what_all_share_and_takes_no_text_for_markup() -> None:
    assert printed(TABLE, 44) == [
        "            Sweep [bold]x[/bold]",
        "",
        " name                        mean   seconds",
        " ──────────────────────────────────────────",
        " a|b            33.3 [29.5, 37.2]      61.5",
        " [red]c[/red]      2.0 [1.0, 4.0]       7.0",
        " d                              -    failed",
        "",
        "[b]|h: fpn.",
        "Means [0, 1].",
        "NOTE: [i]one[/i] | two.",
    ]


def test_a_dense_terminal_is_given_short_titles_texts_and_notes() -> None:
    assert printed(TABLE, 43) == [
        "      Sweep",
        "  [bold]x[/bold]",
        "",
        " name           m",
        " ────────────────",
        " a|b           33",
        " [red]c[/red]   2",
        " d              -",
        "",
        "[b]|h: fpn.",
        "Means.",
    ]


def test_notes_without_a_short_form_stand_in_every_terminal() -> None:
    table = dataclasses.replace(TABLE, short_notes=None)
    assert printed(table, 43)[-3:] == ["[b]|h: fpn.", "Means [0, 1].", "NOTE: [i]one[/i] | two."]


def test_notes_are_as_wide_as_the_terminal_and_break_no_word() -> None:
    path = "/a/folder/of/a/long/name/with/trial.json"
    table = Table(columns=[Column("a")], rows=[["b"]], notes=[f"a trial that failed: {path} is damaged"])
    assert printed(table, 24)[-3:] == ["a trial that failed:", path, "is damaged"]
    assert printed(table, 80)[-1:] == table.notes


def test_what_is_not_shared_keeps_its_column() -> None:
    rows = [ROWS[0], [*ROWS[1][:2], "none", *ROWS[1][3:]]]
    lines = printed(dataclasses.replace(TABLE, rows=rows, title="", notes=[]), 80)
    assert lines == [
        "",
        " name           [b]|h                mean   seconds",
        " ──────────────────────────────────────────────────",
        " a|b            fpn     33.3 [29.5, 37.2]      61.5",
        " [red]c[/red]   none       2.0 [1.0, 4.0]       7.0",
        "",
    ]


def test_all_that_is_shared_is_one_note() -> None:
    columns = [Column("a"), Column("b", folds=True), Column("c", text=yes_no, folds=True)]
    table = Table(columns=columns, rows=[["as wide as the note", 2, True], ["1", None, True]])
    assert printed(table, 80)[3:] == [" as wide as the note", " 1", "", "b: 2; c: yes."]


def test_title_and_notes_look_like_those_of_other_tables() -> None:
    console = Console(file=io.StringIO(), width=20, force_terminal=True, color_system="standard")
    print_table(Table(title="T", columns=[Column("a")], rows=[["b"]], notes=["n"]), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert lines[0] == "\x1b[3m T \x1b[0m"  # italic
    assert lines[-1] == "\x1b[2;3mn\x1b[0m"  # dim and italic


def test_an_estimate_never_breaks_and_other_columns_only_where_they_may() -> None:
    columns = [Column("a", one_line=34), Column("b", kind="estimate"), Column("c")]
    table = Table(columns=columns, rows=[["one two", Estimate(1.0, 0.5, 1.5), "four five"]])
    assert printed(table, 38)[3:] == [" one two   1.0 [0.5, 1.5]   four five", ""]
    below = " " * 27
    assert printed(table, 34)[3:] == [" one two   1.0 [0.5, 1.5]   four", f"{below} five", ""]
    assert printed(table, 33)[3:] == [" one     1.0 [0.5, 1.5]   four", " two                      five", ""]


@pytest.mark.parametrize(("overflow", "lines"), [("fold", [" abcde", " fgh"]), ("ellipsis", [" abcd…"])])
def test_a_long_word_is_broken_or_cut(overflow: str, lines: list[str]) -> None:
    layout = Layout(overflow="fold") if overflow == "fold" else Layout()
    table = Table(columns=[Column("a")], rows=[["abcdefgh"]], layout=layout)
    assert printed(table, 7)[3:] == [*lines, ""]


def test_a_title_may_stand_on_the_left_and_a_space_at_the_edges() -> None:
    table = Table(columns=[Column("a"), Column("b")], rows=[["12345", "6"]], title="T")
    assert printed(table, 30)[0].index("T") > 3
    left = dataclasses.replace(table, layout=Layout(title="left", edges=True))
    assert printed(left, 30) == ["T", "", "  a       b", " ───────────", "  12345   6", ""]


def test_a_row_that_is_too_short_is_not_written() -> None:
    table = Table(columns=[Column("a"), Column("b")], rows=[["1"]])
    for write in (to_csv, to_markdown, lambda table: to_rich(table, 80)):
        with pytest.raises(ValueError, match="shorter"):
            write(table)


def test_none_reads_as_missing_in_every_length() -> None:
    column = Column("a", text="{:.2f}".format, short_text="{:.0f}".format, missing="none")
    assert [cell_text(column, 1.25, short=short) for short in (False, True)] == ["1.25", "1"]
    assert [cell_text(column, None, short=short) for short in (False, True)] == ["none", "none"]


def test_shared_is_what_all_that_have_a_value_agree_on() -> None:
    columns = [Column(title, text="{:g}".format) for title in "abc"]
    assert shared_texts(columns, [[1.0, 2, None], [None, 3, None], [1, 2, None]]) == {"a": "1"}
    assert shared_texts(columns, []) == {}


def test_words_that_tables_share() -> None:
    assert (millions(25_557_032), millions(0)) == ("25.56 M", "0.00 M")
    assert (yes_no(True), yes_no(False)) == ("yes", "no")


def test_a_table_loads_nothing_heavy() -> None:
    """`--list-settings` answers before torch is loaded."""
    heavy = {"numpy", "pyarrow", "rich", "scipy", "torch"}
    code = f"import sys, epropnp.evaluation.table; print(*({heavy!r} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
