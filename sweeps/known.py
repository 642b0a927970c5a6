"""Results that other sweeps of a working folder have already: they are linked, not trained again."""

import contextlib
import shutil
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from epropnp.errors import UserError
from epropnp.evaluation.error_file import SUFFIX
from epropnp.files import share_file
from epropnp.inference.latency import LATENCY_FILE
from epropnp.models.config import BEST
from epropnp.training.frame_files import ANIMATION, POSTER
from epropnp.training.log import LOG_FILE
from epropnp.training.record import STATUS_FILE
from epropnp.visualization.tested import CALIBRATION_FILE, PICTURE_FILE
from sweeps.folder import Sweep
from sweeps.search.search import Planned
from sweeps.trial import PREDICTIONS_FILE, RESULT_FILE, VALIDATION_FILE, read_note

PREDICTED = (VALIDATION_FILE, PREDICTIONS_FILE)
ERRORS = tuple(str(Path(name).with_suffix(SUFFIX)) for name in PREDICTED)
PICTURES = (PICTURE_FILE, CALIBRATION_FILE, ANIMATION, POSTER)
LINKED = (STATUS_FILE, LOG_FILE, *PREDICTED, *ERRORS, *PICTURES, BEST, LATENCY_FILE, RESULT_FILE)
UNFINISHED = "linking"  # in a sweep's folder: the trial that is being linked, until it is whole


class KnownResults:
    """Finished trials of the other sweeps beside one, by what was trained on what.

    Args:
        sweep: whose trials may be known.
    """

    def __init__(self, sweep: Sweep) -> None:
        self._sweep, self._work = sweep, sweep.folder / UNFINISHED
        self._clear()  # of a process that was killed

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
        try:
            self._sweep.note(trial, self._work, known=f"{source.parent.parent.name}/{source.name}")
            for name in LINKED:
                if (source / name).is_file():
                    share_file(source / name, self._work / name)
            found = (self._work / RESULT_FILE).is_file()
            if found:
                folder.parent.mkdir(exist_ok=True)
                self._work.rename(folder)
            return found
        except OSError as error:
            why = f"{folder} cannot be linked to {source}: {error}"
            raise UserError(f"{why}; free some space, or train it: --known no") from error
        finally:
            self._clear()

    def _clear(self) -> None:
        shutil.rmtree(self._work, ignore_errors=True)

    @cached_property
    def _folders(self) -> dict[str, Path]:
        return finished_beside(self._sweep)


def finished_beside(sweep: Sweep) -> dict[str, Path]:
    """By the hash of a trial, the folder of one of another sweep that has finished as trials do today."""
    found: dict[str, Path] = {}
    for folder in sweep.results_beside():
        with contextlib.suppress(UserError, OSError):  # a damaged one is not known
            if (digits := read_note(folder).hash) is not None:
                found[digits] = folder
    return found


def told(linked: Sequence[Planned]) -> str:
    """What there is to say of trials that were linked."""
    return f"{len(linked)} trials are known from other sweeps: linked, not trained (--known no trains them)"
