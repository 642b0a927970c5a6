"""Command line: score saved predictions again, or test a network on any dataset, without training."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.markup import escape

from epropnp.command_line import parse, run_program, say, shown_as
from epropnp.errors import UserError
from epropnp.evaluation.thresholds import Thresholds
from epropnp.files import replaced
from epropnp.models.config import own_file

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from epropnp.evaluation.calibration import Calibration
    from epropnp.evaluation.predictions import Predictions

PROG = "python -m epropnp.evaluate"
DESCRIPTION = """Score the predictions of a trial again, or test a network: accuracies with confidence
intervals, calibration.

Examples:
  python -m epropnp.evaluate runs/first/trials/a/predictions.parquet
      scores.csv, scores.md and calibration.png beside the predictions
  python -m epropnp.evaluate predictions.parquet --thresholds.add 0.01 0.1 --thresholds.px 3
      other thresholds
  python -m epropnp.evaluate predictions.parquet --bop-csv method_lm-test.csv
      for the BOP toolkit, too
  python -m epropnp.evaluate runs/first/trials/a --data data/0123456789ab
      a trained network on another dataset's test split
  python -m epropnp.evaluate official.pth --data data/0123456789ab
      the same of a checkpoint of the official code
"""
PREDICTIONS = Path("predictions.parquet")
NOTES = (
    "Percent, averaged over objects, with 95 % bootstrap intervals over images. add_mean: of the ADD(-S) "
    "rows. add_area: area under the ADD(-S) curve up to 0.1 d; add_auc_10cm: up to 10 cm. mssd_ar, mspd_ar: "
    "average recalls of BOP.",
    "coverage: images whose truth lies in the 50, 80, 95 % credible region, by posterior samples, and "
    "(cov) by the covariance alone. nll: -log p(truth).",
)


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What to score, and how."""

    predictions: tyro.conf.Positional[Path]
    """predictions.parquet of a trial; or a network to test: a trial's folder or best.pt, its export as ONNX,
    or a checkpoint of the official code."""
    data: Annotated[str | None, shown_as("DATASET")] = None
    """Dataset to test a network on, or whose object models to score with. Default of the latter: those in the
    file."""
    thresholds: Thresholds = field(default_factory=Thresholds)
    output: Annotated[Path | None, shown_as("FOLDER")] = None
    """Where scores.csv, scores.md and calibration.png go, and a network's predictions and latency. Default:
    beside the predictions; a folder `tested-DATASET` beside a network."""
    device: Annotated[str | None, shown_as("DEVICE")] = None
    """Of a network, such as `cpu`. Default: a GPU where there is one."""
    bop_csv: Annotated[Path | None, shown_as("FILE")] = None
    """Also write a results file of the BOP challenge, whose toolkit computes VSD from the depth images."""
    resamples: int = 1000
    """Of the bootstrap."""


def evaluate(arguments: Arguments, console: Console) -> None:
    """Score, print, and write the files. UserError where something is missing or cannot be written."""
    from epropnp.data.reader import ArrowDataset
    from epropnp.evaluation.bop_results import write_bop_results
    from epropnp.evaluation.calibration import calibrate
    from epropnp.evaluation.error_file import errors_beside
    from epropnp.evaluation.pose_errors import pose_errors
    from epropnp.evaluation.predictions import Predictions
    from epropnp.evaluation.score_table import merged, score_list, score_table, table_columns
    from epropnp.evaluation.scores import best_of_hypotheses, estimates, image_scores
    from epropnp.evaluation.table import print_table
    from epropnp.evaluation.table_text import to_csv, to_markdown
    from epropnp.visualization.calibration import save_calibration

    if arguments.resamples < 1:
        raise UserError(f"--resamples is {arguments.resamples}, it must be at least 1")
    file = arguments.predictions if _is_file_of_predictions(arguments) else _tested(arguments, console)
    predictions = Predictions.read(file)
    if not len(predictions):
        raise UserError(f"{file} holds no predictions")
    if arguments.data is None:
        objects = predictions.objects
        errors = errors_beside(predictions, objects, file)
    else:
        objects = ArrowDataset(arguments.data).objects
        errors = pose_errors(predictions, objects)
    values = image_scores(errors, arguments.thresholds)
    values |= best_of_hypotheses(predictions, objects, arguments.thresholds)
    scores = estimates(values, predictions.object_id, resamples=arguments.resamples)
    calibration = calibrate(predictions, objects)
    if len(calibration.object_id):
        per_image = calibration.image_values()
        scores = merged(scores, estimates(per_image, calibration.object_id, resamples=arguments.resamples))
    columns = table_columns(scores, {key: model.name for key, model in objects.items()})
    title = f"{file} ({len(predictions)} images)"
    notes = [*NOTES, *_remarks(predictions, calibration)]
    table = score_table(columns)
    say(console, title)
    print_table(table, console)
    for note in notes:
        console.print(note, markup=False, highlight=False)

    folder = arguments.output or file.parent
    _write(folder / "scores.csv", to_csv(score_list(columns)), console)
    _write(folder / "scores.md", to_markdown(replace(table, title=title, notes=notes)), console)
    save_calibration(calibration, folder / "calibration.png")
    say(console, f"wrote {folder / 'calibration.png'}")
    if arguments.bop_csv is not None:
        left_out = write_bop_results(predictions, arguments.bop_csv)
        say(console, f"wrote {arguments.bop_csv} ({left_out} images without a pose left out)")


def _is_file_of_predictions(arguments: Arguments) -> bool:
    return arguments.predictions.suffix == PREDICTIONS.suffix


def _tested(arguments: Arguments, console: Console) -> Path:
    """Tests a network, and returns the file of its predictions."""
    from epropnp.data.reader import ArrowDataset
    from epropnp.evaluation.network_test import predict_test
    from epropnp.inference.device import chosen_device
    from epropnp.inference.latency import LATENCY_FILE, measure
    from epropnp.inference.model import is_trained_model, load_model, load_released_model

    if arguments.data is None:
        raise UserError(f"{arguments.predictions}: to test a network, give --data DATASET")
    path = own_file(str(arguments.predictions))
    dataset = ArrowDataset.verified(arguments.data)
    device = chosen_device(arguments.device)
    if is_trained_model(path):
        model = load_model(path, device)
    else:
        model = load_released_model(path, dataset.objects, device)
    if (released := model.inference.net.released) is not None:
        say(console, f"{path}: {released.summary}")
    with console.status(escape(f"testing {path} on {len(dataset.split('test'))} images")):
        predictions = predict_test(model, dataset)
    folder = arguments.output or path.parent / f"tested-{dataset.dataset_id}"
    with replaced(folder / PREDICTIONS) as unfinished:
        predictions.write(unfinished)
    say(console, f"wrote {folder / PREDICTIONS}")
    with console.status("measuring its latency"):
        latency = measure(model.inference)
    latency.write(folder)
    say(console, f"{latency.words}; wrote {folder / LATENCY_FILE}")
    return folder / PREDICTIONS


def _remarks(predictions: "Predictions", calibration: "Calibration") -> list[str]:
    """What a reader must know of this file."""
    remarks = []
    if calibration.left_out:
        remarks.append(
            f"{calibration.left_out} of {len(predictions)} images have no valid pose: "
            "left out of the calibration; as a pose that is not finite, they are misses."
        )
    if predictions.probability is not None:
        remarks.append(
            f"best_of_{predictions.probability.shape[1]}: if the better one of an image's several poses had "
            f"been known; the predicted one has a probability of {_mean_probability(predictions):.3f} "
            "on average."
        )
    if predictions.posterior is None:
        remarks.append("The posterior was not sampled: no coverage by samples, no nll.")
    for name, found in vars(predictions.temperatures).items():
        if found.scale != 1 or found.tail:
            remarks.append(
                f"Corrected on the validation split: {name} scale {found.scale:.3f}, tail {found.tail:.3f}."
            )
    return remarks


def _mean_probability(predictions: "Predictions") -> float:
    """Of the predicted poses, where there is one."""
    assert predictions.probability is not None
    return float(predictions.probability[predictions.valid, 0].mean()) if predictions.valid.any() else 0.0


def _write(path: Path, text: str, console: Console) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None
    say(console, f"wrote {path}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; see `run_program` for the exit code."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_program(lambda: evaluate(parse(Arguments, DESCRIPTION, words, PROG), Console()))


if __name__ == "__main__":
    sys.exit(main())
