"""What can be set: key, value, range and help of the settings of a group, or whose keys match a wildcard."""

import fnmatch
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from epropnp.errors import UserError, nearest
from epropnp.evaluation.table import Column, Table
from epropnp.settings import Setting, settings_of
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import suggestion, typed
from epropnp.training.recipes import Recipe


def settings_table(
    configs: Mapping[str, Any], pattern: str, settings: Sequence[Setting] | None = None
) -> Table:
    """The settings that match, with the value that each config gives them under its title.

    Args:
        configs: by title.
        pattern: a wildcard such as `optim.l*`, or a group such as `optim`.
        settings: that the configs have; None: those of a trial.

    Raises:
        UserError: none matches; names the nearest.
    """
    rows = []
    for setting in matching(pattern, settings):
        values = [typed(attrgetter(setting.key)(config)) for config in configs.values()]
        rows.append([setting.key, *values, setting.limits, setting.help])
    columns = [Column("setting", one_line=0), *map(Column, (*configs, "range", "help"))]
    return Table(columns=columns, rows=rows)


def matching(pattern: str, settings: Sequence[Setting] | None = None) -> list[Setting]:
    """The settings that `settings_table` shows; UserError, naming the nearest, if there are none."""
    settings = settings or settings_of(TrialConfig)
    found = [
        setting
        for setting in settings
        if fnmatch.fnmatchcase(setting.key, pattern) or setting.key.startswith(f"{pattern}.")
    ]
    if found:
        return found
    keys = [setting.key for setting in settings]
    groups = dict.fromkeys(f"{key.rpartition('.')[0]}.*" for key in keys if "." in key)
    wild = any(sign in pattern for sign in "*?[")
    guess = nearest(pattern, groups) or "; '*' lists all" if wild else suggestion(pattern, keys)
    raise UserError(f"--list-settings: no setting matches '{pattern}'{guess}")


def described(recipe: Recipe) -> str:
    """Two lines on what a recipe starts from."""
    model, optim = recipe.base.model, recipe.base.optim
    start = "ImageNet weights" if model.pretrained else "from scratch"
    return (
        f"{recipe.name}: {model.input_px} px, {optim.epochs} epochs in batches of {optim.batch_size}, "
        f"{optim.optimiser} at {optim.lr:g}, {start}\n  backbones {', '.join(recipe.backbones)}"
    )
