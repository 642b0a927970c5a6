"""What a command line of the main job asks for, alone or to go on with a sweep that others have begun."""

import contextlib
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from epropnp.command_line import parse
from epropnp.credentials import without_credentials
from epropnp.errors import UserError, nearest
from epropnp.training.overrides import override
from epropnp.training.recipes import Recipe
from sweeps.axes import merged
from sweeps.build_settings import taken_apart
from sweeps.flag_checks import resources_of
from sweeps.flags import DESCRIPTION, SweepConfig
from sweeps.names import safe_name
from sweeps.program import PROG, go_on_command
from sweeps.running.keep import USUAL
from sweeps.running.options import NOT_REGISTERED, Options

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from rich.console import Console

    from sweeps.folder import Sweep
    from sweeps.running.session import Wanted
    from sweeps.space import Space


@dataclasses.dataclass(frozen=True)
class Called:
    """What a command line asks for.

    Attributes:
        commands: the flags of all command lines of the sweep, this one the last.
        words: of this one.
        sweep: to go on with; None: a new one.
        like: the sweep that it repeats.
    """

    commands: Sequence[SweepConfig]
    words: Sequence[str]
    sweep: "Sweep | None" = None
    like: "Sweep | None" = None

    @property
    def config(self) -> SweepConfig:
        """Each flag as the last command line has it that gives it."""
        return merged(self.commands)

    @property
    def options(self) -> Options:
        """How the trials are to be run; for how long, this command line alone says."""
        config, now, usual = self.config, self.commands[-1], Options()
        released = config.stop == "none" != now.stop  # by an earlier call: who is stopped now stays so
        return Options(
            at_once=config.trials_at_once,
            resources=resources_of(config),
            check=config.check,
            retries=usual.retries if config.retries is None else config.retries,
            figures=config.figures is not False,
            keep=config.keep or USUAL,
            stop=None if released else config.stop,
            known=self._known,
            register=None if config.register == NOT_REGISTERED else config.register or "",
            hours=now.hours,
            hours_in_all=now.resume_or_start,
        )

    @property
    def _known(self) -> bool:
        """Whether known results are taken over; a repeat does not go by what the repeated sweep said."""
        own = list(self.commands)
        while any(command.like is not None for command in own[1:]):
            del own[0]
        said = [command.known for command in own if command.known is not None]
        return said[-1] if said else self.config.like is None

    def wanted(self, space: "Space") -> "Wanted":
        """What Ray is to be started for, as far as it is known before networks are looked at."""
        from sweeps.running.session import Wanted

        own, _ = taken_apart(space.settings)
        configs = [override(recipe.base, own) for recipe in space.recipes]
        options = self.options
        return Wanted(
            address=self.config.ray_address,
            cores=max(config.cores for config in configs),
            at_once=None if options.at_once == "auto" else options.at_once,
            resources=options.resources,
        )

    def folder(self, recipes: Sequence[Recipe]) -> Path:
        """Of the sweep, to be made by these recipes or gone on with. UserError where one is in the way."""
        if self.sweep is not None:
            return self.sweep.folder
        config = self.config
        names, now = "-".join(recipe.name for recipe in recipes), f"-{time.strftime('%Y%m%d-%H%M%S')}"
        folder = config.out.resolve() / (config.name or safe_name(names, now))
        if folder.exists() and not config.resume_or_start:
            again = self.again(folder.name)
            raise UserError(f"--name: {folder} exists; choose another name, or go on with it: {again}")
        return folder

    def again(self, name: str) -> str:
        """The whole command that goes on with the sweep of a name; other flags may follow."""
        address = self.config.ray_address
        return go_on_command(name, self.config.out, address and without_credentials(address))

    def with_recipe(self, console: "Console") -> "Called":
        """The same, with the recipe that fits this machine if the sweep was started without one."""
        first, *others = self.commands
        if first.recipe is not None:
            return self
        name = _recipe_of_this_machine(console)
        first = dataclasses.replace(first, recipe=(name,))
        words = self.words if others else [*self.words, "--recipe", name]
        return dataclasses.replace(self, commands=(first, *others), words=words)


def called_of(command: SweepConfig, words: Sequence[str]) -> Called:
    """The command lines of the sweep to go on with, and this one; alone, if a sweep is to be started."""
    if not (command.resume or command.resume_or_start):
        return _started(command, words)
    from sweeps.folder import find_sweeps, open_sweep

    found = find_sweeps(command.out, command.name)
    if found:
        sweep = open_sweep(found[-1])
        commands = (*_parsed(sweep.commands), command)
        return Called(commands, words, sweep, _repeated(merged(commands)))
    if command.resume_or_start:
        return _started(command, words)
    what = f"sweep '{command.name}'" if command.name else "sweep"
    meant = nearest(command.name, [each.name for each in find_sweeps(command.out)]) if command.name else ""
    advice = meant or "; start one without --resume"
    raise UserError(f"--resume: no {what} in {command.out.resolve()}{advice}")


def _started(command: SweepConfig, words: Sequence[str]) -> Called:
    """A new sweep, of its own or like another one."""
    if command.like is None:
        return Called((command,), words)
    from sweeps.like import lines_of, source_of

    source = source_of(command.like, command.out)
    return Called((*_parsed(lines_of(source)), command), words, like=source)


def _repeated(config: SweepConfig) -> "Sweep | None":
    """What a sweep that is gone on with repeats, if that is still there."""
    from sweeps.like import source_of

    with contextlib.suppress(UserError):
        return None if config.like is None else source_of(config.like, config.out)
    return None


def _parsed(lines: Sequence[Sequence[str]]) -> list[SweepConfig]:
    return [parse(SweepConfig, DESCRIPTION, words, PROG) for words in lines]


def _recipe_of_this_machine(console: "Console") -> str:
    import torch
    from rich.text import Text

    if torch.cuda.is_available():
        console.print(f"CUDA device found: recipe paper ({torch.cuda.get_device_name()})", markup=False)
        return "paper"
    console.rule(Text("NO GPU: recipe QUICK", style="bold yellow"), style="yellow")
    console.print(
        "Small networks, small images, one object: a comparison in minutes, not the published "
        "study.\nThe study itself: --recipe paper, on a machine with a CUDA device."
    )
    console.rule(style="yellow")
    return "quick"
