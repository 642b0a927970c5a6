"""Command line: train and test one network, without Ray or MLflow; `sweeps/backbones.py` compares several."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from epropnp.command_line import Pattern, YesNo, console_or_file, parse, run_program, say, shown_as
from epropnp.errors import UserError, nearest
from epropnp.training.halt import STOP_FILE, InterruptionError, StopError, TerminatedError
from epropnp.training.overrides import check_once, override
from epropnp.training.recipes import RECIPES, small, study_head

if TYPE_CHECKING:  # imported where they are used: whatever is mistyped is answered at once
    from rich.console import Console

    from epropnp.training.config import TrialConfig
    from epropnp.training.result import TrialResult
    from epropnp.training.trainer import Trainer

PROG = "python -m epropnp.train"
DESCRIPTION = """Train one network on a built dataset, test its best weights once, and save all predictions.

Examples:
  python pipelines/prepare.py build --objects cat
      first the data: renderings of a stand-in cat; it says the dataset's folder
  python -m epropnp.train --data data/0123456789ab --out runs/first
      recipe `quick`: a small network, minutes without a GPU
  python -m epropnp.train --data data/0123456789ab --out runs/first
      the same again: it goes on from the checkpoint in runs/first
  python -m epropnp.train --data s3://bucket/0123456789ab --out runs/paper --recipe paper \\
      --backbone hrnet_w32 --keep-every 20
      a network of the published study, with the head that the study gave it
  python -m epropnp.train --data data/0123456789ab --out runs/warm --backbone resnet18 \\
      --head fpn --set optim.lr=1e-3 loss.mc=0.1 optim.clip_norm=none optim.milestones=0.5,0.8
      any setting of the config, over what the recipe says
  python -m epropnp.train --data data/0123456789ab --out runs/check --overfit 8
      a sanity check: can it learn 8 images by heart? Exit code 1 if it cannot
  python -m epropnp.train --list-recipes
      what there is to start from
  python -m epropnp.train --recipe best --list-settings 'optim.*'
      what --set may change, and what the recipe says

Results: OUT/result.json, predictions.parquet, validation.parquet, checkpoint.pt, best.pt; pictures:
predictions.png (poses on test images), calibration.png, curves.png, epochs.png (an animation).
"""
GO_ON = "the same command goes on from the last checkpoint"
OVERFIT_EPOCHS = 40  # of 20 updates: enough for the networks of `quick` to learn a few images by heart
BUILD = "build one with `python pipelines/prepare.py build --objects cat` and give the folder that it names"


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What is trained, on what data, and where the results go."""

    data: Annotated[str | None, tyro.conf.arg(metavar="FOLDER|URI", help_behavior_hint="(required)")] = None
    """A built dataset: its folder, or a URI (`s3://...`) that is copied here once."""
    out: Annotated[Path | None, tyro.conf.arg(metavar="FOLDER", help_behavior_hint="(required)")] = None
    """Where the results go. A training that was begun there is gone on with."""
    recipe: Annotated[str, tyro.conf.arg(metavar="NAME")] = "quick"
    """What all settings start from; see --list-recipes."""
    backbone: Annotated[str | None, shown_as("NAME")] = None
    """A timm model. Default: the first one of the recipe."""
    head: Annotated[str | None, shown_as("NAME")] = None
    """`deconv`, `direct`, `fpn` or `upsample`. Default: the one that the study gave to such a backbone."""
    seed: Annotated[int, tyro.conf.arg(metavar="N")] = 0
    """Of all random choices."""
    epochs: Annotated[int | None, shown_as("N")] = None
    """Length of the training; 0: only the untrained network is tested. Default: the recipe's, or 40 with
    --overfit."""
    pretrained: YesNo = None
    """Start from ImageNet weights. Default: the recipe's choice."""
    small: bool = False
    """The recipe at the size of `quick`: small images and networks."""
    set: tyro.conf.UseAppendAction[Annotated[tuple[tuple[str, ...], ...], shown_as("KEY=VALUE ...")]] = ()
    """Settings of the config that go over all others, such as `optim.lr=1e-3`."""
    overfit: Annotated[int | None, shown_as("N")] = None
    """Train on the first N images without augmentation, and test on the same; in batches of N at most."""
    device: Annotated[Literal["cuda", "cpu"] | None, shown_as("{cuda,cpu}")] = None
    """Default: a CUDA device where there is one."""
    keep_every: Annotated[int, shown_as("N")] = 0
    """Keep the weights of every N-th epoch. Default: only the last and the best."""
    list_recipes: bool = False
    """Only print the recipes."""
    list_settings: Pattern = None
    """Only print the settings, or those that match a wildcard: their values here, ranges and help."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 0, 1 (failed to overfit), 2 (bad input), or 128 + that of a signal."""
    words = sys.argv[1:] if arguments is None else arguments
    try:
        return run_program(lambda: _run(parse(Arguments, DESCRIPTION, words, PROG)), f"stopped: {GO_ON}")
    except TerminatedError as signal:
        sys.stderr.write(f"\nstopped by {signal}: {GO_ON}\n")
        return signal.code


def _run(flags: Arguments) -> int:
    if flags.list_recipes:
        return list_recipes()
    _check(flags)
    return train(flags) if flags.list_settings is None else list_settings(flags)


def train(flags: Arguments) -> int:
    """Train as the flags say, and report; see `main` for the exit code."""
    data, out = _data(flags), _out(flags)
    config = trial_config(flags)  # all of this before the imports, which take seconds
    from epropnp.models.backbones import check_backbone

    check_backbone(config.model.backbone)
    from rich.console import Console

    from epropnp.training.progress import TrialProgress
    from epropnp.training.termination import Termination
    from epropnp.training.trainer import Trainer

    console = Console()
    with Termination() as termination:
        trainer = Trainer(config, data, out, _device(flags), keep_every=flags.keep_every)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"--out: {out} cannot be written ({error.strerror})") from None
        _introduce(trainer, console)
        try:
            with TrialProgress(console) as progress:
                result = trainer.fit([termination, progress])  # whose terminal may be gone
        except StopError as stop:
            say(console, f"stopped: {stop}; to go on, remove {out / STOP_FILE} and give the same command")
            return 0
        except InterruptionError:
            raise termination.ended from None
    _report(result, trainer, console)
    return 0 if config.data.overfit is None else _overfit_verdict(result, console)


def trial_config(flags: Arguments) -> "TrialConfig":
    """The config that the flags ask for: the recipe, the flags over it, and `--set` over all.

    Raises:
        UserError: an unknown head or setting, or a value that does not fit.
    """
    recipe = small(RECIPES[flags.recipe]) if flags.small else RECIPES[flags.recipe]
    backbone = flags.backbone or recipe.backbones[0]
    config = recipe.trial(
        backbone,
        flags.head or study_head(backbone),
        recipe.loss_weights[0],
        flags.seed,
        epochs=flags.epochs,
        pretrained=flags.pretrained,
    )
    settings = [setting for given in flags.set for setting in given]
    if flags.overfit is not None:
        batch = min(flags.overfit, config.optim.batch_size)
        epochs = OVERFIT_EPOCHS if flags.epochs is None else flags.epochs
        overfit = (f"data.overfit={flags.overfit}", f"optim.batch_size={batch}", f"optim.epochs={epochs}")
        settings = [*overfit, *settings]
    try:
        return override(config, settings)
    except UserError as error:
        raise UserError(f"--set: {error}") from None


def list_recipes() -> int:
    """Print what there is to start from."""
    from rich.console import Console

    from epropnp.training.listing import described

    console = Console()
    for recipe in RECIPES.values():
        say(console, described(recipe))
    return 0


def list_settings(flags: Arguments) -> int:
    """Print the settings that match the pattern, with their values under the other flags."""
    from epropnp.evaluation.table import print_table
    from epropnp.training.listing import settings_table

    assert flags.list_settings is not None
    config, console = trial_config(flags), console_or_file()
    table = settings_table({config.recipe: config}, flags.list_settings)
    print_table(table, console)
    return 0


def _check(flags: Arguments) -> None:
    """UserError for an unknown recipe and for numbers out of range; light."""
    if flags.recipe not in RECIPES:
        guess = nearest(flags.recipe, RECIPES)
        listed = ", ".join(RECIPES)
        raise UserError(f"--recipe: unknown recipe '{flags.recipe}'{guess} (recipes: {listed})")
    check_once("--set", (setting for given in flags.set for setting in given))
    for name, least in (("epochs", 0), ("overfit", 1), ("seed", 0), ("keep_every", 0)):
        value = getattr(flags, name)
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')}: {value} is not at least {least}")


def _data(flags: Arguments) -> str:
    """Folder or URI of the dataset; UserError where there is none."""
    from epropnp.data.remote import is_uri
    from epropnp.data.schema import MANIFEST

    if flags.data is None:
        raise UserError(f"--data: name a built dataset; {BUILD}")
    if not is_uri(flags.data) and not (Path(flags.data) / MANIFEST).is_file():
        exists = Path(flags.data).exists()
        what = "is not the folder of a built dataset" if exists else "does not exist"
        raise UserError(f"--data: {flags.data} {what}; {BUILD}")
    return flags.data


def _out(flags: Arguments) -> Path:
    if flags.out is None:
        raise UserError("--out: name a folder for the results, such as --out runs/first")
    return flags.out


def _device(flags: Arguments) -> str | None:
    import torch

    if flags.device == "cuda" and not torch.cuda.is_available():
        raise UserError("--device: there is no CUDA device here; leave the flag out")
    return flags.device


def _introduce(trainer: "Trainer", console: "Console") -> None:
    from epropnp.training.record import device_name

    config, dataset, model = trainer.config, trainer.data.dataset, trainer.config.model
    own = model.start or model.released
    weights = f"from {own}" if own else "pretrained" if model.pretrained else "from scratch"
    names = ", ".join(found.name for found in dataset.objects.values())
    say(
        console,
        f"recipe {config.recipe}: {model.backbone} + {model.head}, {trainer.parameters / 1e6:.1f} M "
        f"parameters, {weights}, on {device_name(trainer.device, config.optim.precision)}",
    )
    if (released := trainer.net.released) is not None:
        say(console, f"{model.released}: {released.summary}")
    images, overfit = len(dataset.split("train")), config.data.overfit
    what = _images(images) if overfit is None else f"the first {_images(min(overfit, images))}"
    say(
        console,
        f"dataset {dataset.dataset_id}: {names}; {config.optim.epochs} epochs of "
        f"{trainer.data.steps} updates on {what}",
    )


def _report(result: "TrialResult", trainer: "Trainer", console: "Console") -> None:
    """The scores with their intervals, and where everything is."""
    from epropnp.evaluation.table import print_table
    from epropnp.training.report import PREDICTIONS_FILE, draw_training, scores_of_test

    out, dataset = trainer.work_dir, trainer.data.dataset
    say(
        console,
        f"test: {_images(result.test_images)}, weights of epoch {result.best_epoch}, "
        "percent with 95 % intervals",
    )
    print_table(scores_of_test(out), console)
    say(console, f"results: {out / 'result.json'}, {out / PREDICTIONS_FILE}")
    try:
        pictures = [] if trainer.config.data.overfit else draw_training(result, dataset, out)
        for file in pictures:
            say(console, f"{file.stem}: {file}")
    except UserError as error:  # a full disk: the results are there all the same
        say(console, f"not all pictures are drawn: {error}")
    say(console, f"more scores: python -m epropnp.evaluate {out / PREDICTIONS_FILE}")


def _overfit_verdict(result: "TrialResult", console: "Console") -> int:
    reached = result.test["add_0.10d"]
    passed = reached == 100
    images = f"the {_images(result.test_images)} it was trained on"
    verdict = "passed" if passed else "not passed; more --epochs may do it"
    say(console, f"overfit: ADD(-S) 0.10d {reached:.2f} on {images}: {verdict}")
    return 0 if passed else 1


def _images(count: int) -> str:
    return f"{count} image{'' if count == 1 else 's'}"


if __name__ == "__main__":
    sys.exit(main())
