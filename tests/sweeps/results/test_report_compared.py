"""A sweep whose summary holds some of its trials only: the others stand in the table, and nowhere else."""

import csv
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from sweeps.folder import Sweep, open_sweep
from sweeps.results import report as module
from sweeps.results.columns import Row
from sweeps.results.report import Reporter, show
from sweeps.search.compared import Compared
from sweeps.search.search import Planned
from tests.sweeps import graded

WHY = "NOT COMPARED YET: best cells are, once they are confirmed"
NONE = Compared(names=frozenset(), notes=[WHY])


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    return open_sweep(tmp_path / "mine")


@pytest.fixture
def reporter(
    sweep: Sweep, made_row: Callable[..., Row], monkeypatch: pytest.MonkeyPatch
) -> Callable[[Compared], Reporter]:
    """Of three finished trials, whose pictures are empty files."""

    def save(draw: Any, file: Path) -> None:
        file.parent.mkdir(exist_ok=True)
        file.touch()

    monkeypatch.setattr(module, "save", save)
    rows = [made_row(backbone=name) for name in graded.SHIFT_M]
    planned = [Planned(name=row.name, config=row.config, dataset_id=row.dataset_id) for row in rows]
    for row, trial in zip(rows, planned, strict=True):
        assert row.result is not None
        folder = sweep.prepare(trial)
        (folder / "result.json").write_text(row.result.to_json())
        graded.write(row.config.model.backbone, folder)
    dataset: Any = SimpleNamespace(objects=graded.objects(), dataset_id=rows[0].dataset_id)
    datasets = {dataset.dataset_id: dataset}
    return lambda compared: Reporter(sweep, planned, datasets, compared=lambda: compared)


def lines(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.open()))


def test_the_summary_holds_what_is_compared_and_the_table_all(
    sweep: Sweep, reporter: Callable[[Compared], Reporter]
) -> None:
    """The best of all trials is left out, so that another one is the best."""
    assert graded.BEST["ADD(-S) area"] == "test_convnext"
    names = frozenset({"tiny-test_resnet-seed0", "tiny-test_vit-seed0"})
    done = reporter(Compared(names=names, notes=["61.2 in the search"])).report()
    assert done.summary is not None
    assert {row.name for group in done.summary.settings.values() for row in group} == names
    assert done.summary.ranked["ADD(-S) area"].settings[0].name == "test_resnet"
    assert {line["setting"] for line in lines(sweep.folder / "summary.csv")} == {"test_resnet", "test_vit"}
    assert len(lines(sweep.folder / "table.csv")) == len(done.rows) == 3
    page = (sweep.folder / "summary.md").read_text()
    assert "61.2 in the search" in page
    assert "test_convnext" not in page
    console = Console(width=200, record=True, file=(sweep.folder / "said").open("w"))
    show(done, console)
    assert "61.2 in the search" in console.export_text()


def test_where_nothing_is_compared_yet_that_is_said_and_an_earlier_answer_goes(
    sweep: Sweep, reporter: Callable[[Compared], Reporter]
) -> None:
    reporter(Compared(names=frozenset({"tiny-test_resnet-seed0"}))).report()
    assert (sweep.folder / "summary.csv").exists()
    done = reporter(NONE).report()
    assert done.summary is None
    assert (sweep.folder / "summary.md").read_text() == f"# Sweep mine\n\n{WHY}\n\n"
    assert not (sweep.folder / "summary.csv").exists()
    assert not (sweep.folder / "summary.png").exists()
    assert not list((sweep.folder / "figures").iterdir())
    assert len(lines(sweep.folder / "table.csv")) == 3
    console = Console(width=200, record=True, file=(sweep.folder / "said").open("w"))
    show(done, console)
    assert WHY in console.export_text()
