"""The settings of a trial's data, `build.train` and the like, beside those of its training.

They are the fields of `BuildConfig`. What concerns training images and views may differ between the trials of
a sweep; what decides which images are tested is the same for all of them.
"""

import dataclasses
from collections.abc import Iterable

from epropnp.errors import UserError
from epropnp.settings import settings_of
from epropnp.training.config import TrialConfig
from epropnp.training.overrides import key_and_text, read_settings, typed
from pipelines.building.config import BuildConfig

Build = tuple[str, ...]  # `KEY=VALUE` each, by key; nothing where the data are as recipe and flags say

PREFIX = "build."
SETTINGS = settings_of(BuildConfig, PREFIX)
KNOWN = (*settings_of(TrialConfig), *SETTINGS)  # all that can be set
FLAGS = {"build.objects": "--objects", "build.source": "--data"}  # what is not set, but given by a flag
LISTED = tuple(setting for setting in KNOWN if setting.key not in FLAGS)
VARIED = tuple(
    PREFIX + name
    for name in (
        *("train", "occluders", "backgrounds", "background_count", "camera", "distance", "views"),
        "accept_geometry",
    )
)


def check_common(settings: Iterable[str]) -> None:
    """UserError where a setting of all trials is unknown, does not fit, or is given by a flag."""
    for key in read_settings(settings, KNOWN):
        if key in FLAGS:
            raise UserError(f"{key} has a flag of its own: use {FLAGS[key]}")


def check_varied(settings: Iterable[str]) -> None:
    """UserError where a setting of some trials is unknown, does not fit, or decides what is tested."""
    for key in read_settings(settings, KNOWN):
        if is_fixed(key):
            raise UserError(
                f"{key} decides what is tested, which is the same for all trials of a sweep: give it to all "
                f"of them by {FLAGS.get(key, '--set')}"
            )


def is_fixed(key: str) -> bool:
    """Whether a setting must be the same for all trials of a sweep, however it is given."""
    return key.startswith(PREFIX) and key not in VARIED


def taken_apart(settings: Iterable[str]) -> tuple[list[str], Build]:
    """Those of the training as they are, and those of the data, each once: of two the later one counts."""
    own: list[str] = []
    data: list[str] = []
    for setting in settings:
        (data if key_and_text(setting)[0].startswith(PREFIX) else own).append(setting)
    values = read_settings(data, SETTINGS)
    return own, tuple(sorted(f"{key}={_text(value)}" for key, value in values.items()))


def changed(config: BuildConfig, build: Build) -> BuildConfig:
    """The configuration with these settings."""
    values = {key.removeprefix(PREFIX): value for key, value in read_settings(build, SETTINGS).items()}
    return dataclasses.replace(config, **values)


def stated(config: BuildConfig) -> dict[str, str]:
    """By key, the settings of a configuration as they would be given; what is absent cannot be given."""
    values = {setting.key: getattr(config, setting.key.removeprefix(PREFIX)) for setting in SETTINGS}
    return {key: _text(value) for key, value in values.items() if value is not None}


def _text(value: object) -> str:
    return typed(value) or "none"  # a list of nothing
