"""From command lines to the space of a sweep: the first says what is compared, later ones add to it."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from epropnp.errors import UserError
from epropnp.training.identity import INCIDENTAL
from epropnp.training.overrides import key_and_text, typed
from epropnp.training.recipes import Recipe, small
from sweeps.build_settings import is_fixed
from sweeps.flags import SHORT, SweepConfig, flag_of
from sweeps.space import CASE, OWN, RECIPE, Axis, Choice, Space, by_key, choice

FOR_ALL = {"epochs": "optim.epochs", "pretrained": "model.pretrained"}  # flags that set all trials
FIXED = ("small", "set", *FOR_ALL)  # what the trials of a sweep have in common


def space_of(commands: Sequence[SweepConfig], recipes: Mapping[str, Recipe]) -> Space:
    """What one sweep compares that was started by the first command and gone on with by the others.

    A later command adds values to axes. An axis that it is the first to name has the value, too, that all
    trials had before: what was trained stays a part of the sweep.

    Args:
        commands: their flags, checked; the first names its recipes.
        recipes: by name.

    Raises:
        UserError: a later command changes what holds for all trials, or what a case means.
    """
    first = commands[0]
    for later in commands[1:]:
        _check_unchanged(first, later)
    common = [*common_settings(first), *(text for later in commands[1:] for text in _incidental(later))]
    had = by_key(common)
    axes: dict[str, list[Choice]] = {}
    for number, command in enumerate(commands):
        for name, choices in varied(command).items():
            if number and name not in axes:
                axes[name] = [choice(name, had.pop(name)) if name in had else OWN]
            axes[name] = list(dict.fromkeys([*axes.get(name, []), *choices]))
    _check_cases(axes.get(CASE, []))
    chosen = [recipes[name.name] for name in axes.pop(RECIPE, [])]
    return Space(
        recipes=[small(recipe) for recipe in chosen] if first.small else chosen,
        axes=[Axis(name=name, choices=tuple(choices)) for name, choices in axes.items()],
        settings=[f"{key}={text}" for key, text in had.items()],
    )


def varied(command: SweepConfig) -> dict[str, list[Choice]]:
    """The axes that one command line names, with the values that it gives.

    Raises:
        UserError: a setting is varied by a flag of its own and by `--vary`, or twice.
    """
    found: dict[str, list[Choice]] = {}
    for flag, key in SHORT.items():
        values: Sequence[Any] | None = getattr(command, flag)
        if values is not None:
            found[key] = [choice(key, typed(value)) for value in values]
    for key, *texts in command.vary:
        if key in found:
            raise UserError(f"--vary: {key} is varied by {flag_of(key)} already: give it once")
        found[key] = [choice(key, text) for text in texts]
    cases = [Choice(name=name, settings=tuple(settings)) for name, *settings in command.case]
    return found | ({CASE: cases} if cases else {})


def doubles(command: SweepConfig) -> list[str]:
    """Values that a command line gives twice for one axis, in words."""
    return [
        f"{name} {each.name}, given twice"
        for name, choices in varied(command).items()
        for each in dict.fromkeys(choices)
        if choices.count(each) > 1
    ]


def common_settings(command: SweepConfig) -> list[str]:
    """`KEY=VALUE` of all trials: flags that are settings, and over them those of `--set`."""
    flags = {key: getattr(command, flag) for flag, key in FOR_ALL.items()}
    named = [f"{key}={typed(value)}" for key, value in flags.items() if value is not None]
    return [*named, *command.settings]


def merged(commands: Sequence[SweepConfig]) -> SweepConfig:
    """Where and how a sweep runs: each flag as the last command has it that gives it."""
    defaults = vars(SweepConfig())
    found = commands[0]
    for later in commands[1:]:
        given = {name: value for name, value in vars(later).items() if value != defaults[name]}
        found = dataclasses.replace(found, **{name: given[name] for name in given if name not in FIXED})
    return found


def _incidental(command: SweepConfig) -> list[str]:
    """Settings of `--set` that may change at any time, for no number depends on them."""
    return [each for each in command.settings if key_and_text(each)[0] in INCIDENTAL]


def _check_unchanged(first: SweepConfig, later: SweepConfig) -> None:
    if later.small and not first.small:
        raise UserError("--small: the sweep was started without it; start another one")
    before, now = (by_key(common_settings(command)) for command in (first, later))
    for key, text in now.items():
        if key not in INCIDENTAL and before.get(key) != text:
            had = f"{key}={before[key]}" if key in before else f"{key} as its recipe has it"
            advice = f"`--vary {key} {text}` adds trials with {text}, beside those that are there"
            if is_fixed(key):
                advice = "it decides what is tested, so that another value needs another sweep"
            raise UserError(f"the trials of this sweep have {had}: {advice}")


def _check_cases(cases: Sequence[Choice]) -> None:
    meaning: dict[str, Choice] = {}
    for case in cases:
        known = meaning.setdefault(case.name, case)
        if known != case:
            had, now = (" ".join(each.settings) or "no setting" for each in (known, case))
            raise UserError(f"--case {case.name} stands for {had}, and not for {now}: use another name")
