"""One value, written as CSV, as Markdown and for a terminal: exact texts."""

import dataclasses
import io
import subprocess
import sys

import pytest
from rich.console import Console

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import (
    Column,
    Layout,
    Table,
    cell_text,
    millions,
    print_table,
    shared_texts,
    to_rich,
    yes_no,
)
from epropnp.evaluation.table_text import to_csv, to_markdown
from tests.evaluation.written import ROWS, TABLE


def printed(table: Table, width: int) -> list[str]:
    """The lines of a terminal without what fills them up on the right."""
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(table, console)
    assert isinstance(console.file, io.StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


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
        "Sweep [bold]x[/bold]",
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
    assert lines[0] == "\x1b[3m T\x1b[0m"  # italic
    assert lines[-1] == "\x1b[2;3mn\x1b[0m"  # dim and italic


def test_an_estimate_never_breaks_and_other_columns_only_where_they_may() -> None:
    columns = [Column("a", one_line=34), Column("b", kind="estimate"), Column("c")]
    table = Table(columns=columns, rows=[["one two", Estimate(1.0, 0.5, 1.5), "four five"]])
    assert printed(table, 38)[3:] == [" one two   1.0 [0.5, 1.5]   four five", ""]
    below = " " * 27
    assert printed(table, 34)[3:] == [" one two   1.0 [0.5, 1.5]   four", f"{below} five", ""]
    assert printed(table, 33)[3:] == [" one   1.0 [0.5, 1.5]   four", " two                    five", ""]


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


def test_rows_and_notes_beyond_the_most_are_counted_and_told_where_to_read() -> None:
    table = Table(
        columns=[Column("a"), Column("b", terminal=9)],
        rows=[[f"r{n}", "abcdef"] for n in range(5)],
        notes=["n0", "n1", "n2"],
        layout=Layout(most=2),
    )
    console = Console(file=io.StringIO(), width=40, color_system=None)
    print_table(table, console, whole="x.md")
    assert isinstance(console.file, io.StringIO)
    lines = [line.rstrip() for line in console.file.getvalue().splitlines()]
    assert lines[3:] == [
        *(" r0   abcdef", " r1   abcdef", "", "n0", "n1"),
        *("Not shown here: 3 more rows; 1 more", "notes; all of it: x.md."),
    ]


def test_columns_without_room_give_way_by_weight_and_are_named() -> None:
    columns = [Column("a"), Column("first", terminal=3), Column("b"), Column("later", terminal=2)]
    table = Table(columns=columns, rows=[["x", "11111", "22222", "33333"]])
    lengths = {width: printed(table, width) for width in (2 + 1 + 3 * 8, 2 + 1 + 2 * 8, 2 + 1 + 2 * 8 - 1)}
    wide, two, one = lengths.values()
    assert wide[3] == " x   11111   22222   33333"
    assert two[3] == " x   22222   33333"
    assert two[4:] == ["", "Not shown here:", "columns first."]
    assert one[3] == " x   22222"
    assert " ".join(one[4:]) == " Not shown here: columns first, later."


def test_what_no_row_has_is_no_column_of_a_terminal_unless_it_always_stands() -> None:
    columns = [Column("a"), Column("b", terminal=1), Column("c")]
    assert printed(Table(columns=columns, rows=[["x", None, None]]), 40)[3] == " x   -"
    assert to_csv(Table(columns=columns, rows=[["x", None, None]])) == "a,b,c\nx,,\n"


def test_numbers_never_break() -> None:
    columns = [Column("a"), Column("b", kind="number", text=millions)]
    lines = printed(Table(columns=columns, rows=[["one two three", 25_557_032]]), 20)
    assert lines[3] == " one two   25.56 M"
