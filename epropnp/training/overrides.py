"""`KEY=VALUE` settings of a command line, applied to a trial's config: `optim.lr=1e-3`."""

import dataclasses
import math
import typing
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

from epropnp.errors import UserError, nearest
from epropnp.plain import from_dict, to_dict, without_none
from epropnp.training.config import TrialConfig

_SWITCH = {"yes": True, "true": True, "no": False, "false": False}


def override(config: TrialConfig, settings: Sequence[str]) -> TrialConfig:
    """Apply settings in their order; what a value may look like follows from the setting's type.

    Numbers and texts are written as they are, switches as `yes` or `no`, lists with commas (`10,20`), pairs
    with a colon (`name:0.1`), the absence of a value as `none`.

    Args:
        config: what to start from; it stays as it is.
        settings: `KEY=VALUE` each, the key dotted as in `flatten`.

    Raises:
        UserError: not of that form, an unknown key (naming the nearest), or a value that does not fit.
    """
    hints = dict(_leaves(TrialConfig))
    values = to_dict(config)
    for setting in settings:
        key, equals, text = (part.strip() for part in setting.partition("="))
        if not equals:
            raise UserError(f"'{setting}' is not KEY=VALUE, such as optim.lr=1e-3")
        if key not in hints:
            raise UserError(f"unknown setting '{key}'{_suggestion(key, hints)}")
        *groups, name = key.split(".")
        branch = values
        for group in groups:
            branch = branch[group]
        branch[name] = _plain(hints[key], text)
    return from_dict(TrialConfig, values)


def _leaves(kind: type[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted key and type hint of every setting."""
    for name, hint in typing.get_type_hints(kind).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            yield from _leaves(hint, f"{prefix}{name}.")
        else:
            yield prefix + name, hint


def _suggestion(key: str, valid: Iterable[str]) -> str:
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
        return None if text.lower() == "none" else _plain(bare, text)
    if typing.get_origin(hint) is tuple:
        return _plain_list(arguments, text)
    if typing.get_origin(hint) is Literal:
        return next((option for option in arguments if str(option) == text), text)
    if hint is bool:
        return _SWITCH.get(text.lower(), text)
    try:
        value = hint(text)
    except ValueError:
        return text
    return value if hint is str or math.isfinite(value) else text


def _plain_list(hints: tuple[Any, ...], text: str) -> list[Any]:
    several = hints[-1] is Ellipsis
    parts = [part.strip() for part in text.split("," if several else ":")] if text else []
    if several:
        hints = hints[:1] * len(parts)
    if len(hints) != len(parts):
        return parts
    return [_plain(hint, part) for hint, part in zip(hints, parts, strict=True)]
