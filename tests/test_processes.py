"""Helper processes: they hear no signal of a group, and end with the process that started them."""

import signal
import subprocess
import sys
from pathlib import Path

from epropnp.processes import ENDING, born_deaf
from tests.process_groups import left_after, members

CHILD = "import signal, sys; print(sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ()))))"
PARENT = """
import multiprocessing, time
from epropnp.processes import end_with_parent

def helper():
    end_with_parent()
    print("started", flush=True)
    time.sleep(600)

if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=helper, daemon=True).start()
    time.sleep(600)
"""


def test_what_is_started_meanwhile_is_deaf_and_this_process_is_not() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert not before & set(ENDING)
    with born_deaf():
        said = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    assert said.stdout.strip() == "[1, 2, 15]"  # SIGHUP, SIGINT, SIGTERM


def test_a_helper_ends_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    parent = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "started\n"
    assert len(members(parent.pid)) == 3  # with multiprocessing's resource tracker
    parent.kill()
    parent.wait(30)
    assert left_after(parent.pid, 5) == []
