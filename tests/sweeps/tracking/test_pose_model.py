"""Networks as models of MLflow: loaded, by the command line and served they answer as `epropnp.predict`."""

import base64
import contextlib
import importlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import mlflow
import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from mlflow.cli import cli
from mlflow.exceptions import MlflowException

from epropnp.predict import main as predict
from sweeps.tracking.pose_model import LIBRARIES, ROW, requirements, save_pose_model
from tests.inference.untrained import write_untrained

ROOT = Path(__file__).parents[3]
K = [60.0, 0, 31.5, 0, 60, 23.5, 0, 0, 1]
BOXES: list[list[float]] = [[10, 8, 30, 30], [20.5, 6, 25, 30]]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a network, its model, a picture with its camera, and what `epropnp.predict` says of it."""
    folder = tmp_path_factory.mktemp("model")
    network = write_untrained(folder / "best.pt")
    save_pose_model(network, folder / "model")
    picture = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8), (0, 0), 2)
    cv2.imwrite(str(folder / "a.png"), picture)
    (folder / "K.json").write_text(json.dumps(K))
    boxes = [",".join(map(str, box)) for box in BOXES]
    words = ["--image", str(folder / "a.png"), "--camera", str(folder / "K.json"), "--box", *boxes]
    assert predict([str(network), *words, "--output", str(folder / "out"), "--overlays", "0"]) == 0
    return folder


def asked(place: Path, **more: Any) -> dict[str, Any]:
    image = base64.b64encode((place / "a.png").read_bytes()).decode()
    return {"image": image, "K": K, "box": BOXES, "object": "hook", **more}


def check(place: Path, found: list[dict[str, Any]]) -> None:
    """That these are the rows of the command line."""
    expected = [json.loads(line) for line in (place / "out" / "poses.jsonl").read_text().splitlines()]
    assert [(row["request"], row["box"], row["of"]) for row in found] == [(1, 1, 2), (1, 2, 2)]
    for row, wanted in zip(found, expected, strict=True):
        assert row.keys() - {"request"} == wanted.keys() - {"line", "image"}
        assert set(row) <= set(ROW)
        for name in ("object", "object_id", "given_box", "valid", "equal_poses"):
            assert row[name] == wanted[name]
        for T, other in zip(row["hypotheses"], wanted["hypotheses"], strict=True):
            np.testing.assert_allclose(T["T_cam_obj"], other["T_cam_obj"], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(row["cost"], wanted["cost"], rtol=1e-4)


@pytest.mark.slow
def test_loaded_it_answers_as_the_command_line(place: Path) -> None:
    pandas: Any = importlib.import_module("pandas")  # which has no types here
    model = mlflow.pyfunc.load_model(str(place / "model"))
    check(place, model.predict([asked(place)]))
    check(place, model.predict(pandas.DataFrame([asked(place)])))
    both = model.predict(
        pandas.DataFrame([asked(place), {k: v for k, v in asked(place).items() if k != "object"}])
    )
    assert [row["request"] for row in both] == [1, 1, 2, 2]
    with pytest.raises(MlflowException, match=r"^request 1: has no key 'K'$") as caught:
        model.predict([asked(place, K=None)])
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"


@pytest.mark.slow
def test_the_model_holds_code_and_network_and_nothing_pickled(place: Path) -> None:
    about = yaml.safe_load((place / "model" / "MLmodel").read_text())
    function = about["flavors"]["python_function"]
    assert "python_model" not in function
    assert function["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    assert about["metadata"] == {"boxes": "whole", "dataset_id": "0123456789ab", "objects": {"3": "hook"}}
    names = [column["name"] for column in json.loads(about["signature"]["inputs"])]
    assert names == ["image", "K", "box", "object"]
    files = [
        file for file in (place / "model").rglob("*") if file.is_file() and "__pycache__" not in file.parts
    ]
    assert {file.suffix for file in files} <= {".py", ".pt", ".json", ".yaml", ".txt", ""}
    assert (place / "model" / "code" / "epropnp" / "pnp" / "__init__.py").is_file()
    assert (place / "model" / "artifacts" / "best.pt").read_bytes() == (place / "best.pt").read_bytes()


@pytest.mark.slow
def test_the_example_is_answered(place: Path) -> None:
    model = mlflow.pyfunc.load_model(str(place / "model"))
    (row,) = model.predict(model.input_example)
    assert row["object"] == "hook"


def test_requirements_are_those_of_the_library_in_versions_that_an_index_knows() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {"mlflow", *(re.split(r"[<>=!~ ;]", line)[0] for line in project["dependencies"])} == set(
        LIBRARIES
    )
    assert len(requirements()) == len(LIBRARIES)
    assert all(re.fullmatch(r"[a-z-]+==[0-9.]+", line) for line in requirements())


def test_local_parts_of_versions_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.tracking.pose_model.metadata.version", lambda name: "2.14.1+cu130")
    assert requirements()[1] == "torch==2.14.1"


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[str]:
    """The address of `mlflow models serve`, where the project's own folder is unknown."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["models", "serve", "-m", str(place / "model"), "-h", "127.0.0.1", "-p", str(port)]
    with (place / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *words, "--env-manager", "local"],
            cwd=place,
            env=_alone(),
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        end_s = time.monotonic() + 240
        while True:
            assert process.poll() is None, (place / "serve.log").read_text()
            assert time.monotonic() < end_s, (place / "serve.log").read_text()
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/ping", timeout=5):
                break
            time.sleep(0.2)
        yield address
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def _alone() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    return kept | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": path}  # it starts uvicorn by its name


def sent(address: str, body: Any) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/invocations", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["dataframe_records", "inputs", "instances"])
def test_served_it_answers_as_the_command_line(place: Path, server: str, form: str) -> None:
    status, found = sent(server, {form: [asked(place)]})
    assert status == 200, found
    check(place, found["predictions"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"image": "a.png"}, "image: expected the content of a picture's file as text in base64"),
        (
            {"image": base64.b64encode(b"text").decode()},
            "image is not a readable picture, or not a whole one",
        ),
        ({"image": None}, "has no key 'image'"),
        ({"K": [1, 2, 3]}, "K: the camera needs 9 numbers under 'K'"),
        ({"K": None}, "has no key 'K'"),
        (
            {"box": [[1, 2, 3]]},
            "box: expected four numbers x, y, w, h in pixels for each object, got [[1, 2, 3]]",
        ),
        ({"box": "all"}, "box: expected four numbers x, y, w, h in pixels, or a list of such"),
        ({"object": "cow"}, "objects: the network does not know 'cow'"),
    ],
)
def test_served_it_refuses_what_is_wrong_in_one_line(
    place: Path, server: str, wrong: dict[str, Any], line: str
) -> None:
    body = {name: value for name, value in asked(place, **wrong).items() if value is not None}
    status, found = sent(server, {"dataframe_records": [asked(place), body]})
    assert (status, found["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert found["message"] == f"request 2: {line}"


@pytest.mark.slow
def test_served_it_refuses_what_is_no_request(server: str) -> None:
    bodies: list[Any] = [b"{", [], {"dataframe_records": []}, {"inputs": [3]}, {"dataframe_records": [3]}]
    for body in bodies:
        status, found = sent(server, body)
        assert status == 400, found
    assert sent(server, {"dataframe_records": []})[1]["message"].startswith("there is no request")


@pytest.mark.slow
def test_the_command_of_mlflow_answers_as_the_command_line(place: Path) -> None:
    (place / "asked.json").write_text(json.dumps({"dataframe_records": [asked(place)]}))
    words = ["models", "predict", "-m", str(place / "model"), "-i", str(place / "asked.json")]
    words += ["-o", str(place / "answer.json"), "--env-manager", "local"]
    run = CliRunner().invoke(cli, words)  # in a process of its own, the server above loads it
    assert run.exit_code == 0, run.output
    check(place, json.loads((place / "answer.json").read_text())["predictions"])
