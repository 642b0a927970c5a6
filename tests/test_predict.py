"""The command line: one picture, lists that go on after a kill, BOP's file, one line for what is wrong."""

import csv
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.predict import main
from tests.forked import Origin
from tests.inference.trials import Trial, trial_of, whole_picture


@pytest.fixture(scope="module")
def trial(tiny_dataset: Path, trained_in_fives: Path, tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial_of(tiny_dataset, trained_in_fives, tmp_path_factory.mktemp("predict") / "alone")


@pytest.fixture(scope="module")
def pictures(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the test pictures, and `frames.jsonl`, their list."""
    folder = tmp_path_factory.mktemp("pictures")
    lines = []
    for index, record in enumerate(ArrowDataset(tiny_dataset).split("test")):
        cv2.imwrite(str(folder / f"{index}.png"), whole_picture(record)[..., ::-1])
        lines.append(
            {
                "image": f"{index}.png",
                "K": record.K.ravel().tolist(),
                "box": record.box.tolist(),
                "object": record.object_id,
                "scene_id": 1,
                "image_id": index,
            }
        )
    (folder / "frames.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "K.json").write_text(json.dumps(lines[0]["K"]))
    return folder


CAMERA = "--camera", "{K}"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    trial: Trial, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Run:
    monkeypatch.chdir(tmp_path)

    def run(*words: Any) -> tuple[int, str, str]:
        code = main([str(trial.best), "--device", "cpu", "--samples", "32", *map(str, words)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(text) for text in file.read_text().splitlines()]


def test_one_picture(run: Run, trial: Trial, pictures: Path, tmp_path: Path) -> None:
    saved = trial.predictions
    box = ",".join(f"{value:g}" for value in rows(pictures / "frames.jsonl")[0]["box"])
    code, out, err = run(
        *("--image", pictures / "0.png", "--camera", pictures / "K.json", "--box", box, "--object", "cat")
    )
    assert (code, err) == (0, "")
    (row,) = rows(tmp_path / "poses-0" / "poses.jsonl")
    if saved.valid[0]:
        np.testing.assert_allclose(row["T_cam_obj"], saved.T_pred[0], atol=1e-4)
    assert (row["line"], row["box"], row["object"], row["valid"]) == (1, 1, "cat", bool(saved.valid[0]))
    assert "network in float32 on cpu" in out
    drawn = cv2.imread(str(tmp_path / "poses-0" / "overlays" / "000001-0.png"))
    assert drawn is not None
    assert drawn.shape == (480, 640, 3)
    # Another box starts anew.
    picture = "--image", pictures / "0.png", "--camera", pictures / "K.json"
    assert run(*picture, "--box=-5,10,80,90", "30,30,70,70", "--object", "cat", "eggbox")[0] == 0
    assert [each["object"] for each in rows(tmp_path / "poses-0" / "poses.jsonl")] == ["cat", "eggbox"]


def test_a_list_with_bops_file(run: Run, trial: Trial, pictures: Path, tmp_path: Path) -> None:
    code, out, err = run("--frames", pictures / "frames.jsonl", "--output", tmp_path / "out", "--overlays", 2,
                         "--bop-csv", tmp_path / "bop.csv")  # fmt: skip
    assert (code, err) == (0, "")
    found = rows(tmp_path / "out" / "poses.jsonl")
    assert [row["line"] for row in found] == list(range(1, 13))
    for index, row in enumerate(found):
        assert row["valid"] == bool(trial.predictions.valid[index])
        if row["valid"]:
            np.testing.assert_allclose(row["T_cam_obj"], trial.predictions.T_pred[index], atol=1e-4)
    assert len(list((tmp_path / "out" / "overlays").iterdir())) <= 2
    valid = [row for row in found if row["valid"]]
    with (tmp_path / "bop.csv").open() as stream:
        table = list(csv.DictReader(stream))
    assert len(table) == len(valid)
    for line, row in zip(table, valid, strict=True):
        assert (line["scene_id"], line["im_id"]) == ("1", str(row["image_id"]))
        t_mm = [float(value) for value in line["t"].split()]
        np.testing.assert_allclose(t_mm, 1000 * np.array(row["T_cam_obj"])[:3, 3], rtol=1e-6)
        np.testing.assert_allclose(
            [float(value) for value in line["R"].split()],
            np.array(row["T_cam_obj"])[:3, :3].ravel(),
            atol=1e-7,
        )
    assert f"wrote {tmp_path / 'out' / 'poses.jsonl'}" in out


def test_a_damaged_frame_costs_that_frame_and_the_exit_code(run: Run, pictures: Path, tmp_path: Path) -> None:
    lines = (pictures / "frames.jsonl").read_text().splitlines()
    lines[3] = lines[3].replace("3.png", "none.png")
    (pictures / "bad.jsonl").write_text("\n".join(lines) + "\n")
    code, out, _ = run("--frames", pictures / "bad.jsonl", "--overlays", 0)
    assert code == 1
    assert "line 4: cannot read" in out
    assert "1 of 12 lines have failed" in out
    found = rows(tmp_path / "poses-bad" / "poses.jsonl")
    assert [row["line"] for row in found if "error" in row] == [4]
    assert len(found) == 12


@pytest.mark.slow
def test_killed_it_goes_on_to_the_same_file(
    origin: Origin, run: Run, trial: Trial, pictures: Path, tmp_path: Path
) -> None:
    text = (pictures / "frames.jsonl").read_text()
    (pictures / "long.jsonl").write_text(text * 15)  # 180 lines
    words = [str(trial.best), "--frames", str(pictures / "long.jsonl"), "--overlays", "0", "--samples", "32"]
    file = tmp_path / "killed" / "poses.jsonl"
    process = origin.start(["-m", "epropnp.predict", *words, "--output", str(tmp_path / "killed")])
    deadline = time.monotonic() + 120
    while not (file.is_file() and len(file.read_bytes().splitlines()) > 20) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    before = len(file.read_bytes().splitlines())
    assert before > 20
    code, out, _ = run("--frames", pictures / "long.jsonl", "--overlays", 0, "--output", tmp_path / "killed")
    assert code == 0
    if before < 180:
        assert "going on behind them" in out
    found = rows(file)
    assert [row["line"] for row in found] == list(range(1, 181))
    assert [row["valid"] for row in found] == trial.predictions.valid.tolist() * 15


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give one picture by --image, or a list by --frames"),
        (["--image", "x.png"], "--image needs --camera FILE, too"),
        (["--image", "x.png", "--camera", "{K}"], "--image needs --box X,Y,W,H, too"),
        (["--frames", "{list}", "--box", "1,2,3,4"], "--box is of --image"),
        (["--frames", "none.jsonl"], "cannot read none.jsonl"),
        (["--image", "x.png", "--camera", "{K}", "--box", "1,2,3"], "--box '1,2,3': expected four numbers"),
        (
            ["--image", "x.png", "--camera", "{K}", "--box", "1,2,30,40", "--object", "cat"],
            "--image: cannot read x.png: No such file",
        ),
        (["--image", "{png}", "--camera", "{K}", "--box", "310,200"], "--box '310,200': expected four"),
        (
            ["--image", "{png}", "--camera", "{list}", "--box", "1,2,30,40"],
            "frames.jsonl is not JSON: ",
        ),
        (["--image", "{png}", "--camera", "no.json", "--box", "1,2,30,40"], "--camera: cannot read no.json"),
        (["--image", "{png}", "--camera", "{K}", "--box", "1,2,30,40"], "which of cat, eggbox"),
        (
            ["--image", "{png}", "--camera", "{K}", "--box", "1,2,30,40", "--object", "cta"],
            "did you mean 'cat'",
        ),
        (["--image", "{png}", "--camera", "{K}", "--box", ".1,.2,.3,.4", "--object", "cat"], "fractions"),
        (["--frames", "{list}", "--precision", "half"], "--precision 'half': it is float32, bf16 or fp16"),
        (["--frames", "{list}", "--samples", "-1"], "--samples is -1"),
        (["--frames", "{list}", "--hypotheses", "99"], "hypotheses: 99 is not between 1 and 8"),
        (["--frames", "{list}", "--device", "cudaa"], "device 'cudaa': there is no such device here"),
        (["--frames", "{list}", "--posterior", "--samples", "0"], "--posterior draws samples"),
        (["--frames", "{list}", "--hypothesis", "2"], "did you mean '--hypotheses'"),
    ],
)
def test_what_is_wrong_is_one_line(run: Run, pictures: Path, words: list[str], message: str) -> None:
    places = {"K": pictures / "K.json", "list": pictures / "frames.jsonl", "png": pictures / "0.png"}
    code, _, err = run(*(word.format(**places) for word in words))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1
    assert not Path("poses-x").exists()  # no folder is left for a picture that is not there


def test_half_a_checkpoint_is_one_line(trial: Trial, pictures: Path, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "half.pt").write_bytes(trial.best.read_bytes()[:5000])
    assert main([str(tmp_path / "half.pt"), "--frames", str(pictures / "frames.jsonl")]) == 2
    assert "half.pt cannot be read" in capsys.readouterr().err
    assert main([str(tmp_path / "none"), "--frames", str(pictures / "frames.jsonl")]) == 2
    assert "none is not there" in capsys.readouterr().err
