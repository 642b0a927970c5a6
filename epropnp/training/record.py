"""How a trial fares, in its folder: status and reason, times, machine, versions, history, for anyone to read.

`trial.json` says what is trained on what, `status.json` how far it is and where, `result.json` what came out.
A process that is killed cannot say so: its status stays `running`, without anyone holding the folder.
"""

import contextlib
import dataclasses
import json
import platform
import socket
import subprocess
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from epropnp.credentials import without_credentials
from epropnp.errors import UserError
from epropnp.files import replaced
from epropnp.plain import to_dict
from epropnp.training.config import TrialConfig
from epropnp.training.halt import Failure, InterruptionError, SettingsError, StopError
from epropnp.training.identity import COMPUTES, identity, trial_hash
from epropnp.training.log import TrialLog
from epropnp.training.result import Metrics

if TYPE_CHECKING:  # what reads folders only starts without torch
    import torch

    from epropnp.training.data import TrialData

Status = Literal["waiting", "running", "finished", "stopped", "failed"]
CONFIG_FILE, STATUS_FILE = "trial.json", "status.json"
LIBRARIES = ("torch", "timm", "numpy", "opencv-python-headless", "pyarrow")


@dataclass(frozen=True, kw_only=True)
class Record:
    """The content of `status.json`.

    Attributes:
        status: `waiting` to be gone on with, `running`, or how the trial ended.
        reason: in one line: of a failure, of a stop, or of an interruption.
        failure: its kind, where the settings are to blame for it.
        traceback: of an error that is not the user's.
        started, ended: of the newest process, ISO 8601 in UTC.
        host: where it ran.
        device: that it ran on, with the precision that it computes in if it lacks the config's.
        commit: of the source in git, with `+` where it was changed; None outside of a repository.
        computes: number of the way in which trials compute; older records do not say.
        versions: of Python and of the libraries that numbers depend on.
        dataset_id, test_id: what it is trained on, and which images it is tested on.
        history: metrics of the epochs so far, from epoch 0 on.
    """

    status: Status
    reason: str | None = None
    failure: Failure | None = None
    traceback: str | None = None
    started: str | None = None
    ended: str | None = None
    host: str | None = None
    device: str | None = None
    commit: str | None = None
    computes: int | None = None
    versions: dict[str, str] = field(default_factory=dict)
    dataset_id: str | None = None
    test_id: str | None = None
    history: Sequence[Metrics] = ()

    def write(self, folder: Path) -> None:
        """To `status.json`. UserError where that fails."""
        with replaced(folder / STATUS_FILE) as file:
            file.write_text(json.dumps(dataclasses.asdict(self), indent=1), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Record | None":
        """What was written, or None where nothing was. UserError where it is damaged."""
        file = folder / STATUS_FILE
        if not file.is_file():
            return None
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            return cls(**values | {"history": tuple(values["history"])})
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{file} is damaged ({error}); delete it: it is written again") from error


def config_note(config: TrialConfig, dataset_id: str) -> dict[str, Any]:
    """The content of `trial.json`; `settings` are those that are not the defaults."""
    return {
        "hash": trial_hash(config, dataset_id),
        "dataset_id": dataset_id,
        "settings": identity(config),
        "config": to_dict(config),
    }


def write_config(folder: Path, note: dict[str, Any]) -> None:
    """Say in `trial.json` what is trained on what. UserError where that fails."""
    with replaced(folder / CONFIG_FILE) as file:
        file.write_text(json.dumps(note, indent=1), encoding="utf-8")


class ForeignError(UserError):
    """A folder holds the checkpoint of another trial."""


class Recorder:
    """Keeps the record of a running trial.

    Args:
        folder: of the trial, claimed by this process.
        config: what is trained.
        device: where.
        data: on what.
    """

    def __init__(self, folder: Path, config: TrialConfig, device: "torch.device", data: "TrialData") -> None:
        self.folder, self._log, self._begun = folder, TrialLog(folder), False
        self._note = config_note(config, data.dataset.dataset_id)
        self._record = Record(
            status="running",
            started=_now(),
            host=socket.gethostname(),
            device=device_name(device, config.optim.precision),
            commit=commit_here(),
            computes=COMPUTES,
            versions=versions_here(),
            dataset_id=data.dataset.dataset_id,
            test_id=data.test_id,
        )

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Notes how what is done meanwhile ends, and what is warned of."""
        with self._log.listening(), self._noting_the_end():
            yield

    @contextlib.contextmanager
    def _noting_the_end(self) -> Iterator[None]:
        try:
            yield
        except ForeignError:
            raise  # the folder is another trial's
        except StopError as stop:
            self._end("stopped", str(stop))
            raise
        except InterruptionError as halt:
            self._end("waiting", f"{interrupted(self._record.history)}, {halt}")
            raise
        except UserError as error:
            self._end("failed", str(error), failure=failure_of(error))
            raise
        except Exception as error:
            first_line = next(iter(str(error).strip().splitlines()), "")
            self._end("failed", f"{type(error).__name__}: {first_line}", traceback.format_exc())
            raise
        except BaseException:  # Ctrl-C, a signal: it is to be gone on with
            self._end("waiting", interrupted(self._record.history))
            raise
        dataclasses.replace(self._record, status="finished", ended=_now()).write(self.folder)
        self._log.say("finished")

    def note(self, history: Sequence[Metrics]) -> None:
        """Write that the trial runs, and how far it is."""
        if not (self.folder / CONFIG_FILE).exists():
            write_config(self.folder, self._note)
        if not self._begun:
            self._begun = True
            self._log.begin(f"{self._record.host}, {self._record.device}, {self._record.commit}", history)
        self._record = dataclasses.replace(self._record, history=tuple(history))
        self._record.write(self.folder)
        self._log.tell(history)

    def _end(
        self, status: Status, reason: str, trace: str | None = None, failure: Failure | None = None
    ) -> None:
        ended = dataclasses.replace(
            self._record,
            status=status,
            reason=without_credentials(reason),
            failure=failure,
            traceback=None if trace is None else without_credentials(trace),
            ended=_now(),
        )
        with contextlib.suppress(UserError):  # a full disk must not hide why it ended
            ended.write(self.folder)
        self._log.say("\n".join(filter(None, (f"{status}: {ended.reason}", ended.traceback))).rstrip())


def interrupted(history: Sequence[Metrics]) -> str:
    """How far a trial had come that was interrupted, in words."""
    if not history:
        return "interrupted before its first evaluation"
    return f"interrupted after epoch {len(history) - 1}"


def failure_of(error: BaseException) -> Failure | None:
    """The kind of a failure that the settings are to blame for."""
    return error.kind if isinstance(error, SettingsError) else None


def note_failure(folder: Path, reason: str, failure: Failure | None = None) -> None:
    """Write that a trial failed for which no process can say so any more. UserError where that fails."""
    record = Record.read(folder) or Record(status="failed")
    ended = dataclasses.replace(record, status="failed", reason=reason, failure=failure, ended=_now())
    dataclasses.replace(ended, traceback=None).write(folder)


def device_name(device: "torch.device", precision: str) -> str:
    """What computes, and in which precision if that is not the config's."""
    import torch

    from epropnp.inference.precision import computed

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    used = computed(device, precision)
    return device.type if used == precision else f"{device.type} ({used} for {precision})"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions_here() -> dict[str, str]:
    """Of Python and of the libraries that numbers depend on."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def commit_here() -> str | None:
    """Of the source in git, with `+` where it was changed; None outside of a repository."""

    def git(*words: str) -> Any:
        command = ["git", "-C", str(Path(__file__).parent), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", ".")
        return f"{git('rev-parse', 'HEAD')}{'+' if changed else ''}"
    except (OSError, subprocess.SubprocessError):
        return None
