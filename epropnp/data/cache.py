"""Where this node's cache lies."""

import os
from pathlib import Path

CACHE_VARIABLE = "EPROPNP_CACHE"


def cache_dir() -> Path:
    """`$EPROPNP_CACHE`, or `~/.cache/epropnp`; it need not exist yet."""
    return Path(os.environ.get(CACHE_VARIABLE) or Path.home() / ".cache" / "epropnp")
