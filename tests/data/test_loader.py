"""A process that makes batches, where the trainer that it hands them to is gone."""

import subprocess
import sys

SHARED = """
import multiprocessing.resource_sharer, os, sys
from multiprocessing.connection import Client
from multiprocessing.process import current_process
from epropnp.data import loader

loader.end_with_parent = lambda: None
if sys.argv[1] == "loader":
    loader._loader_started(0)
for _ in range(20):  # asked for a batch's memory, and hung up on before it is handed over
    reader, _ = os.pipe()
    address, key = multiprocessing.resource_sharer.DupFd(reader)._id
    with Client(address, authkey=current_process().authkey) as trainer:
        trainer.send((key, os.getpid()))
multiprocessing.resource_sharer.stop(timeout=10)
raise ValueError("a bug of ours")
"""


def said(who: str) -> str:
    done = subprocess.run([sys.executable, "-c", SHARED, who], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    return done.stderr


def test_it_is_silent_of_a_trainer_that_hung_up_and_of_nothing_else() -> None:
    assert "BrokenPipeError" in said("any other process")
    told = said("loader")
    assert "BrokenPipeError" not in told
    assert told.endswith("ValueError: a bug of ours\n")
