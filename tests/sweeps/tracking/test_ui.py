"""The MLflow UI of a working folder: who is let in, what is said, how it ends."""

import base64
import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sweeps.folder import open_sweep
from sweeps.tracking.events import PARENT
from sweeps.tracking.tracker import tracker_of
from sweeps.tracking.ui import main

EXPERIMENTS = "api/2.0/mlflow/experiments/search?max_results=9"


@pytest.fixture(scope="module")
def out(empty_database: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which a sweep has recorded something."""
    folder = empty_database(tmp_path_factory.mktemp("out"))
    sweep = open_sweep(folder / "rates")
    sweep.write()
    tracker = tracker_of(sweep)
    tracker.start(PARENT, {"recipe": "quick"})
    assert tracker.close(60.0)
    return folder


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextlib.contextmanager
def served(out: Path, port: int, *more: str) -> Iterator[str]:
    """What the program says once it serves; it is ended by SIGTERM."""
    words = [sys.executable, "-m", "sweeps", "ui", "--out", str(out), "--port", str(port), *more]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        try:
            yield program.stdout.readline() + program.stdout.readline()
        finally:
            program.send_signal(signal.SIGTERM)
            assert program.wait(timeout=30) == 0
    with pytest.raises(ConnectionRefusedError):  # nothing is left behind
        socket.create_connection(("127.0.0.1", port)).close()


def answer(port: int, path: str, password: str | None = None) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/{path}")
    if password is not None:
        word = base64.b64encode(f"admin:{password}".encode()).decode()
        request.add_header("Authorization", f"Basic {word}")
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            return found.status, found.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


@pytest.mark.slow
def test_only_the_password_that_is_printed_lets_in(out: Path, port: int) -> None:
    with served(out, port) as said:
        assert said.startswith(f"MLflow UI: http://127.0.0.1:{port}/#/experiments/1/runs?")
        password = re.fullmatch(r".*\nuser admin, password (\S{16})\n", said, re.DOTALL)
        assert password is not None
        for path in ("", EXPERIMENTS, f"ajax-{EXPERIMENTS}", "graphql"):
            assert answer(port, path)[0] == 401, path
            assert answer(port, path, "guessed")[0] == 401, path
        code, text = answer(port, EXPERIMENTS, password[1])
        assert (code, '"epropnp"' in text) == (200, True)
        for line in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                assert password[1] not in line.read_text()


@pytest.mark.slow
def test_without_a_password_it_says_what_that_means(out: Path, port: int) -> None:
    with served(out, port, "--open") as said:
        assert said.splitlines()[1].startswith(
            "no password is asked for: every user of this machine can read"
        )
        assert answer(port, EXPERIMENTS)[0] == 200


def test_a_port_that_is_taken_is_one_line(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["--out", str(out), "--port", str(port)]) == 2
    error = capsys.readouterr().err
    assert re.fullmatch(
        rf"error: port {port} cannot be used .*in use\): give another one by --port \(make: UI_PORT=\S+\)\n",
        error,
    )


def test_a_folder_without_runs_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--out", str(tmp_path)]) == 2
    assert f"error: no runs are recorded in {tmp_path / 'mlflow.db'} yet: " in capsys.readouterr().err
    assert os.listdir(tmp_path) == []
