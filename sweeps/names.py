"""Names of folders, of an alphabet that every shell and file system takes as it is, and of bounded length."""

import re

LONGEST = 100  # characters
SAFE = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST - 1}}}")


def is_safe(name: str) -> bool:
    """Whether a folder may be called so."""
    return SAFE.fullmatch(name) is not None


def safe_name(text: str, end: str = "") -> str:
    """A folder's name for any text: what is not safe becomes `_`, or goes where it stands in front.

    Args:
        text: is cut to fit.
        end: stays whole; of safe characters.
    """
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip("._-") or "x"
    return readable[: LONGEST - len(end)] + end
