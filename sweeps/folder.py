"""A sweep's name, identity and folder: made anew, or found again to be resumed."""

import json
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epropnp.errors import UserError
from epropnp.files import replaced
from sweeps.flags import SweepConfig

if TYPE_CHECKING:
    from sweeps.space import PlannedTrial

SWEEP_FILE = "sweep.json"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep's identity and its folder."""

    name: str
    sweep_id: str
    folder: Path

    def trial_folder(self, trial: str) -> Path:
        """Where one trial keeps its checkpoint, result and predictions."""
        return self.folder / "trials" / trial


def find_sweep(config: SweepConfig, recipe: str) -> Sweep:
    """Name a new sweep, or find the one to resume; nothing is written yet.

    Raises:
        UserError: the name is taken, or there is nothing to resume.
    """
    out = config.out.resolve()
    if not config.resume:
        name = config.name or f"{recipe}-{time.strftime('%Y%m%d-%H%M%S')}"
        if (out / name).exists():
            raise UserError(
                f"--name: {out / name} exists; add --resume to go on with it, or choose another name"
            )
        return Sweep(name=name, sweep_id=uuid.uuid4().hex, folder=out / name)
    folder, note = _newest(config)
    return Sweep(name=folder.name, sweep_id=note["sweep_id"], folder=folder)


def started_with(config: SweepConfig) -> list[str]:
    """The words of the command line that started the sweep to resume. UserError where there is none."""
    return [str(word) for word in _newest(config)[1]["arguments"] if word != "--resume"]


def create_folders(
    sweep: Sweep, trials: Sequence["PlannedTrial"], dataset_id: str, words: Sequence[str]
) -> None:
    """Create the folders of a sweep and its trials; a resumed one becomes the newest.

    Args:
        sweep: its name and place.
        trials: that it consists of.
        dataset_id: that they are trained on.
        words: of the command line, for `started_with`.

    Raises:
        UserError: they cannot be written, or hold trials of other settings.
    """
    from sweeps.trial import prepare_folder

    note = {"sweep_id": sweep.sweep_id, "name": sweep.name, "arguments": list(words)}
    try:
        for trial in trials:
            prepare_folder(sweep.trial_folder(trial.name), trial.config, dataset_id)
        with replaced(sweep.folder / SWEEP_FILE) as file:
            file.write_text(json.dumps(note, indent=1))
    except OSError as error:
        raise UserError(f"--out: {sweep.folder} cannot be written ({error.strerror})") from error


def _newest(config: SweepConfig) -> tuple[Path, dict[str, Any]]:
    """Folder and note of the sweep to resume. UserError where there is none, or its note is damaged."""
    out = config.out.resolve()
    found = sorted(out.glob(f"{config.name or '*'}/{SWEEP_FILE}"), key=_modified)
    if not found:
        what = f"sweep '{config.name}'" if config.name else "sweep"
        raise UserError(f"--resume: no {what} in {out}; start one without --resume")
    file = found[-1]
    try:
        note = json.loads(file.read_text())
        if not (isinstance(note["sweep_id"], str) and isinstance(note["arguments"], list)):
            raise TypeError("its entries are of other kinds")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--resume: {file} is damaged ({error}); resume another sweep with --name, or remove this one"
        ) from error
    return file.parent, note


def _modified(file: Path) -> float:
    return file.stat().st_mtime
