"""A source of weights that does not answer is noticed soon; what the cache holds is taken all the same."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import timm
import torch
from huggingface_hub import constants
from safetensors.torch import save_file
from torch import Tensor

from epropnp.errors import UserError
from epropnp.models import hub
from epropnp.models.pretrained import create_pretrained

ADDRESS = "https://example.org"
FILE = "gcvit_tiny"  # its weights are one file of an address, not the hub's


@pytest.fixture(autouse=True)
def _empty_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch" / "hub"))


def client(monkeypatch: pytest.MonkeyPatch, head: Callable[..., object]) -> None:
    monkeypatch.setattr(hub, "get_session", lambda: SimpleNamespace(head=head))


@pytest.mark.parametrize(
    ("status", "answer"), [(200, True), (307, True), (401, True), (404, True), (500, False), (503, False)]
)
def test_any_answer_but_a_servers_error_is_one(
    status: int, answer: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, float]] = []

    def head(address: str, timeout: float) -> object:
        asked.append((address, timeout))
        return SimpleNamespace(status_code=status)

    client(monkeypatch, head)
    assert hub.answers(ADDRESS) == answer
    assert asked == [(ADDRESS, 4.0)]


def test_a_request_that_fails_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def head(address: str, timeout: float) -> object:
        raise RuntimeError("no route")

    client(monkeypatch, head)
    assert not hub.answers(ADDRESS)


def test_nobody_waits_longer_than_the_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The look-up of a name may hang, whatever timeout the client is given."""
    release = threading.Event()
    client(monkeypatch, lambda *_, **__: release.wait(60))
    monkeypatch.setattr(hub, "PATIENCE_S", 0.1)
    start = time.monotonic()
    assert not hub.answers(ADDRESS)
    assert time.monotonic() - start < 5
    release.set()


@pytest.mark.parametrize("name", ["test_resnet", FILE])
@pytest.mark.parametrize(
    ("offline", "reason"),
    [
        (True, "HF_HUB_OFFLINE is set, and the cache does not hold them"),
        (False, "their source does not answer, and the cache does not hold them"),
    ],
)
def test_without_network_the_way_out_is_one_line(
    name: str, offline: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(hub, "answers", lambda address: False)
    with pytest.raises(UserError) as error:
        create_pretrained(name, None)
    assert str(error.value) == (
        f"pretrained weights of '{name}' cannot be had ({reason}); fetch them with `prepare.py weights "
        f"{name}` on a machine with network and share its cache, name a state dict in model.weights_file, or "
        "train from scratch with --pretrained no"
    )
    assert offline == constants.HF_HUB_OFFLINE  # as before


def random_state(name: str) -> dict[str, Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        state: dict[str, Tensor] = timm.create_model(name).state_dict()
    return state


def test_the_cache_of_the_hub_serves_where_the_hub_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "answers", lambda address: False)
    known: Any = timm.get_pretrained_cfg("test_resnet")
    repository, _, revision = known.hf_hub_id.partition("@")
    folder = tmp_path / "hub" / f"models--{repository.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / (revision or "main")).write_text("0" * 40)
    snapshot = folder / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    state = random_state("test_resnet")
    save_file(state, snapshot / "model.safetensors")
    found = create_pretrained("test_resnet", None).state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    assert hub.caches(["test_resnet"]) == [f"HF_HUB_CACHE={tmp_path / 'hub'}"]


def test_a_file_that_was_fetched_serves_where_its_address_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(hub, "answers", lambda address: bool(asked.append(address)))
    known: Any = timm.get_pretrained_cfg(FILE)
    address = known.url
    file = tmp_path / "torch/hub/checkpoints" / address.rpartition("/")[2]
    file.parent.mkdir(parents=True)
    state = random_state(FILE)
    torch.save(state, file)
    found = create_pretrained(FILE, None).state_dict()
    assert all(torch.equal(found[key], value) for key, value in state.items())
    assert asked == [address]
    both = [f"HF_HUB_CACHE={tmp_path / 'hub'}", f"TORCH_HOME={tmp_path / 'torch'}"]
    assert hub.caches([FILE, "test_resnet"]) == both


@pytest.mark.slow
def test_an_unreachable_proxy_is_said_within_seconds(tmp_path: Path) -> None:
    code = (
        "import time\n"
        "from epropnp.errors import UserError\n"
        "from epropnp.models.pretrained import create_pretrained\n"
        "start = time.monotonic()\n"
        "try: create_pretrained('test_resnet', None)\n"
        "except UserError as error: print(error)\n"
        "print(time.monotonic() - start)\n"
    )
    proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "ALL_PROXY"), "http://127.0.0.1:1")
    settings = proxies | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0", "NO_PROXY": "", "no_proxy": ""}
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | settings, capture_output=True, text=True, check=True
    )
    message, seconds = run.stdout.splitlines()
    assert "(their source does not answer, and the cache does not hold them); fetch them with" in message
    assert run.stderr == ""
    assert float(seconds) < 10
