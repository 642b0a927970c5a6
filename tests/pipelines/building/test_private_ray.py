"""A Ray that nobody else can use: its token, its folder, its second start."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from epropnp.errors import UserError
from pipelines.building import private_ray as module
from pipelines.building.private_ray import private_ray, set_private_environment

KNOCK = """if True:
    import sys
    from ray._raylet import GcsClient
    try:
        client = GcsClient(address=sys.argv[1], cluster_id=None)
        print("in", len(client.get_all_node_info(timeout=10)))
    except Exception as error:
        print(type(error).__name__)
"""


def test_the_environment_keeps_others_out_whatever_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"RAY_AUTH_MODE": "disabled", "RAY_AUTH_TOKEN": "known", "RAY_AUTH_TOKEN_PATH": "/known"}
    environment |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "1", "RAY_raylet_start_wait_time_s": "7"}
    monkeypatch.setattr(module.os, "environ", environment)
    set_private_environment()
    token = environment.pop("RAY_AUTH_TOKEN")
    assert len(set(token)) > 8
    assert len(token) == 64
    assert environment == {
        "RAY_AUTH_MODE": "token",
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # loopback
        "RAY_gcs_server_port_wait_time_s": "90",
        "RAY_raylet_start_wait_time_s": "7",  # that one is the user's
    }


def test_each_process_has_another_token() -> None:
    program = "from pipelines.building.private_ray import _token; print(_token())"
    tokens = {subprocess.check_output([sys.executable, "-c", program]) for _ in range(2)}
    assert len(tokens) == 2


class Started:
    """Stands in for Ray, which starts after some failures."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failures: int = 0) -> None:
        self.failures, self.calls = failures, list[Any]()
        monkeypatch.setattr(ray, "init", self.init)
        monkeypatch.setattr(ray, "shutdown", lambda: self.calls.append("shutdown"))

    def init(self, address: str, **options: Any) -> None:
        self.calls.append((address, options))
        if len([call for call in self.calls if call != "shutdown"]) <= self.failures:
            raise Exception("The current node timed out during startup.\nAnd more.")  # Ray raises just that


def test_all_cores_and_an_own_folder_that_is_gone_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch)
    monkeypatch.setattr(module, "local_cores", lambda: 5)
    with private_ray(runtime_env={"a": 1}):
        (address, options), *_ = started.calls
        folder = Path(options.pop("_temp_dir"))
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700  # Ray opens its own folder to all
        folder.mkdir()
    assert address == "local"
    assert options == {
        "num_cpus": 5,
        "include_dashboard": False,
        "object_store_memory": 100 * 2**20,
        "log_to_driver": False,
        "logging_level": 40,
        "runtime_env": {"a": 1},
    }
    assert started.calls[1:] == ["shutdown"]
    assert not folder.parent.exists()


def test_its_sockets_have_short_paths_wherever_temporary_files_go(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    longer = tmp_path / ("x" * 60) / ("y" * 60)
    longer.mkdir(parents=True)
    for usual, kept in ((str(longer), False), ("/var/tmp", True)):
        monkeypatch.setattr(tempfile, "tempdir", usual)
        started = Started(monkeypatch)
        with private_ray():
            folder = started.calls[0][1]["_temp_dir"]
        assert len(folder) <= 40
        assert folder.startswith(usual) == kept


LEFT = """if True:
    import sys
    from epropnp.claims import claimed
    from pipelines.building import private_ray
    private_ray._short_folder = lambda: sys.argv[1]
    folder = private_ray.new_folder()
    with claimed(folder):
        (folder / "s").mkdir()
        print(folder, flush=True)
        sys.stdin.read()
"""


def test_what_a_killed_process_left_goes_with_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch system kills all of a job at once; what still runs, or was kept to be looked at, stays."""
    monkeypatch.setattr(module, "_short_folder", lambda: str(tmp_path))
    kept = module.new_folder()
    with subprocess.Popen(
        [sys.executable, "-c", LEFT, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        left = Path(process.stdout.readline().strip())
        one = module.new_folder()
        assert left.is_dir()  # its process lives
        process.kill()
    other = module.new_folder()
    assert set(tmp_path.iterdir()) == {kept, one, other}


def test_a_start_that_failed_is_repeated_once_with_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started = Started(monkeypatch, failures=1)
    with private_ray():
        started.calls.append("work")
    (first, *_), before, (again, *_), *rest = started.calls
    assert (first, before, again, rest) == ("local", "shutdown", "local", ["work", "shutdown"])
    assert caplog.messages == ["Ray did not start (The current node timed out during startup.): trying again"]


def test_one_that_fails_twice_is_an_error_that_says_where_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    started = Started(monkeypatch, failures=2)
    words = r"did not start .*timed out.*\): perhaps it is too busy"
    with pytest.raises(UserError, match=words) as error, private_ray():
        started.calls.append("work")
    assert "work" not in started.calls
    folder = Path(str(error.value).rpartition(" ")[2])
    assert folder.is_dir()
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Of a real one."""
    set_private_environment()
    with private_ray():
        yield ray.get_runtime_context().gcs_address


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize(
    ("own", "answer"),
    [
        ({}, "AuthenticationError"),
        ({"RAY_AUTH_MODE": "disabled"}, "AuthenticationError"),
        ({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64}, "AuthenticationError"),
        (None, "in 1"),
    ],
    ids=["nothing", "disabled", "another token", "the token"],
)
def test_who_has_not_its_token_is_not_let_in(address: str, own: dict[str, str] | None, answer: str) -> None:
    assert address.startswith("127.0.0.1:")
    bare = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment = dict(os.environ) if own is None else bare | own
    done = subprocess.run(
        [sys.executable, "-c", KNOCK, address], env=environment, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == answer, done.stderr


@pytest.mark.slow
@pytest.mark.ray
def test_its_token_stands_on_no_command_line(address: str) -> None:
    for line in _command_lines():
        assert os.environ["RAY_AUTH_TOKEN"] not in line


@pytest.mark.slow
@pytest.mark.ray
def test_it_has_no_servers_of_which_nobody_hears(address: str) -> None:
    """A dashboard that is off, an autoscaler of no cluster, a monitor of logs that nobody is shown."""
    programs = {Path(word).name for line in _command_lines() if address in line for word in line.split()}
    assert programs >= {"raylet", "agent.py"}
    assert not programs & {"dashboard.py", "monitor.py", "log_monitor.py"}


def _command_lines() -> Iterator[str]:
    """Of all processes."""
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it has ended
            yield file.read_bytes().decode(errors="replace").replace("\0", " ")


ROOT = Path(__file__).parents[3]
OF_ANOTHER = """if True:
    from pipelines.building.private_ray import private_ray, set_private_environment
    set_private_environment()
    import os, ray
    with private_ray():
        print(ray.get(ray.remote(lambda: os.getuid()).remote()))
"""


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.skipif(os.getuid() != 0 or shutil.which("setpriv") is None, reason="needs root and setpriv")
def test_another_user_has_a_ray_beside_it_and_is_not_let_into_this_one(address: str) -> None:
    """One without a name and a home; it may read all files, for those of this Python are root's here."""
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    other = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", *reads, sys.executable]
    bare = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    bare |= {"PYTHONDONTWRITEBYTECODE": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    for program, answer in ((OF_ANOTHER, "54321"), (KNOCK, "AuthenticationError")):
        done = subprocess.run(
            [*other, "-c", program, address], env=bare, cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.stdout.split()[-1:] == [answer], done.stderr
