"""Which sweep and which trial a user means, and whether a sweep runs."""

from collections.abc import Sequence
from pathlib import Path

from epropnp.claims import is_claimed
from epropnp.errors import UserError, nearest
from sweeps.folder import Sweep, find_sweeps, open_sweep

SHOWN = 5  # names of several that fit


def the_sweep(out: Path, name: str | None) -> Sweep:
    """The sweep of that name; without one the newest. UserError where there is none, or it is damaged."""
    folders = {folder.name: folder for folder in find_sweeps(out)}
    if not folders:
        raise UserError(f"--out: there is no sweep in {out.resolve()}")
    if name is None:
        return open_sweep(list(folders.values())[-1])
    if name not in folders:
        advice = nearest(name, folders) or "; `epropnp-sweeps list` names them"
        raise UserError(f"there is no sweep '{name}' in {out.resolve()}{advice}")
    return open_sweep(folders[name])


def the_trial(sweep: Sweep, text: str) -> str:
    """The one trial whose name is, ends with or holds a text. UserError for none and for several."""
    names = [folder.name for folder in sweep.trial_folders()]
    for fits in (text.__eq__, lambda name: name.endswith(f"-{text}"), lambda name: text in name):
        found = [name for name in names if fits(name)]
        if len(found) == 1:
            return found[0]
        if found:
            more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
            raise UserError(f"'{text}' fits {len(found)} trials: {', '.join(found[:SHOWN])}{more}")
    if text in sweep.planned_names:
        raise UserError(f"trial {text} has not begun: stop it when it runs")
    raise UserError(f"sweep {sweep.name} has no trial '{text}'{_nearest_trial(text, names)}")


def _nearest_trial(text: str, names: Sequence[str]) -> str:
    """By whole names, else by their last parts, such as the digits."""
    ends = {name.rpartition("-")[2]: name for name in names}
    return nearest(text, names) or nearest(text, ends) or "; `epropnp-sweeps status` names them"


def runs(sweep: Sweep) -> bool:
    """Whether a process holds the sweep, or one of its trials."""
    return is_claimed(sweep.folder) or any(map(is_claimed, sweep.trial_folders()))
