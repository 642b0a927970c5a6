"""Settings that change no number, or numbers by rounding at most, and those that need files."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from epropnp.evaluation.predictions import Predictions
from epropnp.inference.temperature import Temperature
from epropnp.models import network
from epropnp.models.released import Released
from epropnp.pnp import compiled
from epropnp.training.identity import trial_hash
from epropnp.training.overrides import override
from epropnp.training.result import TrialResult
from epropnp.training.trainer import Trainer
from tests.training.observables import Lab, NearlyTrue, same
from tests.training.settings import BASE

ROUNDING_M_AND_RAD = 1e-4  # of a solution that has not converged; other random starts move it by more


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def lab(mixed: Path, tmp_path: Path) -> Callable[..., Lab]:
    return lambda *settings: Lab(override(BASE, settings), mixed, tmp_path / "none")


def assert_same_to_rounding(one: Predictions, other: Predictions) -> None:
    np.testing.assert_allclose(one.T_pred, other.T_pred, rtol=0, atol=ROUNDING_M_AND_RAD)
    np.testing.assert_allclose(one.cost, other.cost, rtol=1e-3)


def test_threads_are_as_many_as_asked_and_change_poses_by_rounding_at_most(lab: Callable[..., Lab]) -> None:
    one = lab("threads=1")
    assert torch.get_num_threads() == 1
    alone = one.predictions
    two = lab("threads=2")
    assert torch.get_num_threads() == 2
    assert_same_to_rounding(alone, two.predictions)


def test_evaluation_takes_as_many_images_at_once_as_asked(lab: Callable[..., Lab]) -> None:
    for size, batches in ((1, [1, 1, 1]), (2, [2, 1]), (50, [3])):
        found = lab(f"evaluation.batch_size={size}")
        assert found.predictions.sample_id == [
            record.sample_id for record in found.trainer.data.evaluation("test").records
        ]
        assert found.oracle.sizes == batches


def test_the_evaluations_batch_size_changes_poses_by_rounding_at_most(lab: Callable[..., Lab]) -> None:
    few = ("evaluation.proposals=2", "evaluation.iterations=1")  # so that a pose remembers its start
    assert_same_to_rounding(
        lab("evaluation.batch_size=50", *few).predictions, lab("evaluation.batch_size=2", *few).predictions
    )


def test_loader_processes_are_as_many_as_asked_and_change_no_number(lab: Callable[..., Lab]) -> None:
    """They are given the same draws and the same crops; that they make the same batches of them is shown in
    `tests/data/test_dataset.py`.
    """
    alone, helped = (found.trainer.data for found in (lab(), lab("data.workers=2")))
    assert (alone._loader.num_workers, helped._loader.num_workers) == (0, 2)
    assert helped.steps == alone.steps
    draws = list(alone.sampler)
    assert list(helped.sampler) == draws
    batches = [vars(data._train.__getitems__(draws)) for data in (alone, helped)]
    assert same(*batches)


def test_the_sanity_check_shows_images_as_they_are(lab: Callable[..., Lab]) -> None:
    plain = lab("data.overfit=2")
    noisy = lab(
        *(
            "data.overfit=2",
            "data.augment.color=0.5",
            "data.augment.occlusion=1",
            "data.augment.rotation_deg=20",
        ),
        *("evaluation.detector.scale=0.3", "evaluation.detector.shift=0.3", "evaluation.test_boxes=detected"),
    )
    for what in ("crop.side", "crop.pixels", "crop.mask", "crop.camera", "validation.pixels", "test.pixels"):
        assert same(plain[what], noisy[what]), what
    assert same(plain["validation.pixels"], plain["test.pixels"])
    records = list(plain.trainer.data.dataset.split("train"))[:2]
    assert plain["test.names"] == [record.sample_id for record in records]
    sides = [1.5 * max(record.box[2:]) for record in records]
    assert plain["test.side"].tolist() == pytest.approx(sides)
    assert set(plain["crop.side"].tolist()) == set(plain["test.side"].tolist())


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Names of what is given to `torch.compile`, which compiles nothing here.

    That compiled functions give the numbers of the plain ones is shown in `tests/pnp/test_compiled.py`.
    """
    names: list[str] = []

    def compile(function: Any, **_: Any) -> Any:
        names.append(getattr(function, "__name__", type(function).__name__))
        return function

    monkeypatch.setattr(torch, "compile", compile)
    compiled._compiled.cache_clear()
    yield names
    compiled._compiled.cache_clear()


def test_compile_switches_reach_the_compiler_and_change_nothing_else(
    lab: Callable[..., Lab], compilations: list[str]
) -> None:
    plain = lab()
    numbers = {what: plain[what] for what in ("poses", "evidence", "loss.raw")}
    assert compilations == []
    net = lab("optim.compile=yes")
    assert compilations == ["CorrespondenceNet"]
    assert all(same(net[what], value) for what, value in numbers.items())
    assert compilations == ["CorrespondenceNet"]  # the pose layer has a switch of its own
    compilations.clear()
    layer = lab("pnp.compile=yes")
    assert compilations == []
    assert all(same(layer[what], value) for what, value in numbers.items())
    assert {"normal_equations", "_trust_region_step", "_draw", "_log_density", "_refit"} <= set(compilations)
    assert "CorrespondenceNet" not in compilations


def test_a_compiled_network_is_what_training_runs(lab: Callable[..., Lab], compilations: list[str]) -> None:
    found, calls = lab("optim.compile=yes"), []
    wrapped = found.trainer._predict
    found.trainer._predict = lambda image: calls.append(len(image)) or wrapped(image)
    assert found["loss.total"].isfinite()
    assert calls == [4]


@pytest.fixture(scope="module")
def untrained(
    mixed: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., tuple[TrialResult, Path]]:
    """Result and folder of a trial of no epochs: a network that is only tested."""

    def run(*settings: str) -> tuple[TrialResult, Path]:
        folder = tmp_path_factory.mktemp("trial")
        config = override(BASE, ["optim.epochs=0", "evaluation.samples=16", *settings])
        trainer = Trainer(config, mixed, folder, "cpu")
        trainer.updates.net = NearlyTrue(trainer.data)  # type: ignore[assignment]
        return trainer.fit(), folder

    return run


def test_temperatures_are_fitted_where_they_are_asked_for_and_move_no_pose(
    untrained: Callable[..., tuple[TrialResult, Path]],
) -> None:
    fitted, plain = (untrained(f"evaluation.temperature={kind}") for kind in ("validation", "none"))
    nothing = dataclasses.asdict(Temperature())
    assert plain[0].temperatures == {"posterior": nothing, "covariance": nothing}
    assert fitted[0].temperatures is not None
    assert fitted[0].temperatures["covariance"] != nothing
    assert fitted[0].temperatures["posterior"] != nothing
    a, b = (Predictions.read(folder / "predictions.parquet") for _, folder in (fitted, plain))
    np.testing.assert_array_equal(a.T_pred, b.T_pred)
    assert not np.allclose(a.covariance, b.covariance, rtol=1e-3)


def test_the_recipe_is_a_name_that_the_result_and_the_hash_carry(
    lab: Callable[..., Lab], untrained: Callable[..., tuple[TrialResult, Path]]
) -> None:
    result, _ = untrained("recipe=mine", "evaluation.temperature=none")
    assert result.recipe == "mine"
    assert trial_hash(override(BASE, ["recipe=mine"]), "ab") != trial_hash(BASE, "ab")
    plain, named = lab(), lab("recipe=mine")
    for what in ("order", "crop.pixels", "network.weights", "loss.raw", "poses"):
        assert same(plain[what], named[what]), what


def weights_file(folder: Path, seed: int) -> str:
    torch.manual_seed(seed)
    file = folder / f"{seed}.pth"
    torch.save(timm.create_model("test_resnet").state_dict(), file)
    return str(file)


def test_pretrained_weights_are_those_of_the_file(lab: Callable[..., Lab], tmp_path: Path) -> None:
    files = [weights_file(tmp_path, seed) for seed in (5, 6)]
    scratch = lab()
    loaded = [lab("model.pretrained=yes", f"model.weights_file={file}") for file in files]
    for file, found in zip(files, loaded, strict=True):
        given, ours = torch.load(file), found.trainer.net.backbone.net.state_dict()
        assert all(torch.equal(value, given[key]) for key, value in ours.items())
    prints = [found["network.fingerprint"] for found in (scratch, *loaded)]
    assert prints[0] is None
    assert len(set(prints)) == 3
    head = [found["network.weights"][len(found["network.backbone"]) :] for found in (scratch, *loaded)]
    assert not same(head[0], torch.zeros_like(head[0]))


def test_a_released_checkpoint_fills_the_network_and_sets_the_losss_scale(
    lab: Callable[..., Lab], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its weights arrive is shown in `tests/models/test_released.py`."""
    read: list[str] = []

    def load(net: torch.nn.Module, file: str) -> Released:
        read.append(file)
        return Released(norm_factor=7.5, loaded=1, ignored=())

    monkeypatch.setattr(network, "load_released", load)
    plain, found = lab(), lab("model.released=official.pth")
    assert read == ["official.pth"]
    assert plain["norm_factor"] == 1.0
    assert found["norm_factor"] == 7.5
    assert plain["network.fingerprint"] is None
    assert found["network.fingerprint"] is not None
