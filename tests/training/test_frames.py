"""A picture of every epoch, once, whatever happens between; and the numbers are those without pictures."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image

from epropnp.evaluation.metrics import add_error, adi_error
from epropnp.training import frames
from epropnp.training.trainer import Trainer
from tests.evaluation.known_errors import POINTS, model, pose, turn
from tests.training.test_trainer import weights_of
from tests.training.tiny import Killed, Stop, result_of, tiny


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in (folder / "epochs").glob("*"))


@pytest.mark.slow
def test_every_epoch_has_a_frame_and_the_animation_shows_them_in_order(
    trained: Path,
) -> None:
    folder = trained
    assert names(folder) == ["0000.png", "0001.png", "0002.png", "0003.png"]
    with Image.open(folder / "epochs.png") as moving:
        assert moving.n_frames == 5  # type: ignore[attr-defined]  # the poster, and four epochs
        for i, name in enumerate(names(folder), 1):
            moving.seek(i)
            with Image.open(folder / "epochs" / name) as still:
                gap = np.asarray(moving.convert("RGB"), int) - np.asarray(still.convert("RGB"), int)
                assert np.abs(gap).mean() < 3  # its colours are the last frame's
    assert (folder / "epochs-last.png").read_bytes() == (folder / "epochs" / "0003.png").read_bytes()


@pytest.mark.slow
def test_pictures_change_no_number(trained: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    trainer = Trainer(tiny(), tiny_dataset, tmp_path, "cpu")
    trainer.frames.images = 0
    result = trainer.fit()
    assert not list(tmp_path.glob("epochs*"))
    expected = result_of(trained)
    assert (result.train_loss, result.test) == (expected.train_loss, expected.test)
    assert (tmp_path / "predictions.parquet").read_bytes() == (trained / "predictions.parquet").read_bytes()
    for name, value in weights_of(trained).items():
        assert torch.equal(value, weights_of(tmp_path)[name]), name


@pytest.mark.slow
def test_each_epoch_has_its_frame_once_after_a_kill(
    trained: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        Trainer(tiny(), tiny_dataset, tmp_path, "cpu", checkpoint_s=0).fit([Stop(2, 1)])
    assert names(tmp_path) == ["0000.png", "0001.png"]
    (tmp_path / "epochs" / "0002.png").write_bytes(b"drawn before a kill, and its epoch not saved")
    Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit()
    assert names(tmp_path) == names(trained)
    for name in names(tmp_path):
        assert (tmp_path / "epochs" / name).read_bytes() == (trained / "epochs" / name).read_bytes()


@pytest.mark.slow
def test_a_picture_that_fails_costs_the_picture_alone(
    trained: Path,
    tiny_dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(frames, "save_frame", fail)
    assert Trainer(tiny(), tiny_dataset, tmp_path, "cpu").fit().test == result_of(trained).test
    assert "epoch 3 is not drawn: no space left" in caplog.text
    assert not (tmp_path / "epochs.png").exists()


def test_the_error_in_words_is_add_or_adi() -> None:
    """Over so few points, all are taken; half a turn maps them onto themselves."""
    T_true, T_pred = pose()[0], pose(turn("z", 180.0), (0.01, 0, 1))[0]
    for symmetric, distance in ((False, add_error), (True, adi_error)):
        expected = distance(T_pred[None], T_true[None], POINTS)[0]
        found = frames.quick_error_m(T_pred, T_true, model(symmetric=symmetric))
        assert found == pytest.approx(expected, rel=1e-6)
    assert np.isnan(frames.quick_error_m(T_pred * np.nan, T_true, model()))


@pytest.mark.parametrize(
    ("epochs", "drawn"),
    [(3, [0, 1, 2, 3]), (24, list(range(25))), (100, [*range(0, 101, 5)]), (49, [*range(0, 49, 3), 49])],
)
def test_of_a_long_training_epochs_are_left_out_but_never_the_last(
    epochs: int, drawn: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data: Any = SimpleNamespace(config=SimpleNamespace(optim=SimpleNamespace(epochs=epochs)))
    made, nothing = list[str](), cast(Any, None)
    monkeypatch.setattr(frames, "epoch_frame", lambda title, tiles: None)
    monkeypatch.setattr(frames, "save_frame", lambda frame, file: made.append(file.stem))
    monkeypatch.setattr(frames.EpochFrames, "_tiles", lambda *given: [])
    pictures = frames.EpochFrames(tmp_path, data)
    for epoch in range(epochs + 1):
        pictures.add(epoch, nothing, nothing, {"add_0.10d": 1.0})
    assert made == [f"{epoch:04d}" for epoch in drawn]
