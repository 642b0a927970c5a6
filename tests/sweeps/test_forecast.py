"""What a sweep will cost: from trial folders with histories made by hand, and from the size of networks."""

import dataclasses
import io
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from rich.console import Console

from epropnp.errors import UserError
from epropnp.evaluation.table import print_table
from epropnp.models.network import CorrespondenceNet
from epropnp.training.config import OptimConfig, TrialConfig
from epropnp.training.identity import COMPUTES
from epropnp.training.optim import Updates
from epropnp.training.recipes import Recipe
from epropnp.training.record import Record, Status, config_note, write_config
from epropnp.training.result import TrialResult
from sweeps.folder import open_sweep
from sweeps.forecast import Forecast, forecast, forecast_table, peak_bytes
from sweeps.running.keep import Keep
from sweeps.space import Cell
from tests.sweeps.cells import cells_of

DATASET = "0123456789ab"
KEPT: dict[Keep, list[str]] = {"best": ["best"], "last": ["last"], "all": ["best", "last"], "none": []}


@pytest.fixture
def cells(tiny: Recipe) -> list[Cell]:
    """Five seeds of one network, of ten epochs each."""
    seeds = range(5)
    return cells_of(tiny, backbones=["test_resnet"], seeds=seeds, settings=["optim.epochs=10"])


def begun(
    sweep: Path,
    config: TrialConfig,
    status: Status,
    times_s: Sequence[float] = (),
    dataset_id: str = DATASET,
) -> Path:
    """A trial's folder, with the time at the end of epochs 0, 1, ..."""
    (planned,) = open_sweep(sweep).planned([Cell(config=config)], dataset_id)
    folder = open_sweep(sweep).trial_folder(planned.name)
    write_config(folder, config_note(config, dataset_id))
    Record(status=status, history=tuple({"time/seconds": time_s} for time_s in times_s)).write(folder)
    return folder


def noted(sweep: Path) -> Path:
    """A sweep's folder, which says that it is one."""
    open_sweep(sweep).write()
    return sweep


def place(tmp_path: Path) -> dict[tuple[str, ...], str]:
    """Where the dataset of all trials will lie, which is not built yet."""
    return {(): str(tmp_path / "data" / DATASET)}


def test_epochs_that_are_left_follow_from_the_folders(
    cells: list[Cell], tmp_path: Path, result: TrialResult
) -> None:
    sweep = noted(tmp_path / "runs" / "mine")
    configs = [cell.config for cell in cells]
    finished = begun(sweep, configs[0], "finished", range(0, 110, 10))
    (finished / "result.json").write_text(result.to_json())
    begun(sweep, configs[1], "waiting", [3, 13, 23, 33, 43])
    begun(sweep, configs[2], "failed", [0])
    stopped = begun(sweep, configs[3], "stopped", [0, 10])
    (stopped / "stop").touch()
    rows = forecast(cells, sweep, place(tmp_path))
    names = [trial.name for trial in open_sweep(sweep).planned(cells, DATASET)]
    assert [row.name for row in rows] == names
    assert [(row.status, row.epochs, row.seconds) for row in rows] == [
        ("finished", 0, 0.0),
        ("waiting", 6, 60.0),
        ("failed", 10, 100.0),
        ("stopped", 0, 0.0),
        ("waiting", 10, 100.0),
    ]
    assert [row.disk_bytes > 0 for row in rows] == [False, False, False, False, True]


def test_what_is_done_needs_nothing_also_where_its_folder_tells_no_history(
    cells: list[Cell], tmp_path: Path, result: TrialResult
) -> None:
    """One that the version before finished, and one that was stopped before its start."""
    sweep = noted(tmp_path / "runs" / "mine")
    old = begun(sweep, cells[0].config, "finished")
    (old / "status.json").unlink()
    (old / "result.json").write_text(result.to_json())
    (begun(sweep, cells[1].config, "waiting") / "stop").touch()
    rows = forecast(cells[:2], sweep, place(tmp_path))
    assert [row.status for row in rows] == ["finished", "stopped"]
    assert [(row.epochs, row.seconds, row.disk_bytes) for row in rows] == [(0, 0.0, 0)] * 2


def test_what_another_sweep_has_finished_is_known_if_it_is_taken_over(
    cells: list[Cell], tmp_path: Path, result: TrialResult
) -> None:
    finished = begun(noted(tmp_path / "runs" / "other"), cells[0].config, "finished", range(0, 110, 10))
    (finished / "result.json").write_text(result.to_json())
    record = Record.read(finished)
    assert record is not None
    dataclasses.replace(record, computes=COMPUTES).write(finished)
    mine = tmp_path / "runs" / "mine"
    rows = forecast(cells[:2], mine, place(tmp_path), linked=True)
    assert [(row.status, row.epochs, row.seconds) for row in rows] == [
        ("known", 0, 0.0),
        ("waiting", 10, 100.0),
    ]
    assert (rows[0].disk_bytes, rows[0].kept_bytes) == (0, 0)
    (notes,) = forecast_table(rows, 1, "mine").notes
    assert "2 trials, 1 of them done; 10 epochs left" in notes
    assert "; 1.7 min with 1 at once" in notes
    apart = forecast(cells[:2], mine, place(tmp_path))
    assert [row.status for row in apart] == ["waiting", "waiting"]


def test_nothing_is_known_before_anything_was_trained_and_nothing_is_written(
    cells: list[Cell], tmp_path: Path
) -> None:
    rows = forecast(cells, tmp_path / "runs" / "mine", place(tmp_path))
    assert [(row.status, row.epochs, row.seconds) for row in rows] == [("waiting", 10, None)] * 5
    assert all(row.disk_bytes > 0 for row in rows)
    assert list(tmp_path.iterdir()) == []


def test_the_speed_is_the_usual_one_of_the_same_network_on_the_same_dataset(
    cells: list[Cell], tiny: Recipe, tmp_path: Path
) -> None:
    out = tmp_path / "runs"
    config = cells[0].config
    first, second = noted(out / "first"), noted(out / "second")
    begun(first, dataclasses.replace(config, seed=1), "waiting", [5, 15, 25])  # 10 s
    begun(first, dataclasses.replace(config, seed=2), "failed", [0, 14, 20, 42])  # 14 s
    other = dataclasses.replace(config.optim, lr=0.5, epochs=99)
    begun(second, dataclasses.replace(config, recipe="other", optim=other), "waiting", [0, 35])
    # None of these says how long an epoch takes here:
    begun(second, dataclasses.replace(config, seed=3), "failed", [7])
    begun(noted(out / "third"), config, "waiting", [0, 1], dataset_id="ba9876543210")
    for number, change in enumerate(
        (
            {"model": dataclasses.replace(config.model, backbone="test_convnext")},
            {"pnp": dataclasses.replace(config.pnp, amis_samples=4)},
            {"optim": dataclasses.replace(config.optim, batch_size=2)},
            {"data": dataclasses.replace(config.data, points=16)},
            {"threads": 2},
        )
    ):
        begun(second, dataclasses.replace(config, **change), "waiting", [0, 1000 + number])  # type: ignore[arg-type]
    begun(tmp_path / "elsewhere", config, "waiting", [0, 1])
    (out / "damaged").mkdir()
    (out / "damaged" / "sweep.json").write_text("{")
    (row, *_) = forecast(cells, out / "mine", place(tmp_path))
    assert (row.epochs, row.seconds) == (10, 10 * 14.0)
    (row,) = forecast(cells_of(tiny, backbones=["test_vit"]), out / "mine", place(tmp_path))
    assert row.seconds is None


def test_the_speed_of_a_trial_is_that_on_its_own_dataset(cells: list[Cell], tmp_path: Path) -> None:
    few, many = ("build.train=5",), ("build.train=50",)
    for dataset_id, seconds in (("111111111111", 7), ("222222222222", 70)):
        before = noted(tmp_path / "runs" / f"before{seconds}")
        begun(before, cells[0].config, "waiting", [0, seconds], dataset_id)
    data = tmp_path / "data"
    places: dict[tuple[str, ...], str] = {
        few: str(data / "111111111111"),
        many: str(data / "222222222222"),
    }
    asked = [dataclasses.replace(cells[0], build=build) for build in (few, many)]
    rows = forecast(asked, tmp_path / "runs" / "mine", places)
    assert [(row.label, row.epochs, row.seconds) for row in rows] == [
        ("build.train 5", 10, 70.0),
        ("build.train 50", 10, 700.0),
    ]


def test_the_dataset_is_that_of_its_folder_whatever_the_folder_is_called(
    cells: list[Cell], tiny_dataset: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_dataset, tmp_path / "renamed")
    sweep = noted(tmp_path / "runs" / "mine")
    dataset_id = json.loads((tiny_dataset / "manifest.json").read_text())["dataset_id"]
    begun(sweep, cells[0].config, "waiting", [0, 10], dataset_id)
    assert forecast(cells, sweep, {(): str(tmp_path / "renamed")})[0].epochs == 9
    with pytest.raises(UserError, match=f"started with dataset {dataset_id}, and now it is {DATASET}"):
        forecast(cells, sweep, place(tmp_path))


@pytest.mark.parametrize(
    "settings",
    [
        ["optim.optimiser=rmsprop"],
        ["optim.optimiser=adamw"],
        ["optim.optimiser=adamw", "optim.ema=0.9"],
        ["optim.optimiser=rmsprop", "optim.ema=0.9"],
    ],
)
def test_the_disk_is_that_of_the_checkpoints(settings: list[str], tiny: Recipe, tmp_path: Path) -> None:
    """Measured on files with the weights and the state of the optimiser; little else is in them."""
    (cell,) = cells_of(tiny, backbones=["test_resnet"], settings=settings)
    (row,) = forecast([cell], tmp_path / "runs" / "mine", place(tmp_path))
    net = CorrespondenceNet(cell.config.model)
    updates = _after_one_update(net, cell.config.optim)
    torch.save({"net": net.state_dict(), "updates": updates.state_dict()}, tmp_path / "last")
    torch.save({"net": updates.evaluated.state_dict()}, tmp_path / "best")
    written = sum((tmp_path / name).stat().st_size for name in ("last", "best"))
    assert row.disk_bytes == pytest.approx(written, rel=0.1)
    for keep, names in KEPT.items():
        (row,) = forecast([cell], tmp_path / "runs" / "mine", place(tmp_path), keep)
        kept = sum((tmp_path / name).stat().st_size for name in names)
        assert row.kept_bytes == pytest.approx(kept, rel=0.1)
        assert row.disk_bytes == pytest.approx(written, rel=0.1)


def _after_one_update(net: CorrespondenceNet, config: OptimConfig) -> Updates:
    updates = Updates(net, torch.nn.Module(), config, 1)
    updates.start(0)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    updates.apply(0)
    return updates


def shown(rows: Sequence[Forecast], at_once: int) -> str:
    said = io.StringIO()
    table = forecast_table(rows, at_once, "sweep mine")
    print_table(table, Console(file=said, width=100))
    return said.getvalue()


def test_trials_and_sums_are_shown() -> None:
    rows = [
        Forecast(name="f", label="a", status="finished", epochs=0, seconds=0.0, disk_bytes=0, kept_bytes=0),
        Forecast(name="f", label="b", status="stopped", epochs=0, seconds=0.0, disk_bytes=0, kept_bytes=0),
        Forecast(
            name="f",
            label="c",
            status="waiting",
            epochs=30,
            seconds=5400.0,
            disk_bytes=250_000_000,
            kept_bytes=50_000_000,
        ),
        Forecast(name="f", label="d", status="failed", epochs=10, seconds=90.0, disk_bytes=0, kept_bytes=0),
        Forecast(
            name="f",
            label="e",
            status="waiting",
            epochs=60,
            seconds=None,
            disk_bytes=1_250_000_000,
            kept_bytes=250_000_000,
        ),
    ]
    text = shown(rows, 2)
    title, *lines = [line.rstrip() for line in text.splitlines() if line.strip(" ─")]
    assert title.strip() == "sweep mine"
    assert [line.split() for line in lines[:6]] == [
        ["trial", "status", "epochs", "left", "time", "disk", "kept"],
        ["a", "finished", "0", "0.0", "min", "-", "-"],
        ["b", "stopped", "0", "0.0", "min", "-", "-"],
        ["c", "waiting", "30", "1.5", "h", "250", "MB", "50", "MB"],
        ["d", "failed", "10", "1.5", "min", "-", "-"],
        ["e", "waiting", "60", "?", "1250", "MB", "250", "MB"],
    ]
    assert " ".join(" ".join(lines[6:]).split()) == (
        "5 trials, 2 of them done; 100 epochs left; 0.3 GB of checkpoints are kept, "
        "at most 3.0 GB on the way; at least 45.8 min with 2 at once of 1 "
        "trials the time is not known: no such network was trained on this dataset in this folder"
    )


def test_without_any_speed_no_time_is_shown() -> None:
    rows = [
        Forecast(name="f", label="a", status="waiting", epochs=3, seconds=None, disk_bytes=0, kept_bytes=0)
    ]
    text = shown(rows, 1)
    sums = (
        "1 trials, 0 of them done; 3 epochs left; 0.0 GB of checkpoints are kept, at most 0.0 GB on the way"
    )
    assert f"{sums} of 1" in " ".join(text.split())
    assert "at once" not in text


def test_the_most_on_the_way_is_what_is_kept_of_all_and_the_largest_that_pass_each_with_its_next_one() -> (
    None
):
    made = [(10, 4), (30, 6), (20, 20), (0, 0)]
    rows = [
        Forecast(name="f", label="a", status="waiting", epochs=3, seconds=None, disk_bytes=d, kept_bytes=k)
        for d, k in made
    ]
    # Kept: 30. A trial that trains needs 2 x disk - kept more: 16, 54, 20, 0.
    assert [peak_bytes(rows, at_once) for at_once in (1, 2, 3, 9)] == [84, 104, 120, 120]


def test_what_is_to_be_trained_anew_has_all_its_epochs_left(cells: list[Cell], tmp_path: Path) -> None:
    sweep = noted(tmp_path / "runs" / "mine")
    anew, again = (begun(sweep, cell.config, "finished", range(0, 110, 10)) for cell in cells[:2])
    (again / "best.pt").touch()
    rows = forecast(cells[:2], sweep, place(tmp_path))
    assert [(row.status, row.epochs) for row in rows] == [("waiting", 10), ("waiting", 0)]
    assert [row.disk_bytes > 0 for row in rows] == [True, False]
    assert not (anew / "best.pt").exists()
