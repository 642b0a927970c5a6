"""Which epoch is the best one, what is read for it, and where each field of the result comes from."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from epropnp.inference.model import load_checkpoint
from epropnp.models.network import CorrespondenceNet
from epropnp.training.callbacks import Callback, Training
from epropnp.training.config import TrialConfig
from epropnp.training.identity import trial_hash
from epropnp.training.result import EpochReport, Metrics, TrialResult
from epropnp.training.trainer import Trainer
from tests.training.scripted_trial import (
    AVERAGED,
    SELECTED_BY,
    Asked,
    Clock,
    Scores,
    Scripted,
    number_in,
    script,
)
from tests.training.tiny import Killed, Stop, tiny, with_optim

UP, DOWN = (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)


def by_epoch(*rows: tuple[float, ...]) -> Scores:
    """Validation scores of epochs 0, 1, ...; the test split would choose the other way round."""

    def scores(split: str, number: float) -> Metrics:
        row = rows[int(number)]
        chosen = dict(zip(SELECTED_BY, row, strict=True))
        if split == "test":
            return {name: 1000 - value for name, value in chosen.items()} | {"of": number}
        # Scores that select nothing go down while the others rise.
        return chosen | {"add_0.10d": 50 - row[0] - number, "5deg5cm": -number}

    return scores


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([UP, DOWN, UP], 1),  # the first score decides, whatever the others say
        ([(5, 1, 9), (5, 2, 0), (5, 1, 9)], 1),  # the second one where the first is equal
        ([(5, 5, 1), (5, 5, 3), (5, 5, 2)], 1),  # then the third
        ([(5, 5, 5), (5, 5, 5), (4, 9, 9)], 1),  # of equal ones, the later
        ([(3, 0, 0), (1, 0, 0), (3, 0, 0), (2, 0, 0)], 2),  # not only of neighbours
        ([(9, 0, 0), (8, 9, 9), (7, 9, 9)], 0),  # the untrained network may be the best one
        ([(0, 0, 0), (1, 0, 0), (2, 0, 0)], 2),
    ],
)
def test_the_best_epoch_goes_by_validation_scores_in_their_order(
    rows: list[tuple[float, ...]],
    best: int,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script(monkeypatch, by_epoch(*rows))
    trainer = marked(with_optim(epochs=len(rows) - 1), tiny_dataset, tmp_path)
    result = trainer.fit()
    assert result.best_epoch == best
    assert number_in(load_checkpoint(tmp_path / "best.pt")["net"]) == best
    assert result.test["of"] == best
    assert (tmp_path / "predictions.parquet").read_text() == f"test {best}.0"
    assert (tmp_path / "validation.parquet").read_text() == f"validation {best}.0"


def marked(config: TrialConfig, dataset: Path, folder: Path, **kwargs: Any) -> Scripted:
    """A trial whose untrained network holds the number 0."""
    torch.manual_seed(0)
    trainer = Scripted(config, dataset, folder, "cpu", **kwargs)
    assert number_in(trainer.net.state_dict()) == 0  # the bias of the output starts there
    return trainer


@pytest.mark.parametrize(("ema", "temperature"), [(None, "validation"), (0.9, "validation"), (None, "none")])
def test_validation_after_every_epoch_then_temperatures_then_the_test_split_once(
    ema: float | None,
    temperature: Literal["validation", "none"],
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = script(monkeypatch, by_epoch((1, 0, 0), (3, 0, 0), (2, 0, 0)))
    config = with_optim(epochs=2, ema=ema)
    config = dataclasses.replace(
        config, evaluation=dataclasses.replace(config.evaluation, temperature=temperature)
    )
    trainer = marked(config, tiny_dataset, tmp_path, keep_every=1)
    result = trainer.fit()
    of = [0.0, 1.0, 2.0] if ema is None else [0.0, 1 + AVERAGED, 2 + AVERAGED]
    best = of[1]
    fitted = temperature == "validation"
    expected = [Asked("poses", "validation", number) for number in of]
    expected += [Asked("poses", "validation", best)]  # once more: of all images, by the best weights
    expected += [Asked("temperatures", "validation", best)] if fitted else []
    *before, last = asked
    assert before == expected
    assert (last.what, last.split, last.number) == ("poses", "test", best)
    factor = best + 10 if fitted else 1.0
    assert result.temperatures["covariance"]["scale"] == factor
    assert last.temperatures is None or last.temperatures.covariance.scale == factor
    assert number_in(load_checkpoint(tmp_path / "best.pt")["net"]) == best
    kept = [number_in(load_checkpoint(tmp_path / f"epoch-000{epoch}.pt")["net"]) for epoch in (1, 2)]
    assert kept == of[1:]


def test_the_best_epoch_survives_a_stop(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, by_epoch((1, 0, 0), (4, 0, 0), (2, 0, 0), (3, 0, 0)))
    with pytest.raises(Killed):
        marked(with_optim(epochs=3), tiny_dataset, tmp_path).fit([Stop(1)])
    result = marked(with_optim(epochs=3), tiny_dataset, tmp_path).fit()  # epochs 2 and 3 are worse
    assert result.best_epoch == 1
    assert result.test["of"] == 1
    assert number_in(load_checkpoint(tmp_path / "best.pt")["net"]) == 1


@pytest.fixture
def complete(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[TrialResult, Trainer, list[EpochReport]]:
    """A trial of 3 epochs, stopped after the second and gone on with; the clock moves between epochs only."""
    clock = Clock(monkeypatch)
    script(monkeypatch, by_epoch((1, 7, 7), (2, 7, 7), (5, 7, 7), (4, 7, 7)))
    config = with_optim(epochs=3)
    config = dataclasses.replace(
        config, seed=5, recipe="by hand", loss=dataclasses.replace(config.loss, mc=0.03)
    )
    heard: list[EpochReport] = []

    class Timed(Callback):
        def on_start(self, trainer: Training) -> None:
            clock.now_s += 500  # what others do before the training is not its time
            trainer.state.skipped = 4

        def on_epoch(self, report: EpochReport) -> None:
            heard.append(report)
            clock.now_s += 2
            if report.epoch == 2 and len(heard) == 3:
                raise Killed

    with pytest.raises(Killed):
        marked(config, tiny_dataset, tmp_path).fit([Timed()])
    clock.now_s += 5000
    trainer = marked(config, tiny_dataset, tmp_path)
    clock.now_s += 300
    return trainer.fit([Timed()]), trainer, heard


def test_each_field_of_the_result_comes_from_its_own_place(
    complete: tuple[TrialResult, Trainer, list[EpochReport]], tiny_dataset: Path, tmp_path: Path
) -> None:
    result, trainer, heard = complete
    manifest = json.loads((tiny_dataset / "manifest.json").read_text())
    assert [report.seconds for report in heard] == [0, 2, 4, 4]  # on_epoch's own time goes to the next epoch
    net = CorrespondenceNet(trainer.config.model)
    expected = {
        "recipe": "by hand",
        "backbone": "test_resnet",
        "head": "deconv",
        "loss_weight": 0.03,
        "pretrained": False,
        "weights_sha256": None,
        "parameters": sum(value.numel() for value in net.parameters()),
        "seconds": 4.0,
        "epochs": 3,
        "best_epoch": 2,
        "skipped": 4,
        "seed": 5,
        "config_hash": trial_hash(trainer.config, manifest["dataset_id"]),
        "dataset_id": manifest["dataset_id"],
        "test_images": 5,
        "test_boxes": "true",
        "val_before": {"add_area": 1, "mspd_ar": 7, "add_auc_10cm": 7, "add_0.10d": 49, "5deg5cm": 0},
        "val_after": {"add_area": 5, "mspd_ar": 7, "add_auc_10cm": 7, "add_0.10d": 43, "5deg5cm": -2},
        "validation": {"add_area": 5, "mspd_ar": 7, "add_auc_10cm": 7, "add_0.10d": 43, "5deg5cm": -2},
        "test": {"add_area": 995, "mspd_ar": 993, "add_auc_10cm": 993, "of": 2},
        "temperatures": {
            "posterior": {"scale": 1.0, "tail": 0.0},
            "covariance": {"scale": 12.0, "tail": 0.125},
        },
        "train_loss": [101, 102, 103],
        "val_add": [49, 47, 43, 43],
    }
    assert dataclasses.asdict(result) == expected
    assert json.loads((tmp_path / "result.json").read_text()) == expected


def test_an_epoch_reports_its_own_scores_and_where_to_go_on_from(
    complete: tuple[TrialResult, Trainer, list[EpochReport]], tmp_path: Path
) -> None:
    heard = complete[2]
    assert [report.epoch for report in heard] == [0, 1, 2, 3]
    assert {report.epochs for report in heard} == {3}
    assert [report.metrics["val/add_area"] for report in heard] == [1, 2, 5, 4]
    assert [report.metrics.get("train/loss") for report in heard] == [None, 101, 102, 103]
    assert [report.metrics["time/seconds"] for report in heard] == [0, 2, 4, 4]
    assert {report.checkpoint for report in heard} == {tmp_path / "checkpoint.pt"}


def test_a_trial_without_epochs_tests_the_untrained_network(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(monkeypatch, by_epoch((2, 0, 0)))
    result = marked(with_optim(epochs=0), tiny_dataset, tmp_path).fit()
    assert (result.best_epoch, result.train_loss, result.val_add) == (0, [], [48])
    assert result.val_before == result.val_after


def test_the_result_names_the_weights_that_training_started_from(
    tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hash is of the backbone before the first update, not of the trained one."""
    from epropnp.models.pretrained import tensors_sha256

    script(monkeypatch, by_epoch((1, 0, 0), (2, 0, 0)))
    start = Trainer(tiny(seed=9), tiny_dataset, tmp_path / "any", "cpu").net.backbone.state_dict()
    torch.save({name.removeprefix("net."): value for name, value in start.items()}, tmp_path / "start.pth")
    model = dataclasses.replace(tiny().model, pretrained=True, weights_file=str(tmp_path / "start.pth"))
    trainer = Scripted(
        dataclasses.replace(with_optim(epochs=1), model=model), tiny_dataset, tmp_path / "run", "cpu"
    )

    class Turned(Callback):
        def on_epoch(self, report: EpochReport) -> None:
            for value in trainer.net.backbone.parameters():
                torch.nn.init.constant_(value, 0.5)

    result = trainer.fit([Turned()])
    assert result.pretrained
    assert result.weights_sha256 == tensors_sha256(start)
