"""A table as HTML, read back by a parser."""

from html.parser import HTMLParser

from epropnp.evaluation.estimate import Estimate
from epropnp.evaluation.table import Column, Table
from epropnp.evaluation.table_html import to_html

TABLE = Table(
    title="a <b>",
    columns=(Column("trial", csv_only=True), Column("name & more"), Column("mean", kind="estimate")),
    rows=[["t1", "<script>x</script>", Estimate(1.25, 1.0, 2.0)], ["t2", "50%", None], ["t3", "c", 7.5]],
    notes=["1 < 2"],
    strong={(0, "mean")},
)


class Read(HTMLParser):
    """Every element that was opened, and the texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append(data)


def test_texts_are_never_markup_and_stand_in_their_cells() -> None:
    read = Read(to_html(TABLE))
    cells = ["<script>x</script>", "1.2 [1.0, 2.0]", "50%", "-", "c", "7.5"]
    assert read.texts == ["a <b>", "name & more", "mean", *cells, "1 < 2"]
    assert "script" not in [tag for tag, _ in read.opened]


def test_numbers_say_what_they_are_sorted_by_and_what_stands_out_is_strong() -> None:
    opened = Read(to_html(TABLE)).opened
    cells = [attributes for tag, attributes in opened if tag == "td"]
    assert [cell.get("data-value") for cell in cells] == [None, "1.25", None, None, None, "7.5"]
    assert [cell["class"] for cell in cells[:2]] == ["t", "n"]
    assert [tag for tag, _ in opened].count("strong") == 1
