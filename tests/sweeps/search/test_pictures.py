"""Pictures of a search: which there are, and that each shows the cells that it is of."""

from pathlib import Path
from typing import Any

import matplotlib.figure
import numpy as np
import optuna
import pytest
from optuna.storages.journal import JournalFileBackend, JournalStorage

from sweeps.search.objectives import objectives_of
from tests.sweeps.search.bench import Bench
from tests.sweeps.search.test_study import HEADS, RATES

TWO = objectives_of("val/add_area,-parameters")
Figures = dict[str, matplotlib.figure.Figure]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Figures:
    """The figures that are saved, by name."""
    found: Figures = {}
    save = matplotlib.figure.Figure.savefig

    def keep(figure: matplotlib.figure.Figure, path: Path, dpi: int) -> None:
        found[path.name] = figure
        save(figure, path, dpi=dpi)

    monkeypatch.setattr(matplotlib.figure.Figure, "savefig", keep)
    return found


def test_with_few_cells_there_are_few(bench: Bench) -> None:
    study = bench.search(RATES, HEADS, cells=5)
    assert list(study.files()) == ["search.journal"]
    list(bench.run(study, 1))
    assert list(study.files()) == ["search.journal", "search_history.png", "search_slices.png"]
    list(bench.run(study))
    assert list(study.files())[-1] == "search_importance.png"


def test_where_nothing_was_chosen_there_are_no_slices(bench: Bench) -> None:
    study = bench.search("model.head=deconv", cells=2)
    list(bench.run(study))
    assert list(study.files()) == ["search.journal", "search_history.png"]


def test_what_does_not_vary_has_no_importance(bench: Bench, tmp_path: Path, drawn: Figures) -> None:
    study = bench.search(RATES, cells=12, objectives=objectives_of("val/add_area,-gflops"))
    list(bench.run(study))
    study.files()["search_importance.png"](tmp_path / "search_importance.png")
    (axes,) = drawn["search_importance.png"].axes
    assert axes.get_legend_handles_labels()[1] == ["val/add_area"]
    same = bench.search(RATES, cells=12, objectives=objectives_of("-gflops"))
    list(bench.run(same))
    assert list(same.files()) == ["search.journal", "search_history.png", "search_slices.png"]


def test_they_show_the_cells(bench: Bench, tmp_path: Path, drawn: Figures) -> None:
    bench.fate = lambda config: "diverged" if config.optim.lr > 1e-2 else "finished"
    study = bench.search(RATES, HEADS, "data.points=16:64:step16", cells=16, objectives=TWO)
    list(bench.run(study))
    for name, make in study.files().items():
        make(tmp_path / name)
    values = [value for tried in study.tried if (value := study.values(tried))]
    lost = len(study.tried) - len(values)
    assert lost > 0
    upper, lower = drawn["search_history.png"].axes
    cells, best, infeasible = upper.lines
    assert np.asarray(cells.get_ydata()).tolist() == [area for area, _ in values]
    assert np.asarray(best.get_ydata()).tolist() == [
        max(a for a, _ in values[: k + 1]) for k in range(len(values))
    ]
    assert len(np.asarray(infeasible.get_xdata())) == lost
    assert np.asarray(lower.lines[1].get_ydata())[-1] == min(points for _, points in values)
    slices = drawn["search_slices.png"].axes
    assert [axes.get_xlabel() for axes in slices] == ["model.head", "optim.lr", "data.points"]
    assert [axes.get_xscale() for axes in slices] == ["linear", "log", "linear"]
    assert {label.get_text() for label in slices[0].get_xticklabels()} == {"deconv", "direct"}
    (importance,) = drawn["search_importance.png"].axes
    names = [label.get_text() for label in importance.get_yticklabels()]
    bars: Any = importance.patches
    widths = [bar.get_width() for bar in bars]
    shares = dict(zip(names, widths[: len(names)], strict=True))
    assert max(shares, key=lambda name: shares[name]) == "optim.lr"  # the one that the scores come from
    assert sum(widths) == pytest.approx(200.0)
    (pareto,) = drawn["search_pareto.png"].axes
    front = {tuple(point) for point in np.asarray(pareto.lines[1].get_xydata())}
    beaten = {
        (points, area)
        for area, points in values
        if any(a >= area and p <= points and (a, p) != (area, points) for a, p in values)
    }
    assert front == {(points, area) for area, points in values} - beaten


def test_the_journal_is_read_by_other_programs(bench: Bench, tmp_path: Path) -> None:
    study = bench.search(RATES, HEADS, cells=5)
    list(bench.run(study))
    for _ in range(2):  # also over an older one
        study.files()["search.journal"](tmp_path / "search.journal")
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "search.journal")))
    read = optuna.load_study(study_name="search", storage=storage)
    assert [trial.params for trial in read.trials] == [dict(tried.draw.params) for tried in study.tried]
    assert read.best_value == max(study.values(tried)[0] for tried in study.tried)  # type: ignore[index]
