"""`python -m epropnp.export`: the file, what is said of it, and one line for whatever is wrong."""

from pathlib import Path

import pytest

from epropnp import extras
from epropnp.export import main
from epropnp.inference import export as exporting
from epropnp.inference.model import TrainedModel, load_model
from tests.inference.untrained import write_untrained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_untrained(tmp_path / "best.pt")
    return tmp_path


@pytest.mark.slow
def test_a_trials_folder_gets_an_onnx_beside_its_network(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(folder)]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    first, second, third = out.splitlines()
    assert first.startswith(f"wrote {folder / 'best.onnx'} (0.")
    assert second == (
        "image (batch, 3, 64, 64), RGB in [0, 1] -> coords (batch, 3, 16, 16), "
        "weight_logits (batch, 2, 16, 16), log_scale (batch, 2)"
    )
    said, _, deviation = third.rpartition(": ")
    assert said.endswith("from the network, on random crops in batches of 1 and 3")
    assert float(deviation) < 1e-5
    assert load_model(folder / "best.onnx").dataset_id == "0123456789ab"
    assert sorted(file.name for file in folder.iterdir()) == ["best.onnx", "best.pt"]


def test_a_name_in_pt2_asks_for_a_program(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def write(model: TrainedModel, path: Path) -> float:
        path.write_text(model.dataset_id)
        return 2e-6

    monkeypatch.setattr(exporting, "export_program", write)
    assert main([str(folder / "best.pt"), "--output", str(folder / "cat.pt2")]) == 0
    assert "batches of 1 and 3: 2.0e-06" in capsys.readouterr().out
    assert (folder / "cat.pt2").read_text() == "0123456789ab"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["{folder}", "--output", "best.engine"],
            "--output best.engine: give a name that ends in .onnx or .pt2",
        ),
        (["{folder}/none"], "none is not there: give the best.pt of a trial"),
        (["{folder}/best.onnx", "--output", "x.pt2"], "best.onnx is an export already: give the best.pt"),
        (["{folder}/text.pt"], "text.pt cannot be read"),
        (["{folder}", "--outptu", "x"], "--output"),
    ],
)
def test_errors_are_one_line(
    words: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "text.pt").write_text("no checkpoint")
    assert main([word.format(folder=folder) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_missing_library_is_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "onnxscript" else object())
    assert main([str(folder)]) == 2
    assert capsys.readouterr().err == (
        "error: an export to ONNX needs more than is installed (onnxscript): pip install "
        "'epropnp-sweeps[export]'\n"
    )
    assert not (folder / "best.onnx").exists()
