"""A sweep's folder: its identity, the command lines that it grew by, and the folders of its trials."""

import contextlib
import dataclasses
import glob
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epropnp.command_line import spelled
from epropnp.credentials import without_credentials
from epropnp.errors import UserError
from epropnp.files import private_folder, replaced
from epropnp.training.config import TrialConfig
from epropnp.training.halt import STOP_FILE
from epropnp.training.identity import COMPUTES, trial_hash
from epropnp.training.record import CONFIG_FILE, Record, config_note, write_config
from sweeps.build_settings import Build
from sweeps.names import safe_name
from sweeps.search.search import Planned
from sweeps.space import Cell
from sweeps.trial import RESULT_FILE, Note, Trial, read, read_note

SWEEP_FILE, TRIALS = "sweep.json", "trials"
RAY_FOLDER = "ray"  # of a sweep: Ray's own records
HASH_DIGITS = 6
NOT_AGAIN = ("--resume", "--resume-or-start", "--dry-run")  # flags of one call


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep's identity and its folder.

    Attributes:
        folder: named after the sweep.
        sweep_id: never used by another sweep.
        commands: the words of the command lines that it was started, and gone on, with.
        planned_names: of all trials that the last of them asked for, begun or not.
        varied: settings in which they differ, beside backbone, head, loss weight and seed.
    """

    folder: Path
    sweep_id: str
    commands: Sequence[Sequence[str]] = ()
    planned_names: Sequence[str] = ()
    varied: Sequence[str] = ()

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
        return self.folder / TRIALS / trial

    def trial_folders(self) -> list[Path]:
        """Of the trials that were begun, by name."""
        return sorted(file.parent for file in (self.folder / TRIALS).glob(f"*/{CONFIG_FILE}"))

    def trials(self) -> Iterator[Trial]:
        """All that were begun, as their folders tell; not those whose `trial.json` is damaged."""
        return (read(self.trial_folder(name), note) for name, note in self._notes().items())

    def planned(self, cells: Sequence[Cell], dataset_id: str | Mapping[Build, str]) -> list[Planned]:
        """The cells as trials of this sweep, each once: one that was begun before keeps its name.

        Args:
            cells: what to train.
            dataset_id: on what; where cells differ in the settings of their data, by these.

        Raises:
            UserError: a trial was begun on another dataset.
        """
        ids = {cell.build: dataset_id for cell in cells} if isinstance(dataset_id, str) else dataset_id
        found: dict[str, Planned] = {}
        for trial in map(self.namer(ids), cells):
            found.setdefault(trial.name, trial)  # other settings may have made the same data
        return list(found.values())

    def namer(self, ids: Mapping[Build, str]) -> Callable[[Cell], Planned]:
        """Makes cells trials of this sweep, as `planned`; the folders are read now, and once.

        Args:
            ids: of the datasets, by settings of the data.
        """
        notes = self._notes()
        for name, note in notes.items():
            if note.dataset_id not in ids.values():
                now = " or ".join(dict.fromkeys(ids.values()))
                raise UserError(
                    f"{self.trial_folder(name)}: this trial was started with dataset {note.dataset_id}, and "
                    f"now it is {now}; give the same flags to resume it, or start a new sweep with "
                    "another --name"
                )

        def named(cell: Cell) -> Planned:
            own = ids[cell.build]
            name = _named(notes, cell.config, own)
            return Planned(name=name, config=cell.config, dataset_id=own, case=cell.case, build=cell.build)

        return named

    def results_beside(self) -> Iterator[Path]:
        """Folders of the other sweeps' trials that have finished, and were computed as trials are today."""
        for result in sorted(self.folder.parent.glob(f"*/{TRIALS}/*/{RESULT_FILE}")):
            if result.is_relative_to(self.folder):
                continue
            record = None
            with contextlib.suppress(UserError, OSError):  # a damaged one
                record = Record.read(result.parent)
            if record is not None and record.computes == COMPUTES:
                yield result.parent

    def prepare(self, trial: Planned) -> Path:
        """Make the folder of a trial that is to be trained; it says what. UserError where that fails.

        Of one that was given a known result, which was removed since, it says so no more.
        """
        folder = self.trial_folder(trial.name)
        note = _note(folder)
        if note is None:  # none, or a damaged one
            self.note(trial, folder)
        elif note.known is not None:
            self.note(dataclasses.replace(trial, asked=note.asked), folder)
        return folder

    def note(self, trial: Planned, folder: Path, known: str | None = None) -> None:
        """Say in a folder what is trained there. UserError where it cannot be written.

        Args:
            trial: to be.
            folder: its own, or one that becomes it.
            known: sweep and name of the trial whose result it is given.
        """
        more: dict[str, Any] = {"build": list(trial.build)} if trial.build else {}
        if trial.asked is not None:
            more["asked"] = trial.asked.content()
        if known is not None:
            more["known"] = known
        more["sweep"] = self._content()  # for a sweep whose own file is lost
        write_config(folder, config_note(trial.config, trial.dataset_id) | more)

    def write(self) -> None:
        """Note identity and command lines; the sweep is the newest now. UserError where that fails.

        The folder, if it is made here, is for its owner alone.
        """
        try:
            private_folder(self.folder)
        except OSError as error:
            raise UserError(f"{self.folder} cannot be made ({error.strerror}): see --out") from error
        with replaced(self.folder / SWEEP_FILE) as file:
            file.write_text(json.dumps(self._content(), indent=1))

    def with_command(self, words: Sequence[str]) -> "Sweep":
        """The same, grown by one command line, if it is not one of those that are known."""
        told = tuple(without_credentials(word) for word in map(spelled, words) if word not in NOT_AGAIN)
        known = not told or told in map(tuple, self.commands)
        return self if known else dataclasses.replace(self, commands=(*self.commands, told))

    def _content(self) -> dict[str, Any]:
        told = {"sweep_id": self.sweep_id, "name": self.name, "commands": [list(c) for c in self.commands]}
        lists = {"trials": list(self.planned_names), "varied": list(self.varied)}
        return told | {key: values for key, values in lists.items() if values}

    def _notes(self) -> dict[str, Note]:
        """What was begun, by name, as far as it can be read."""
        notes = {folder.name: _note(folder) for folder in self.trial_folders()}
        return {name: note for name, note in notes.items() if note is not None}


def open_sweep(folder: Path) -> Sweep:
    """The sweep of a folder, or a new one, of which nothing is written yet.

    Where its file is missing or damaged, its trials tell of it.

    Raises:
        UserError: the file is damaged, and there are no trials that tell.
    """
    file = folder / SWEEP_FILE
    damage = None
    if file.is_file():
        try:
            return _sweep_of(folder, json.loads(file.read_text()))
        except (OSError, ValueError, KeyError, TypeError) as error:
            damage = error
    told = _told_by_trials(folder)
    if told:
        return max(told, key=lambda sweep: len(sweep.commands))  # the trial that was begun last
    if damage is not None:
        raise UserError(
            f"--resume: {file} is damaged ({damage}); resume another sweep with --name, or remove this one"
        ) from damage
    return Sweep(folder=folder, sweep_id=uuid.uuid4().hex)


def find_sweeps(out: Path, name: str | None = None) -> list[Path]:
    """Folders of the sweeps in a working folder, of that name if one is given, the newest last."""
    found: dict[Path, float] = {}
    for pattern in (f"{TRIALS}/*/{CONFIG_FILE}", SWEEP_FILE):  # whose own file is lost, too
        for file in out.resolve().glob(f"{name or '*'}/{pattern}"):
            found[out.resolve() / file.relative_to(out.resolve()).parts[0]] = file.stat().st_mtime
    return sorted(found, key=lambda folder: found[folder])


def named_sweep(text: str, out: Path) -> Path | None:
    """The folder that is meant by a sweep's own folder, or by its name in a working folder; None for none."""
    places = [place.resolve() for place in (Path(text), out / text)]
    return next((place for place in places if find_sweeps(place.parent, glob.escape(place.name))), None)


def _sweep_of(folder: Path, note: dict[str, Any]) -> Sweep:
    """ValueError, KeyError or TypeError for what is no note of a sweep."""
    # One line of words alone is how the version before noted them.
    commands = note["commands"] if "commands" in note else [note["arguments"]]
    if not (isinstance(note["sweep_id"], str) and all(isinstance(each, list) for each in commands)):
        raise TypeError("its entries are of other kinds")
    told = tuple(tuple(word for word in map(str, each) if word not in NOT_AGAIN) for each in commands)
    names, varied = (tuple(map(str, note.get(key, ()))) for key in ("trials", "varied"))
    return Sweep(folder=folder, sweep_id=note["sweep_id"], commands=told, planned_names=names, varied=varied)


def _told_by_trials(folder: Path) -> list[Sweep]:
    found = []
    for file in sorted((folder / TRIALS).glob(f"*/{CONFIG_FILE}")):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found.append(_sweep_of(folder, json.loads(file.read_text())["sweep"]))
    return found


def _note(folder: Path) -> Note | None:
    """What a trial's folder says that it is of; None where it does not, or is damaged."""
    try:
        return read_note(folder)
    except UserError:
        return None


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
    return safe_name("-".join(keys), f"-{digits[:HASH_DIGITS]}")
