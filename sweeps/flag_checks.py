"""What can be checked of a command line without loading anything heavy."""

import math
import re
from pathlib import Path

from epropnp.credentials import HIDDEN, without_credentials
from epropnp.errors import UserError, nearest
from epropnp.training.overrides import check_once, key_and_text
from epropnp.training.recipes import RECIPES
from pipelines.objects import resolve_objects
from sweeps.build_settings import check_common
from sweeps.flags import SHORT, SweepConfig, flag_of
from sweeps.names import LONGEST, is_safe


def resources_of(config: SweepConfig) -> dict[str, float]:
    """`--resources` by name. UserError for what is no amount."""
    found: dict[str, float] = {}
    for text in config.resources or ():
        name, equals, amount = text.partition("=")
        try:
            found[name] = float(amount)
        except ValueError:
            equals = ""
        if not (name and equals and math.isfinite(found[name]) and found[name] > 0):
            raise UserError(f"--resources: {text} is no NAME=AMOUNT, such as gpu=1")
    return found


def check_flags(config: SweepConfig) -> None:
    """Check all that can be checked without loading anything heavy.

    Raises:
        UserError: an empty list, an unknown recipe, setting or object, a number out of range, a folder that
            is not there.
    """
    for name in config.recipe or ():
        if name not in RECIPES:
            listed = ", ".join(RECIPES)
            raise UserError(f"--recipe: unknown recipe '{name}'{nearest(name, RECIPES)}; recipes: {listed}")
    check_common(config.settings)
    _check_set(config)
    if config.objects is not None and (config.data is None or not any(config.objects)):
        resolve_objects([name for name in config.objects if name.strip()])  # else the folder has its own
    for flag in ("recipe", "backbones", "heads", "loss_weights", "seeds"):
        if getattr(config, flag) == ():
            raise UserError(f"--{flag.replace('_', '-')}: the list is empty")
    if config.like is not None and config.resume:
        raise UserError("--like: it starts a sweep, and --resume goes on with one: give one of them")
    _check_numbers(config)
    for key, *texts in config.vary:
        if not texts:
            raise UserError(f"--vary {key}: give the values to compare, such as --vary optim.lr 1e-3 3e-3")
    for name, *settings in config.case:
        if "=" in name or not name:
            raise UserError(f"--case: begin with a name for {' '.join([name, *settings])}")
        check_once(f"--case {name}", settings)
    from epropnp.data.remote import is_uri  # brings pyarrow: --help answers at once

    data, backgrounds = config.data, config.backgrounds
    if data is not None and without_credentials(data) != data:
        raise UserError(
            f"--data: {data} holds keys, which would be stored and shown: leave them out, and give them in "
            "environment variables (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) or in ~/.aws/credentials"
        )
    if data is not None and not is_uri(data) and not Path(data).exists():
        raise UserError(f"--data: no folder or mesh {data}; check the path, or leave the flag out")
    if backgrounds is not None and not backgrounds.is_dir():
        raise UserError(f"--backgrounds: no folder {backgrounds}; check the path, or leave the flag out")
    if config.name is not None:
        _check_name(config.name, known=config.resume)


def check_margin(margin: float | None) -> None:
    """UserError for one within which no settings could be called equal."""
    if margin is not None and not (math.isfinite(margin) and margin > 0):
        raise UserError(f"--margin: {margin} is not a finite number above 0")


def _check_numbers(config: SweepConfig) -> None:
    """UserError for one that is out of range."""
    for flag, least in (
        *(("epochs", 1), ("trials_at_once", 1), ("retries", 0)),
        *(("trials", 1), ("max_seeds", 2), ("confirm", 1)),
    ):
        value = getattr(config, flag)
        if isinstance(value, int) and value < least:
            raise UserError(f"--{flag.replace('_', '-')}: {value} is not at least {least}")
    if config.hours is not None and not (math.isfinite(config.hours) and config.hours > 0):
        raise UserError(f"--hours: {config.hours} is not a finite number above 0")
    resources_of(config)
    check_margin(config.margin)
    for weight in config.loss_weights or ():
        if not (math.isfinite(weight) and weight >= 0):
            raise UserError(f"--loss-weights: {weight} is not a finite number >= 0")
    for seed in config.seeds or ():
        if seed < 0:
            raise UserError(f"--seeds: {seed} is negative")


def _check_name(name: str, *, known: bool) -> None:
    """UserError for a name that not every system takes; sweeps of older versions may have others."""
    if not is_safe(name) and not (known and re.fullmatch(r"[^\W_][\w.-]*", name)):
        raise UserError(
            f"--name: '{name}' may hold the letters A to Z and a to z, digits and . _ - only, begins with a "
            f"letter or digit, and has at most {LONGEST} characters"
        )


def check_kept(config: SweepConfig) -> None:
    """UserError where a resumed sweep needs credentials, of which nothing is kept."""
    if config.ray_address is not None and HIDDEN in config.ray_address:
        raise UserError("--ray-address: give it again: the credentials that it was given with are not kept")


def _check_set(config: SweepConfig) -> None:
    """UserError for a setting that tells trials apart, and for one that is set in two ways."""
    for setting in config.settings:
        key, _ = key_and_text(setting)
        if key in SHORT.values():
            raise UserError(f"--set: {key} tells the trials of a sweep apart; use {flag_of(key)}")
        if key == "build.backgrounds" and config.backgrounds is not None:
            raise UserError(f"--set: {key} is what --backgrounds gives: give it once")
    check_once("--set", config.settings)
