"""The search that spends seeds where they decide which of the listed settings is best; see `racing`.

It follows from the trials alone: told of the same ones it asks for the same next one.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from epropnp.errors import UserError
from epropnp.evaluation.by_object import average, images_by_object
from epropnp.evaluation.metrics import Array
from epropnp.evaluation.table import Table
from sweeps.results.read import labels_of
from sweeps.results.tables import interval
from sweeps.search.grid import FINAL
from sweeps.search.race_table import Fall, Standing, race_files, race_table
from sweeps.search.racing import Look, Scores, look_at, next_seeds, resolution
from sweeps.search.search import Planned
from sweeps.search.validated import Images
from sweeps.trial import Trial

ENOUGH = 500  # validation images; with fewer, it is said what they can show


class Race:
    """Asks for seeds round by round.

    Args:
        trials: of all settings with all seeds that they may get, in their order.
        images: reads what a finished one scored.
        score: its name.
        margin: in points, within which settings are equal.
        earlier: scores of the seeds of other settings, of sweeps before this one, (S,) each.
    """

    def __init__(
        self,
        trials: Sequence[Planned],
        images: Callable[[Trial], Images],
        *,
        score: str,
        margin: float,
        earlier: Sequence[Array] = (),
    ) -> None:
        groups: dict[object, list[Planned]] = {}
        for trial in trials:
            groups.setdefault(trial.setting, []).append(trial)
        labels = labels_of([group[0] for group in groups.values()])
        self._labels = [labels[group[0].name] for group in groups.values()]
        self._settings = [
            [replace(trial, label=f"{label} seed {trial.config.seed}") for trial in group]
            for label, group in zip(self._labels, groups.values(), strict=True)
        ]
        self._most = max(map(len, self._settings))
        self._names = {trial.name for trial in trials}
        self._images, self._score, self._margin, self._earlier = images, score, margin, earlier
        self._known: dict[str, tuple[Trial, Images | None]] = {}
        self._asked: set[str] = set()
        self._ended: set[str] = set()  # of those that this call was asked for
        self._walk()

    @property
    def planned(self) -> list[Planned]:
        """Those of all rounds so far."""
        return [trial for setting, count in self._begun.items() for trial in self._settings[setting][:count]]

    @property
    def total(self) -> int:
        """All that there may be: settings left may get all their seeds."""
        free = sum(len(self._settings[k]) - self._begun[k] for k in self._left) if not self._over else 0
        return len(self.planned) + free

    @property
    def remarks(self) -> list[str]:
        """What was found, look by look, and how it ended."""
        waits = [] if self._over or not self.done else [f"waits for {', '.join(self._open)}: see --resume"]
        return [f"race: {line}" for line in (*self._lines, *waits)]

    @property
    def infeasible(self) -> Collection[str]:
        """None: each setting was listed by the user."""
        return ()

    @property
    def done(self) -> bool:
        """Whether there is an answer, or none can be had before what failed is tried again."""
        return self._over or self._open.keys() <= self._ended

    def files(self) -> Mapping[str, Callable[[Path], None]]:
        """The table, twice."""
        return race_files(self._table())

    def tables(self) -> list[Table]:
        """Who may be the best, by validation images."""
        return [self._table()]

    def ask(self) -> Planned | None:
        """The next trial of this round; None while its others must end."""
        trial = next((each for name, each in self._open.items() if name not in self._asked), None)
        if trial is not None:
            self._asked.add(trial.name)
        return trial

    def tell(self, trial: Trial) -> None:
        """A trial ended, or its folder says that it had; others than those of the race stay in the tables."""
        if trial.name not in self._names:
            return
        images = self._images(trial) if trial.status == "finished" else None
        self._known[trial.name] = trial, images
        self._ended |= {trial.name} & self._asked
        self._walk()

    def _walk(self) -> None:
        """The race from its start on, as far as its trials go."""
        self._begun = dict.fromkeys(range(len(self._settings)), 1)
        self._left = list(self._begun)
        self._fallen: dict[int, Fall] = {}
        self._lines: list[str] = []
        self._over, self._equal, self._looks = False, False, 0
        self._open = self._missing()
        while not self._open and not self._over:
            self._step()
            self._open = self._missing()

    def _missing(self) -> dict[str, Planned]:
        """Trials of the rounds so far that have not come to an end, of settings that are still there."""
        return {
            trial.name: trial
            for setting in self._left
            for trial in self._settings[setting][: self._begun[setting]]
            if not self._is_over(trial.name)
        }

    def _is_over(self, name: str) -> bool:
        if name not in self._known:
            return False
        trial = self._known[name][0]
        return trial.status in FINAL or bool(trial.record and trial.record.failure)

    def _step(self) -> None:
        """One look, and who gets the next seeds."""
        self._leave()
        if not self._left:
            self._over = True
            self._lines.append("no setting could be trained to its end")
            return
        racing = [k for k in self._begun if k in self._left or self._fallen[k].difference is not None]
        scores = self._scores_of(racing)
        place = {k: at for at, k in enumerate(racing)}
        look = look_at(scores, [place[k] for k in self._left], self._looks, self._margin)
        if self._looks == 0:
            self._say_resolution(scores)
        self._note(look, racing)
        self._left = [racing[at] for at in look.left]
        if look.decided:
            self._over, self._equal = True, look.equal
            self._lines.append(self._answer(look.equal))
            return
        more = [racing[at] for at in next_seeds(scores, look.left, self._most)]
        more = [k for k in more if self._begun[k] < len(self._settings[k])]
        if not more:
            self._over = True
            names = ", ".join(self._labels[k] for k in self._left)
            self._lines.append(f"not decided with {self._most} seeds; one of these is the best: {names}")
        for k in more:
            self._begun[k] += 1
        self._looks += 1

    def _leave(self) -> None:
        """Settings of which a trial was stopped, or could not be trained, are out."""
        for k in list(self._left):
            for trial in self._settings[k][: self._begun[k]]:
                known = self._known[trial.name][0]
                if known.status != "finished":
                    self._left.remove(k)
                    self._fallen[k] = Fall(f"{known.status}: {known.reason}")
                    self._lines.append(f"{self._labels[k]} is out: {known.reason}")
                    break

    def _scores_of(self, settings: Sequence[int]) -> Scores:
        """UserError where two trials were scored on different images."""
        found, first = [], None
        for k in settings:
            values = []
            for trial in self._settings[k][: self._begun[k]]:
                images = self._known[trial.name][1]
                assert images is not None
                first = first or images
                if images[0] != first[0]:
                    raise UserError(f"{trial.name} was validated on other images: a race needs the same ones")
                values.append(images[2])
            found.append(np.stack(values))
        assert first is not None
        return Scores(settings=found, objects=images_by_object(first[1]), earlier=self._earlier)

    def _say_resolution(self, scores: Scores) -> None:
        count = scores.settings[0].shape[1]
        if self._earlier:
            settings = len(self._earlier)
            self._lines.append(
                f"spread between seeds {scores.spread:.2f} points, known from {settings} earlier settings"
            )
        if count < ENOUGH and len(scores.settings) > 1:
            least = resolution(scores, self._most)
            self._lines.append(
                f"{count} validation images and {self._most} seeds can show leads of about {least:.1f} points"
            )

    def _note(self, look: Look, racing: Sequence[int]) -> None:
        for at, (rival, difference) in look.dropped.items():
            self._fallen[racing[at]] = Fall("dropped", difference)
            text = interval(difference)
            self._lines.append(
                f"look {look.number + 1}: {self._labels[racing[at]]} is dropped, {text} to "
                f"{self._labels[racing[rival]]}"
            )

    def _answer(self, equal: bool) -> str:
        names = ", ".join(self._labels[k] for k in self._ranked())
        cost = f"{len(self.planned)} of {sum(map(len, self._settings))} trials"
        if equal:
            return f"equal within {self._margin:g} points ({self._score}), after {cost}: {names}"
        return f"{names} is the best ({self._score} on validation images), after {cost}"

    def _table(self) -> Table:
        order = sorted(self._begun, key=lambda k: (k not in self._left, -self._mean(k)))
        answer = self._lines[-1] if self._over else "not decided yet"
        return race_table([self._standing(k) for k in order], self._score, answer)

    def _standing(self, setting: int) -> Standing:
        trained = [trial for trial in self._settings[setting] if self._images_known(trial.name) is not None]
        fall = self._fallen.get(setting)
        return Standing(
            label=self._labels[setting],
            seeds=len(trained),
            mean=self._mean(setting) if trained else None,
            difference=fall.difference if fall is not None else None,
            verdict=fall.verdict if fall is not None else self._verdict(setting),
        )

    def _verdict(self, setting: int) -> str:
        """Of one that is left."""
        if not self._over:
            return "still in the race"
        if not self._equal and len(self._left) > 1:
            return "not decided"
        return "best" if setting == self._ranked()[0] else f"equal within {self._margin:g}"

    def _ranked(self) -> list[int]:
        """The settings left, best first."""
        return sorted(self._left, key=lambda k: -self._mean(k))

    def _mean(self, setting: int) -> float:
        """Over its seeds so far; without any, below all others."""
        known = (self._images_known(trial.name) for trial in self._settings[setting])
        means = [average(each[2], images_by_object(each[1])) for each in known if each is not None]
        return float(np.mean(means)) if means else float("-inf")

    def _images_known(self, name: str) -> Images | None:
        return self._known[name][1] if name in self._known else None
