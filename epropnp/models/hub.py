"""Whether what offers a backbone's ImageNet weights answers: asked once and briefly, before a download.

huggingface_hub itself asks six times for each of several files, with pauses of 23 s in all, and a name that
nobody looks up blocks for longer. A trial on a machine without network should take what the cache holds, or
say at once that it cannot.
"""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import timm
import torch
from huggingface_hub import constants
from huggingface_hub.utils import get_session

PATIENCE_S = 4.0  # with the start of a program, an answer comes within 10 s
SERVER_ERROR = 500  # such answers and worse huggingface_hub waits for, too, as a proxy gives them


def silence(name: str) -> str:
    """Why no weights of a timm model can be downloaded now; empty where their source answers, or is none."""
    address = constants.ENDPOINT if _on_hub(name) else _file_address(name)
    if not address:
        return ""
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set, and the cache does not hold them"
    return "" if answers(address) else "their source does not answer, and the cache does not hold them"


def answers(address: str) -> bool:
    """Whether anybody answers at an address, by the proxies that the environment names."""
    statuses: list[int] = []

    def ask() -> None:
        with contextlib.suppress(Exception):  # of the client's own kinds: no name, no route, no proxy
            statuses.append(get_session().head(address, timeout=PATIENCE_S).status_code)

    asking = threading.Thread(target=ask, daemon=True)  # the client's timeout is not of the look-up of names
    asking.start()
    asking.join(PATIENCE_S)
    return any(status < SERVER_ERROR for status in statuses)


@contextlib.contextmanager
def cache_alone(name: str) -> Iterator[None]:
    """Within, weights of a timm model come from the cache. FileNotFoundError where it does not hold them."""
    if address := _file_address(name):
        file = Path(torch.hub.get_dir(), "checkpoints", Path(urlsplit(address).path).name)
        if not file.is_file():
            raise FileNotFoundError(file)
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def caches(names: Sequence[str]) -> list[str]:
    """Where weights of these timm models are kept, each by the setting that names it on another machine."""
    found = [f"HF_HUB_CACHE={constants.HF_HUB_CACHE}"] if any(map(_on_hub, names)) else []
    if any(map(_file_address, names)):
        found.append(f"TORCH_HOME={Path(torch.hub.get_dir()).parent}")
    return found


def _on_hub(name: str) -> bool:
    config = timm.get_pretrained_cfg(name)
    return bool(config and config.hf_hub_id)


def _file_address(name: str) -> str:
    """Of the file of weights that a few older models have instead; empty where there is none."""
    config = timm.get_pretrained_cfg(name)
    return config.url if config and isinstance(config.url, str) and not config.hf_hub_id else ""
