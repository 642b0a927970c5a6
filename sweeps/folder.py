"""A sweep's folder: its identity, the command lines that it grew by, and the folders of its trials."""

import dataclasses
import json
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epropnp.credentials import without_credentials
from epropnp.errors import UserError
from epropnp.files import private_folder, replaced
from epropnp.training.config import TrialConfig
from epropnp.training.halt import STOP_FILE
from epropnp.training.identity import trial_hash
from epropnp.training.record import CONFIG_FILE, config_note, write_config
from sweeps.build_settings import Build
from sweeps.search.search import Planned
from sweeps.space import Cell
from sweeps.trial import Note, Trial, read, read_note

SWEEP_FILE = "sweep.json"
NAME_CHARACTERS = 100  # of a trial's folder, at most
HASH_DIGITS = 6
NOT_AGAIN = ("--resume", "--resume-or-start", "--dry-run")  # flags of one call


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep's identity and its folder.

    Attributes:
        folder: named after the sweep.
        sweep_id: never used by another sweep.
        commands: the words of the command lines that it was started, and gone on, with.
    """

    folder: Path
    sweep_id: str
    commands: Sequence[Sequence[str]] = ()

    @property
    def name(self) -> str:
        """Of the sweep."""
        return self.folder.name

    @property
    def stop_file(self) -> Path:
        """While there is such a file, trials are interrupted after the running update."""
        return self.folder / STOP_FILE

    def trial_folder(self, trial: str) -> Path:
        """Where one trial keeps its checkpoint, result and predictions."""
        return self.folder / "trials" / trial

    def trials(self) -> Iterator[Trial]:
        """All that were begun, as their folders tell. UserError where one is damaged."""
        return (read(folder) for folder in self._folders())

    def planned(self, cells: Sequence[Cell], dataset_id: str | Mapping[Build, str]) -> list[Planned]:
        """The cells as trials of this sweep, each once: one that was begun before keeps its name.

        Args:
            cells: what to train.
            dataset_id: on what; where cells differ in the settings of their data, by these.

        Raises:
            UserError: a trial was begun on another dataset, or its note is damaged.
        """
        ids = {cell.build: dataset_id for cell in cells} if isinstance(dataset_id, str) else dataset_id
        notes = {folder.name: read_note(folder) for folder in self._folders()}
        for name, note in notes.items():
            if note.dataset_id not in ids.values():
                now = " or ".join(dict.fromkeys(ids.values()))
                raise UserError(
                    f"{self.trial_folder(name)}: this trial was started with dataset {note.dataset_id}, and "
                    f"now it is {now}; give the same flags to resume it, or start a new sweep with "
                    "another --name"
                )
        found: dict[str, Planned] = {}
        for cell in cells:
            own = ids[cell.build]
            name = _named(notes, cell.config, own)
            trial = Planned(name=name, config=cell.config, dataset_id=own, case=cell.case, build=cell.build)
            found.setdefault(name, trial)  # other settings may have made the same data
        return list(found.values())

    def prepare(self, trial: Planned) -> Path:
        """Make a trial's folder, which says what is trained in it. UserError where it cannot be written."""
        folder = self.trial_folder(trial.name)
        if not (folder / CONFIG_FILE).is_file():
            built = {"build": list(trial.build)} if trial.build else {}
            write_config(folder, config_note(trial.config, trial.dataset_id) | built)
        return folder

    def write(self) -> None:
        """Note identity and command lines; the sweep is the newest now. UserError where that fails.

        The folder, if it is made here, is for its owner alone.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be made ({error.strerror}): see --out") from error
        note = {"sweep_id": self.sweep_id, "name": self.name, "commands": [list(c) for c in self.commands]}
        with replaced(self.folder / SWEEP_FILE) as file:
            file.write_text(json.dumps(note, indent=1))

    def with_command(self, words: Sequence[str]) -> "Sweep":
        """The same, grown by one command line, if it is not one of those that are known."""
        told = tuple(without_credentials(word) for word in words if word not in NOT_AGAIN)
        known = not told or told in map(tuple, self.commands)
        return self if known else dataclasses.replace(self, commands=(*self.commands, told))

    def _folders(self) -> list[Path]:
        return sorted(file.parent for file in (self.folder / "trials").glob(f"*/{CONFIG_FILE}"))


def open_sweep(folder: Path) -> Sweep:
    """The sweep of a folder, or a new one, of which nothing is written yet.

    Raises:
        UserError: its note is damaged.
    """
    file = folder / SWEEP_FILE
    if not file.is_file():
        return Sweep(folder=folder, sweep_id=uuid.uuid4().hex)
    try:
        note: dict[str, Any] = json.loads(file.read_text())
        # One line of words alone is how the version before noted them.
        commands = note["commands"] if "commands" in note else [note["arguments"]]
        if not (isinstance(note["sweep_id"], str) and all(isinstance(each, list) for each in commands)):
            raise TypeError("its entries are of other kinds")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--resume: {file} is damaged ({error}); resume another sweep with --name, or remove this one"
        ) from error
    told = tuple(tuple(word for word in map(str, each) if word not in NOT_AGAIN) for each in commands)
    return Sweep(folder=folder, sweep_id=note["sweep_id"], commands=told)


def find_sweeps(out: Path, name: str | None = None) -> list[Path]:
    """Folders of the sweeps in a working folder, of that name if one is given, the newest last."""
    files = out.resolve().glob(f"{name or '*'}/{SWEEP_FILE}")
    return [file.parent for file in sorted(files, key=lambda file: file.stat().st_mtime)]


def _named(notes: Mapping[str, Note], config: TrialConfig, dataset_id: str) -> str:
    """What the trial is called that was begun, else a new name.

    For people it holds what is most telling, for certainty some digits of the trial's hash.
    """
    digits = trial_hash(config, dataset_id)
    candidates = (name for name, note in notes.items() if note.hash in (digits, None))
    known = next((name for name in candidates if notes[name].is_of(config, dataset_id)), None)
    if known is not None:
        return known
    model = config.model
    keys = (config.recipe, model.backbone, model.head, f"mc{config.loss.mc:g}", f"seed{config.seed}")
    readable = re.sub(r"[^A-Za-z0-9._-]+", "_", "-".join(keys))
    return f"{readable[: NAME_CHARACTERS - HASH_DIGITS - 1]}-{digits[:HASH_DIGITS]}"
