"""Pictures of epochs: the first, the last and some between, each once in a run, under its epoch."""

from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pytest
from PIL import Image

from sweeps.tracking import run_files
from sweeps.tracking.run_files import RunFiles
from sweeps.tracking.run_pictures import frames_of, is_frame


def draw(folder: Path, epochs: int) -> None:
    (folder / "epochs").mkdir(parents=True)
    for epoch in range(epochs):
        Image.fromarray(np.full((20, 50, 3), 10 * epoch, np.uint8)).save(
            folder / "epochs" / f"{epoch:04d}.png"
        )


@pytest.mark.parametrize(
    ("epochs", "shown"), [(0, []), (1, [0]), (5, [0, 1, 2, 3, 4]), (22, [0, 3, 6, 9, 12, 15, 18, 21])]
)
def test_of_many_epochs_some_are_shown_and_always_the_last(
    epochs: int, shown: list[int], tmp_path: Path
) -> None:
    draw(tmp_path / "t", epochs)
    found = frames_of(tmp_path / "t")
    assert [int(file.stem) for file in found] == shown
    assert all(map(is_frame, found))
    assert not is_frame(tmp_path / "t" / "epochs.png")
    assert frames_of(tmp_path / "no") == []


@pytest.mark.slow
def test_each_is_stored_once_under_its_epoch_whatever_was_killed_meanwhile(
    uri: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = mlflow.MlflowClient(uri)
    run_id = client.create_run(client.create_experiment("e", str(tmp_path / "artifacts"))).info.run_id
    draw(tmp_path / "t", 3)
    names = [f"t/epochs/{epoch:04d}.png" for epoch in range(3)]

    def store(names: list[str]) -> bool:
        return RunFiles(client, tmp_path).store(client.get_run(run_id), names, patient=False)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:  # after the picture, before its run knows that it has one
        patch.setattr(run_files.json, "dumps", killed)
        with pytest.raises(KeyboardInterrupt):
            store(names[:1])
    assert store(names)
    assert not store(names)
    stored = sorted(file.name for file in (tmp_path / "artifacts").glob("**/images/*.png"))
    assert [name.split("+timestamp")[0] for name in stored] == [
        f"validation images+step+{epoch}" for epoch in range(3)
    ]
    last = next((tmp_path / "artifacts").glob("**/images/*+step+2+*.png"))
    assert np.array_equal(np.array(Image.open(last)), np.full((20, 50, 3), 20))
