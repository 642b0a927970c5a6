"""What can be said of a setting at the setting itself: its range, and below it, its help.

    lr: Annotated[float, Range(least=0)] = 1e-4
    \"\"\"Peak learning rate.\"\"\"

Light and of no room: all config dataclasses use it, those of the PnP layer, too.
"""

import ast
import dataclasses
import functools
import inspect
import math
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import attrgetter
from typing import Annotated, Any

from epropnp.errors import UserError
from epropnp.plain import without_none


@dataclass(frozen=True, kw_only=True)
class Range:
    """The finite numbers that a setting may have, or each number of its list; outside, it would mean nothing.

    Attributes:
        least, most: bounds that are in the range.
        above, below: bounds that are not.
    """

    least: float | None = None
    most: float | None = None
    above: float | None = None
    below: float | None = None

    def __contains__(self, value: float) -> bool:
        return (
            math.isfinite(value)
            and (self.least is None or value >= self.least)
            and (self.most is None or value <= self.most)
            and (self.above is None or value > self.above)
            and (self.below is None or value < self.below)
        )

    def __str__(self) -> str:
        """In words that follow `is not`."""
        if self.least is not None and self.most is not None:
            return f"between {self.least} and {self.most}"
        if self.least is not None and self.below is not None:
            return f"from {self.least} to below {self.below}"
        bounds = {"at least": self.least, "above": self.above, "at most": self.most, "below": self.below}
        stated = [f"{words} {bound}" for words, bound in bounds.items() if bound is not None]
        return " and ".join(stated) or "finite"


Share = Annotated[float, Range(least=0, most=1)]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One leaf of a config tree.

    Attributes:
        key: dotted, such as `optim.lr`.
        hint: its type.
        range: of its numbers; None where it holds none.
        owner: the dataclass that it is a field of.
    """

    key: str
    hint: Any
    range: Range | None
    owner: type

    @property
    def choices(self) -> tuple[Any, ...]:
        """All values that it may have, where they are few."""
        hint = without_none(self.hint)
        if hint is bool:
            return ("yes", "no")
        return typing.get_args(hint) if typing.get_origin(hint) is typing.Literal else ()

    @property
    def limits(self) -> str:
        """Its range or choices in words; empty for a text."""
        words = ", ".join(map(str, self.choices)) or str(self.range or "")
        optional = words and type(None) in typing.get_args(self.hint)
        return f"{words}, or none" if optional else words

    @property
    def help(self) -> str:
        """The docstring below the field as one line; empty where there is none."""
        return _docstrings(self.owner).get(self.key.rpartition(".")[2], "")

    def check(self, value: Any) -> None:
        """UserError where a number of the value is out of range."""
        for number in _numbers(value):
            if self.range is not None and number not in self.range:
                missed = self.range if math.isfinite(number) else "finite"
                raise UserError(f"{self.key}: {number} is not {missed}")


@functools.cache
def settings_of(kind: type, prefix: str = "") -> tuple[Setting, ...]:
    """Every setting of a tree of config dataclasses, in its order."""
    plain = typing.get_type_hints(kind)
    found: list[Setting] = []
    for name, hint in typing.get_type_hints(kind, include_extras=True).items():
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            found += settings_of(hint, f"{prefix}{name}.")
            continue
        notes = typing.get_args(hint)[1:] if typing.get_origin(hint) is Annotated else ()
        limits = next((note for note in notes if isinstance(note, Range)), None)
        found.append(Setting(key=prefix + name, hint=plain[name], range=limits, owner=kind))
    return tuple(found)


def check_ranges(config: object) -> None:
    """UserError naming the first setting of a config tree that is out of its range."""
    kind: type = type(config)
    for setting in settings_of(kind):
        setting.check(attrgetter(setting.key)(config))


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, tuple):
        for part in value:
            yield from _numbers(part)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield value


@functools.cache
def _docstrings(kind: type) -> dict[str, str]:
    """The text below each field; Python keeps it in the source alone."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    texts: dict[str, str] = {}
    for field, below in pairwise(definition.body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            texts[field.target.id] = " ".join(str(below.value.value).split())
    return texts
