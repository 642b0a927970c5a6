"""The main job hands everything to its place: data, cells, flags; what is heavy is made up."""

import dataclasses
import re
import shlex
import signal
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from epropnp.command_line import parse
from epropnp.errors import UserError
from epropnp.training.halt import TerminatedError
from epropnp.training.recipes import RECIPES, Recipe
from sweeps import backbones, called
from sweeps.called import Called
from sweeps.flags import SweepConfig
from sweeps.folder import open_sweep
from sweeps.running.options import Options
from sweeps.running.session import Wanted

World = SimpleNamespace


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tiny: Recipe, tmp_path: Path) -> World:
    """All that the main job calls; `raises` is raised by the sweep, `code` is how it ends."""
    world = World(ran=[], built=[], fetched=[], raises=None, code=0, recorded=True, interrupted=None)
    world.manifest, world.built_on = {}, set()

    def build(plan: Any, workers: int | None, progress: bool, ray_address: str | None) -> Path:
        world.built.append((plan.config, plan.root))
        world.built_on.add(ray_address)
        return tmp_path / f"made{plan.config.train}"

    def run(cells: Any, dataset: Callable[[], Any], folder: Path, **others: Any) -> Any:
        world.ran.append(SimpleNamespace(cells=cells, dataset=dataset(), folder=folder, **others))
        open_sweep(folder).with_command(others["command"]).write()
        if world.raises is not None:
            raise world.raises
        return SimpleNamespace(
            code=world.code, recorded=world.recorded, interrupted=world.interrupted, report="report"
        )

    class Dataset(SimpleNamespace):
        objects: dict[int, Any] = {1: SimpleNamespace(name="ape"), 6: SimpleNamespace(name="cat")}  # noqa: RUF012
        manifest = world.manifest

        def __init__(self, place: str) -> None:
            super().__init__(place=place)

    patches: dict[str, Callable[..., Any] | Any] = {
        "sweeps.backbones.RECIPES": dict(RECIPES) | {"quick": tiny},
        "epropnp.data.reader.ArrowDataset": Dataset,
        "pipelines.building.build.build_planned": build,
        "sweeps.sweep.run": run,
        "sweeps.running.session.ray_process": nullcontext,
        "sweeps.forecast._dataset_id": lambda place: Path(place).name,
        "sweeps.space.fetch_weights": world.fetched.append,
        "sweeps.results.report.show": lambda *given: None,
    }
    for name, value in patches.items():
        monkeypatch.setattr(name, value)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    world.out = tmp_path / "runs"
    world.words = ["--recipe", "quick", "--out", str(world.out), "--datasets", str(tmp_path / "sets")]
    world.words += ["--name", "mine", "--seeds", "0", "4"]
    return world


def test_the_sweep_is_given_the_cells_the_data_and_the_flags(world: World, tmp_path: Path) -> None:
    words = [*world.words, "--trials-at-once", "3", "--ray-address", "h:1", "--check", "no", "--epochs", "9"]
    assert backbones.main(words) == 0
    (ran,) = world.ran
    assert [(c.config.model.backbone, c.config.seed) for c in ran.cells] == [
        (name, seed) for name in ("test_resnet", "test_convnext") for seed in (0, 4)
    ]
    assert {cell.config.optim.epochs for cell in ran.cells} == {9}
    assert (ran.dataset, ran.folder) == ({(): str(tmp_path / "made8")}, world.out / "mine")
    assert (ran.options.at_once, ran.options.check, ran.address, ran.tracking_uri) == (3, False, "h:1", None)
    assert (ran.margin, ran.options.keep, ran.command) == (None, "best", words)
    assert ran.params["flag.seeds"] == (0, 4)
    assert (ran.params["flag.epochs"], ran.params["flag.name"]) == (9, "mine")
    assert not {"flag.backbones", "flag.data", "flag.pretrained", "flag.resume"} & set(ran.params)
    assert world.fetched == [ran.cells]
    assert world.built_on == {"h:1"}  # by the cores of the cluster
    assert ran.session == Wanted(address="h:1", cores=1, at_once=3)


def test_a_resumed_sweep_is_the_same_and_wider(world: World) -> None:
    backbones.main(world.words)
    first = ["--out", str(world.out), "--resume", "--name", "mine", "--seeds", "4", "7"]
    assert backbones.main(first) == 0
    assert [cell.config.seed for cell in world.ran[1].cells] == [0, 4, 7] * 2
    assert world.ran[1].folder == world.out / "mine"
    assert backbones.main(["--out", str(world.out), "--resume", "--vary", "data.points", "16"]) == 0
    found = [(c.config.data.points, c.config.seed) for c in world.ran[2].cells[:6]]
    assert found == [(points, seed) for points in (32, 16) for seed in (0, 4, 7)]
    assert backbones.main(["--out", str(world.out), "--resume"]) == 0
    assert world.ran[3].cells == world.ran[2].cells


def test_a_margin_is_kept_until_another_is_given(world: World) -> None:
    again = ["--out", str(world.out), "--resume"]
    for words in ([*world.words, "--margin", "2"], again, [*again, "--margin", "5"], again):
        assert backbones.main(words) == 0
    assert [ran.margin for ran in world.ran] == [2, 2, 5, 5]


def test_resume_or_start_does_what_there_is_to_do(world: World) -> None:
    words = [*world.words, "--resume-or-start"]
    assert backbones.main(words) == 0
    assert backbones.main(words) == 0
    first, second = world.ran
    assert first.cells == second.cells
    assert first.folder == second.folder == world.out / "mine"
    assert open_sweep(first.folder).commands == (tuple(world.words),)


def test_settings_of_all_trials_stay_when_a_sweep_is_resumed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    backbones.main([*world.words, "--epochs", "2"])
    assert backbones.main(["--out", str(world.out), "--resume", "--epochs", "3"]) == 2
    assert "have optim.epochs=2: `--vary optim.epochs 3` adds" in capsys.readouterr().err
    assert len(world.ran) == 1


def test_the_recipe_of_a_sweep_is_that_of_the_machine_it_was_started_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert backbones.main(world.words[2:]) == 0
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")
    assert backbones.main(["--out", str(world.out), "--resume"]) == 0
    assert world.ran[0].cells == world.ran[1].cells


@pytest.mark.parametrize(("cuda", "recipe"), [(True, "paper"), (False, "quick")])
def test_the_recipe_fits_the_machine(cuda: bool, recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a device")
    found = Called((SweepConfig(),), ["--seeds", "1"]).with_recipe(backbones.console_or_file())
    assert found.config.recipe == (recipe,)
    assert found.words == ["--seeds", "1", "--recipe", recipe]


def test_doubles_are_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    backbones.main([*world.words, "--seeds", "4", "4", "--heads", "study", "deconv"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[:2] == [
        "merged: seed 4, given twice",
        "merged: model.head deconv is the same as model.head study",
    ]
    assert [cell.config.seed for cell in world.ran[0].cells] == [4, 4]


@pytest.mark.parametrize(("free", "code"), [(0, 2), (10**15, 0)])
def test_the_disk_is_looked_at_before_anything_is_trained(
    free: int,
    code: int,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    assert backbones.main([*world.words, "--keep", "last"]) == code
    assert [ran.options.keep for ran in world.ran] == ["last"] * (code == 0)
    errors = capsys.readouterr().err
    assert errors.startswith("error: --out: checkpoints need ") if code else errors == ""


def test_what_fits_one_by_one_alone_is_begun_with_a_warning(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sweeps.disk.peak_bytes", lambda rows, at_once: 100 * at_once)
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=250))
    assert backbones.main([*world.words, "--trials-at-once", "3"]) == 0
    assert "checkpoints need 0 kB with 3 trials at once" in capsys.readouterr().out
    assert len(world.ran) == 1


def test_a_new_sweep_is_named_by_recipe_and_time_or_as_one_likes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder(**flags: Any) -> Path:
        return Called((SweepConfig(out=tmp_path, **flags),), []).folder(recipes)

    monkeypatch.setattr(called.time, "strftime", lambda form: f"at {form}")
    recipes = [RECIPES["best"], RECIPES["quick"]]
    assert folder() == tmp_path / "best-quick-at %Y%m%d-%H%M%S"
    recipes *= 30
    many = folder().name
    assert (len(many), many[:11], many[-17:]) == (100, "best-quick-", "-at %Y%m%d-%H%M%S")
    assert folder(name="mine") == tmp_path / "mine"
    (tmp_path / "mine").mkdir()
    with pytest.raises(UserError, match=r"exists; choose another .* --resume --name mine --out /"):
        folder(name="mine")
    assert folder(name="mine", resume_or_start=True) == tmp_path / "mine"  # killed before it noted anything


def test_how_trials_are_run_is_said_by_all_command_lines_and_for_how_long_by_the_last() -> None:
    first = SweepConfig(
        hours=3, retries=0, resources=("gpu=1", "fast=0.5"), trials_at_once="auto", keep="last"
    )
    assert Called((first,), []).options == Options(
        at_once="auto", resources={"gpu": 1, "fast": 0.5}, retries=0, keep="last", hours=3, register=""
    )
    again = SweepConfig(resume=True, check=False)
    found = Called((first, again), []).options
    assert found == dataclasses.replace(Called((first,), []).options, hours=None, check=False)
    job = SweepConfig(hours=8, resume_or_start=True)
    assert Called((job, job), []).options == Options(hours=8, hours_in_all=True, keep="best", register="")
    assert Options(keep="best", register="") == Called((SweepConfig(),), []).options


@pytest.mark.parametrize(("more", "objects"), [([], ("ape",)), (["--objects", "can", "cat"], ("can", "cat"))])
def test_objects_are_those_of_the_flags_else_of_the_recipe(
    world: World, more: list[str], objects: tuple[str, ...]
) -> None:
    assert backbones.main([*world.words, *more]) == 0
    assert world.built[0][0].objects == objects


def test_a_built_dataset_is_taken_as_it_is(world: World, tmp_path: Path) -> None:
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "manifest.json").touch()
    words = [*world.words, "--data", str(tmp_path / "lm")]
    assert backbones.main(words) == 0
    assert world.ran[0].dataset == {(): str(tmp_path / "lm")}
    assert world.built == []


def test_each_setting_of_the_data_is_a_dataset_that_is_built_before_the_sweep(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tiny recipe has 8 renderings."""
    words = ["--vary", "build.train", "8", "16", "--set", "build.background_count=3"]
    assert backbones.main([*world.words, *words]) == 0
    builds = [("build.background_count=3", f"build.train={count}") for count in (8, 16)]
    assert [(c.config.model.backbone, c.build, c.config.seed) for c in world.ran[0].cells] == [
        (name, build, seed)
        for name in ("test_resnet", "test_convnext")
        for build in builds
        for seed in (0, 4)
    ]
    assert world.ran[0].dataset == {builds[0]: str(tmp_path / "made8"), builds[1]: str(tmp_path / "made16")}
    assert [(config.train, config.background_count) for config, _ in world.built] == [(8, 3), (16, 3)]
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition("  (")[0] for line in lines if line.startswith("dataset: ")] == [
        f"dataset: {tmp_path / 'made8'}",
        f"dataset: {tmp_path / 'made16'}",
    ]
    assert any("  (build.background_count=3, build.train=16, " in line for line in lines)


def test_a_later_command_varies_data_and_what_was_trained_stays(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    more = ["--out", str(world.out), "--resume"]
    backbones.main(world.words)
    assert backbones.main([*more, "--vary", "build.train", "16", "8"]) == 0
    first, second = world.ran
    assert [cell.build for cell in first.cells] == [()] * 4
    assert [(cell.build, cell.config.seed) for cell in second.cells] == [
        ((f"build.train={count}",), seed) for count in (8, 16) for seed in (0, 4)
    ] * 2
    before = [cell.config for cell in second.cells if cell.build == ("build.train=8",)]
    assert before == [cell.config for cell in first.cells]
    assert capsys.readouterr().out.count("merged: build.train=8 is what trials have without") == 1
    assert backbones.main([*more, "--set", "build.test=9"]) == 2
    assert "it decides what is tested, so that another value needs another sweep" in capsys.readouterr().err


def test_doubtful_data_are_said_once_for_each_dataset(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.manifest.update(
        geometry={"ape": ["WARNING: masks do not fit", "median IoU 0.99"], "cat": ["fine"]},
        symmetries={"can": "WARNING: they are no group", "glue": "2 turns"},
    )
    assert backbones.main([*world.words, "--vary", "build.train", "8", "16"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "WARNING" in line or "dataset" in line]
    warned = ["ape: WARNING: masks do not fit", "can: WARNING: they are no group"]
    assert lines[1:3] == lines[4:6] == warned
    assert len(lines) == 6
    assert lines[0].startswith("dataset: ")
    assert lines[3].startswith("dataset: ")


def test_a_dry_run_says_what_would_be_trained_and_leaves_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backbones.main([*world.words, "--dry-run"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "4 trials, 0 of them done; 8 epochs left" in printed
    assert "test_convnext seed 4 waiting 2 ?" in printed
    assert world.ran == world.built == world.fetched == []
    assert not world.out.exists()


def test_a_dry_run_knows_the_trials_of_each_dataset(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--backbones", "test_resnet", "--vary", "build.train", "8", "16", "--dry-run"]
    assert backbones.main([*world.words, *words]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "4 trials, 0 of them done; 8 epochs left" in printed
    assert "build.train 16 seed 4 waiting 2 ?" in printed
    assert world.ran == world.built == []


def test_settings_cannot_change_a_dataset_that_is_built_already(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lm").mkdir()
    (tmp_path / "lm" / "manifest.json").touch()
    for data in (str(tmp_path / "lm"), "s3://bucket/lm"):
        for words in (
            ["--set", "build.train=9"],
            ["--vary", "build.train", "9"],
            ["--case", "a", "build.train=9"],
        ):
            assert backbones.main([*world.words, "--data", data, *words]) == 2
            (line,) = capsys.readouterr().err.splitlines()
            assert line.startswith(
                f"error: --data: {data} is built already, and build.train=9 cannot change it"
            )
    assert world.ran == world.fetched == []


def test_records_go_to_the_server_of_the_environment(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    backbones.main(world.words)
    assert world.ran[0].tracking_uri == "http://server:5000"


@pytest.mark.parametrize(
    ("stop", "code"),
    [(KeyboardInterrupt(), 130), (UserError("no cluster"), 2), (TerminatedError(signal.SIGTERM), 75)],
    ids=["Ctrl-C", "bad input", "SIGTERM"],
)
def test_what_ends_a_sweep_is_its_exit_code(world: World, stop: BaseException, code: int) -> None:
    world.raises = stop
    assert backbones.main(world.words) == code


@pytest.mark.parametrize("code", [0, 1])
def test_the_exit_code_is_that_of_the_sweep(world: World, code: int) -> None:
    world.code = code
    assert backbones.main(world.words) == code


def test_an_interrupted_sweep_says_how_to_go_on(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.code, world.interrupted = 75, "SIGTERM"
    assert backbones.main(world.words) == 75
    go_on = f"go on with: python sweeps/backbones.py --resume --name mine --out {world.out}\n"
    assert f"interrupted: SIGTERM; {go_on}" in capsys.readouterr().out


def test_how_to_go_on_can_be_pasted(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["/somewhere/bin/epropnp-sweeps", "run"])
    world.interrupted = "SIGTERM"
    spaced = world.out.parent / "my runs"
    backbones.main([*world.words, "--out", str(spaced), "--ray-address", "ray://h:1"])
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "go on with: " in line]
    words = shlex.split(line.partition("go on with: ")[2])
    assert words[:2] == ["epropnp-sweeps", "run"]
    config = parse(SweepConfig, "", words[2:], "")
    assert (config.resume, config.name, config.out, config.ray_address) == (True, "mine", spaced, "ray://h:1")


def test_records_that_could_not_be_sent_are_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.recorded = False
    assert backbones.main(world.words) == 0
    printed = capsys.readouterr().out
    assert "MLflow has not heard of all this yet" in printed
    assert "--resume --name mine" in printed
    assert printed.splitlines()[0] == "sweep mine: 4 trials on ape"


def test_paths_are_printed_as_they_are(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where they look like markup, which rich would take out, or refuse."""
    made = tmp_path / "[bold]a[/x]:cat:"
    monkeypatch.setattr("pipelines.building.build.build_planned", lambda *_, **given: made)
    world.code, world.interrupted = 75, "[/x] the [bold]night"
    assert backbones.main(world.words) == 75
    printed = capsys.readouterr().out
    assert f"dataset: {made}  (" in printed
    assert "interrupted: [/x] the [bold]night; go on" in printed


def test_credentials_are_not_kept_and_must_be_given_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backbones.main([*world.words, "--ray-address", "ray://me:hush@head:10001"]) == 0
    assert world.ran[0].address == "ray://me:hush@head:10001"
    folder = world.out / "mine"
    assert "hush" not in (folder / "sweep.json").read_text()
    assert "ray://***@head:10001" in (folder / "sweep.json").read_text()
    resumed = ["--resume", "--out", str(world.out)]
    assert backbones.main(resumed) == 2
    assert capsys.readouterr().err.startswith("error: --ray-address: give it again")
    assert backbones.main([*resumed, "--ray-address", "ray://me:hush@head:10001"]) == 0
    assert world.ran[1].address == "ray://me:hush@head:10001"


def test_the_last_line_is_the_time_of_all(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Data that is built counts, and a sweep that is only shown again trains nothing."""
    assert backbones.main(world.words) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert re.fullmatch(r"in all \d+ s", last), last


def test_a_resumed_name_that_is_mistyped_is_answered_with_the_nearest(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    assert backbones.main(world.words) == 0
    assert backbones.main(["--resume", "--name", "mien", "--out", str(world.out)]) == 2
    said = capsys.readouterr().err
    assert said.endswith(f"error: --resume: no sweep 'mien' in {world.out}; did you mean 'mine'?\n")
