"""What can be set: key, value, range and help of the settings whose keys match a wildcard."""

import fnmatch
from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from epropnp.errors import UserError, nearest
from epropnp.settings import Setting, settings_of
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import suggestion, typed


def show_settings(configs: Mapping[str, TrialConfig], pattern: str, console: Console) -> None:
    """Print the settings that match, with the value that each config gives them under its title.

    Raises:
        UserError: none matches; names the nearest.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    for title in (*configs, "range", "help"):
        table.add_column(title)
    for setting in matching(pattern):
        values: list[Any] = [attrgetter(setting.key)(config) for config in configs.values()]
        cells = (setting.key, *map(typed, values), setting.limits, setting.help)
        table.add_row(*map(Text, cells))
    console.print(table)


def matching(pattern: str) -> list[Setting]:
    """The settings whose keys match a wildcard; UserError, naming the nearest, if there are none."""
    settings = settings_of(TrialConfig)
    found = [setting for setting in settings if fnmatch.fnmatchcase(setting.key, pattern)]
    if found:
        return found
    keys = [setting.key for setting in settings]
    groups = dict.fromkeys(f"{key.rpartition('.')[0]}.*" for key in keys if "." in key)
    wild = any(sign in pattern for sign in "*?[")
    guess = nearest(pattern, groups) or "; '*' lists all" if wild else suggestion(pattern, keys)
    raise UserError(f"--list-settings: no setting matches '{pattern}'{guess}")
