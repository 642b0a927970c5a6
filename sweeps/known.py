"""Results that other sweeps of a working folder have already: they are linked, not trained again."""

import contextlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from epropnp.errors import UserError
from epropnp.files import share_file
from epropnp.models.config import BEST
from epropnp.training.record import STATUS_FILE
from sweeps.folder import Sweep
from sweeps.results.pictures import CALIBRATION_FILE, PICTURE_FILE
from sweeps.search.search import Planned
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE, VALIDATION_FILE, read_note

# The result comes last: until it is there, a trial is not finished.
PREDICTED = (VALIDATION_FILE, PREDICTIONS_FILE, PICTURE_FILE, CALIBRATION_FILE)
LINKED = (STATUS_FILE, *PREDICTED, BEST, RESULT_FILE)


class KnownResults:
    """Finished trials of the other sweeps beside one, by what was trained on what.

    Args:
        sweep: whose trials may be known.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep = sweep

    def folder(self, trial: Planned) -> Path:
        """Of a trial of the sweep."""
        return self._sweep.trial_folder(trial.name)

    def link(self, trial: Planned) -> bool:
        """Give a trial that has not begun the files of one that is the same; whether there is one.

        UserError where they cannot be written.
        """
        folder = self.folder(trial)
        source = self._folders.get(trial.hash)
        if folder.exists() or source is None:
            return False
        self._sweep.prepare(trial, known=f"{source.parent.parent.name}/{source.name}")
        for name in LINKED:
            if (source / name).is_file():
                share_file(source / name, folder / name)
        return (folder / RESULT_FILE).is_file()

    @cached_property
    def _folders(self) -> dict[str, Path]:
        """By the hash of a trial, the folder of one that has finished as trials do today."""
        found: dict[str, Path] = {}
        for folder in self._sweep.results_beside():
            with contextlib.suppress(UserError, OSError):  # a damaged one is not known
                if (digits := read_note(folder).hash) is not None:
                    found[digits] = folder
        return found


def told(linked: Sequence[Planned]) -> str:
    """What there is to say of trials that were linked."""
    return f"{len(linked)} trials are known from other sweeps: linked, not trained (--known no trains them)"
