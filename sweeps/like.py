"""A sweep that repeats a recorded one: its command lines, what must be the same, and whether results are."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from epropnp.errors import UserError, nearest
from epropnp.training.identity import COMPUTES, trial_hash
from epropnp.training.record import commit_here, versions_here
from sweeps.folder import Sweep, find_sweeps, named_sweep, open_sweep
from sweeps.trial import Trial

ANEW = ("--name", "--out", "--ray-address", "--hours", "--like")  # flags with a value: a repeat has its own


def source_of(like: str, out: Path) -> Sweep:
    """The sweep that is to be repeated.

    Args:
        like: its name in a working folder, or its own folder.
        out: the working folder.

    Raises:
        UserError: there is none, or no command line has made it.
    """
    folder = named_sweep(like, out)
    if folder is None:
        names = [found.name for found in find_sweeps(out)]
        raise UserError(f"--like: no sweep '{like}'{nearest(like, names)}; it is a name in {out} or a folder")
    sweep = open_sweep(folder)
    if not sweep.commands:
        raise UserError(f"--like: no command line has made {sweep.folder}: run the program that did")
    return sweep


def lines_of(sweep: Sweep) -> list[list[str]]:
    """The words of its command lines without what a repeat has of its own."""
    return [_without(words, ANEW) for words in sweep.commands]


def _without(words: Sequence[str], flags: Collection[str]) -> list[str]:
    """Words but for flags of one value, given as `--flag value` or `--flag=value`."""
    kept, value = [], False
    for word in words:
        if not value and word.partition("=")[0] not in flags:
            kept.append(word)
        value = not value and word in flags
    return kept


def check_data(source: Sweep, dataset_ids: Collection[str]) -> None:
    """UserError where trials of the sweep were trained on another dataset than these."""
    trained = dict.fromkeys(trial.dataset_id for trial in source.trials())
    other = [each for each in trained if each not in dataset_ids]
    if other:
        raise UserError(
            f"--like: {source.name} was trained on dataset {' and '.join(other)}, and this is "
            f"{' and '.join(dict.fromkeys(dataset_ids))}: give the folder of that one with --data, or leave "
            "out --like, and give the flags themselves"
        )


def differences(source: Sweep) -> list[str]:
    """In what this machine's source and libraries differ from those of the sweep's trials, a line each."""
    records = [trial.record for trial in source.trials() if trial.record is not None and trial.record.started]
    if not records:
        return []
    newest = max(records, key=lambda record: record.started or "")
    then = _told(newest.versions, newest.commit, newest.computes)
    now = _told(versions_here(), commit_here(), COMPUTES)
    pairs = {name: (each, now.get(name, "none")) for name, each in then.items()}
    return [f"{name} {before} there, {here} here" for name, (before, here) in pairs.items() if before != here]


def _told(versions: Mapping[str, str], commit: str | None, computes: int | None) -> dict[str, object]:
    return {**versions, "source": commit or "unknown", "way of computing": computes or "unknown"}


def agreement(source: Sweep, repeat: Sweep) -> str:
    """How far the results of a repeat are those of the sweep, in a sentence."""
    before, now = _finished(source), _finished(repeat)
    both = [(before[key], now[key]) for key in before if key in now and _shared(before[key], now[key])]
    apart = [gap for gap in (_apart(*pair) for pair in both) if gap[0] > 0]
    if not both:
        return f"like {source.name}: no trial is finished in both"
    told = f"like {source.name}: {len(both) - len(apart)} of {len(both)} trials have the same test scores"
    if not apart:
        return told
    gap, score, name = max(apart)
    return f"{told}; the others differ by at most {gap:.2f} points ({score} of {name})"


def _finished(sweep: Sweep) -> dict[str, Trial]:
    finished = (trial for trial in sweep.trials() if trial.result is not None)
    return {trial_hash(trial.config, trial.dataset_id): trial for trial in finished}


def _apart(one: Trial, other: Trial) -> tuple[float, str, str]:
    """The largest difference of a score, whose, and of which trial."""
    return max((abs(a - b), name, other.name) for name, (a, b) in _shared(one, other).items())


def _shared(one: Trial, other: Trial) -> dict[str, tuple[float, float]]:
    """The test scores that both have, by name; other versions may have had others."""
    if one.result is None or other.result is None:
        return {}
    first, second = one.result.test, other.result.test
    return {name: (first[name], second[name]) for name in first if name in second}
