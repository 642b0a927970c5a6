"""Listeners and a search that write down what they are told, a Ray that is made up, and trials run on it."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.known import KnownResults
from sweeps.running.cluster import Share
from sweeps.running.hours import Hours
from sweeps.running.nodes import Nodes
from sweeps.running.retries import Retries
from sweeps.running.session import RayGoneError
from sweeps.running.signals import Flag
from sweeps.running.trials import Trials, trial_spec
from sweeps.search.grid import Grid
from sweeps.search.search import Planned
from sweeps.trial import Trial

SHARE = Share(at_once=3, cpus=5, gpus=0.5)


class Ear:
    """Writes down what it is told; may be told beside others in one list."""

    def __init__(self, heard: list[Any] | None = None, name: str = "") -> None:
        self.heard = [] if heard is None else heard
        self.name = (name,) if name else ()

    def asked(self, trial: Planned) -> None:
        """What is asked for, the answers to Ray say."""

    def started(self, trial: str) -> None:
        self.heard.append((*self.name, "started", trial))

    def stepped(self, trial: str, progress: Mapping[str, Any]) -> None:
        self.heard.append((*self.name, "stepped", trial, progress["epoch"], progress["step"]))

    def reported(self, trial: str, report: dict[str, Any]) -> None:
        self.heard.append((*self.name, "reported", trial, report["epoch"]))

    def paced(self, trial: str, seconds_per_epoch: float) -> None:
        self.heard.append((*self.name, "paced", trial, seconds_per_epoch))

    def retried(self, trial: str) -> None:
        self.heard.append((*self.name, "retried", trial))

    def ended(self, trial: Trial) -> None:
        self.heard.append((*self.name, "ended", trial.name, trial.status, trial.reason))


class Told(Grid):
    """A grid that writes down what it is told."""

    def __init__(self, trials: Sequence[Planned], heard: list[Any]) -> None:
        super().__init__(trials)
        self.heard = heard

    def tell(self, trial: Trial) -> None:
        self.heard.append(("search", "ended", trial.name, trial.status, trial.reason))
        super().tell(trial)


class MadeUpRay:
    """The process that holds Ray, as its session shows it: it says what a test wrote down for it.

    Attributes:
        script: messages, each as it is sent or as a function that does something and returns it; None: a
            moment in which nothing comes. Where it ends, Ray is gone.
        answers: what it was sent.
    """

    def __init__(self) -> None:
        self.script: deque[Any] = deque()
        self.answers: list[Any] = []

    def receive(self, seconds: float) -> Any:
        if not self.script:
            raise RayGoneError("the script ended")
        message = self.script.popleft()
        return message() if callable(message) else message

    def begin(self, resources: dict[str, float], storage: Path) -> None:
        self.answers.append((resources, storage))

    def send(self, answer: Any) -> None:
        self.answers.append(answer)


class World:
    """Trials that are run on such a Ray."""

    def __init__(
        self,
        search: Any,
        prepare: Callable[[Planned], Path],
        tmp_path: Path,
        listeners: Sequence[Any] = (),
        retries: int = 0,
        hours: float | None = None,
        updates: int | None = None,
        known: KnownResults | None = None,
    ) -> None:
        self.ray, self.flag, self.stop_file = MadeUpRay(), Flag(), tmp_path / "stop"
        self.folder, self.said = tmp_path, list[str]()

        def spec(planned: Planned) -> dict[str, Any]:
            folder = prepare(planned)
            return trial_spec(planned.name, planned.config, "s3://lm", folder, self.stop_file, updates)

        session: Any = self.ray
        self.trials = Trials(
            search,
            spec,
            session=session,
            stop_file=self.stop_file,
            flag=self.flag,
            share=SHARE,
            retries=Retries(retries),
            nodes=Nodes(self.said.append),
            hours=Hours(tmp_path, hours),
            known=known,
            listeners=listeners,
        )

    def run(self, *script: Any) -> None:
        """What Ray says, up to its last word."""
        self.ray.script.extend([*script, ("over", None)])
        self.trials.run(self.folder / "ray")

    @property
    def asked(self) -> list[Any]:
        """Answers to what it asked: names of trials, None, or the last word."""
        return [answer["name"] if isinstance(answer, dict) else answer for answer in self.ray.answers[1:]]
