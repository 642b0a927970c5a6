"""Says what is waited for: a line that moves and goes away in a terminal, a line that stays elsewhere."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.text import Text


def is_live(console: Console) -> bool:
    """Whether lines can be replaced there."""
    return console.is_terminal and not console.is_dumb_terminal


@contextlib.contextmanager
def waiting(console: Console, text: str) -> Iterator[None]:
    """Say so until the block ends.

    Args:
        console: where to.
        text: what is done meanwhile, such as `Ray: starting`.
    """
    if is_live(console):
        with console.status(Text(text)):
            yield
    else:
        with contextlib.suppress(OSError):  # a pipe that was closed
            console.print(text, markup=False, highlight=False, soft_wrap=True)
        yield
