"""`KEY=VALUE` settings of a command line, applied to a trial's config: `optim.lr=1e-3`."""

import math
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from epropnp.errors import UserError, nearest
from epropnp.plain import convert, from_dict, to_dict, without_none
from epropnp.settings import Setting, settings_of
from epropnp.training.config import TrialConfig

_SWITCH = {"yes": True, "true": True, "no": False, "false": False}


def override(config: TrialConfig, settings: Sequence[str]) -> TrialConfig:
    """Apply settings in their order; what a value may look like follows from the setting's type.

    Numbers and texts are written as they are, switches as `yes` or `no`, lists with commas (`10,20`), pairs
    with a colon (`name:0.1`), the absence of a value as `none`, which of lists is the empty one.

    Args:
        config: what to start from; it stays as it is.
        settings: `KEY=VALUE` each, the key dotted as in `flatten`.

    Raises:
        UserError: not of that form, an unknown key (naming the nearest), a value that does not fit its
            setting or contradicts another one.
    """
    values = to_dict(config)
    for key, value in read_settings(settings).items():
        *groups, name = key.split(".")
        branch = values
        for group in groups:
            branch = branch[group]
        branch[name] = value
    return from_dict(TrialConfig, values)


def read_settings(settings: Iterable[str], known: Iterable[Setting] | None = None) -> dict[str, Any]:
    """The values of `KEY=VALUE` settings; each fits its setting, whatever they are to be applied to.

    Args:
        settings: as of `override`.
        known: what there is to set; None: what a trial's config has.

    Raises:
        UserError: as `override`.
    """
    by_key = {setting.key: setting for setting in known or settings_of(TrialConfig)}
    values: dict[str, Any] = {}
    for given in settings:
        key, equals, text = (part.strip() for part in given.partition("="))
        if not equals:
            raise UserError(f"'{given}' is not KEY=VALUE, such as optim.lr=1e-3")
        if key not in by_key:
            raise UserError(f"unknown setting '{key}'{suggestion(key, by_key)}")
        hint = by_key[key].hint
        values[key] = convert(hint, _plain(hint, text), f"config.{key}")
        by_key[key].check(values[key])
    return values


def key_and_text(setting: str) -> tuple[str, str]:
    """The two sides of a `KEY=VALUE` setting."""
    key, _, text = setting.partition("=")
    return key.strip(), text.strip()


def check_once(where: str, settings: Iterable[str]) -> None:
    """UserError, which says how to compare them, where `KEY=VALUE` settings give a key two values."""
    found: dict[str, str] = {}
    for key, text in map(key_and_text, settings):
        if found.setdefault(key, text) != text:
            raise UserError(
                f"{where}: {key} is given twice; a sweep compares them: --vary {key} {found[key]} {text}"
            )


def typed(value: Any) -> str:
    """The text that stands for a setting's value on a command line."""
    if isinstance(value, tuple):
        pairs = any(isinstance(part, tuple) for part in value)
        return ",".join(":".join(map(typed, part)) if pairs else typed(part) for part in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def suggestion(key: str, valid: Iterable[str]) -> str:
    """Settings of the same name elsewhere in the tree, else the one that is spelt most alike."""
    name = key.rpartition(".")[2]
    same = [f"'{other}'" for other in valid if other.rpartition(".")[2] == name]
    groups = dict.fromkeys(other.partition(".")[0] for other in valid if "." in other)
    if same:
        return f"; did you mean {' or '.join(same)}?"
    return nearest(key, valid) or f"; settings begin with {', '.join(f'{group}.' for group in groups)}"


def _plain(hint: Any, text: str) -> Any:
    """The value that a text stands for, or the text itself, which `from_dict` then refuses."""
    bare, arguments = without_none(hint), typing.get_args(hint)
    if bare is not hint:
        return _plain(bare, text) if _is_list(bare) or text.lower() != "none" else None
    if typing.get_origin(hint) is tuple:
        return [] if _is_list(hint) and text.lower() == "none" else _plain_list(arguments, text, ",")
    if typing.get_origin(hint) is Literal:
        return next((option for option in arguments if str(option) == text), text)
    if hint is bool:
        return _SWITCH.get(text.lower(), text)
    try:
        value = hint(text)
    except ValueError:
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value


def _is_list(hint: Any) -> bool:
    return typing.get_origin(hint) is tuple and typing.get_args(hint)[-1] is Ellipsis


def _plain_list(hints: tuple[Any, ...], text: str, separator: str) -> list[Any]:
    parts = [part.strip() for part in text.split(separator)] if text else []
    if hints[-1] is Ellipsis:
        hints = hints[:1] * len(parts)
    if len(hints) != len(parts):
        return parts
    return [
        _plain_list(typing.get_args(hint), part, ":")
        if typing.get_origin(hint) is tuple
        else _plain(hint, part)
        for hint, part in zip(hints, parts, strict=True)
    ]
