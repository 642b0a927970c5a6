"""Command line: poses of objects in pictures, by a trained network."""

import contextlib
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from epropnp.command_line import parse, run_program, say, shown_as
from epropnp.errors import UserError
from epropnp.models.config import own_file

if TYPE_CHECKING:  # imported where they are used: --help and a mistyped flag answer at once
    from epropnp.prediction.estimate import Estimate
    from epropnp.prediction.frames import Frame
    from epropnp.prediction.pose_predictor import PosePredictor
    from epropnp.prediction.stream import Solved

PROG = "python -m epropnp.predict"
DESCRIPTION = """Poses of objects in pictures, by a trained network.

Examples:
  python -m epropnp.predict runs/first/trials/a --image x.png --camera K.json --box 310,200,96,120
      one object, in the square around that box (x, y, width, height in pixels)
  python -m epropnp.predict best.pt --image x.png --camera camera.json --box 310,200,96,120 20,40,60,60 \\
      --object cat eggbox
      several objects
  python -m epropnp.predict best.pt --image x.png --camera K.json --box=-12,200,96,120 --posterior
      a box that reaches out of the picture; a picture of the whole distribution
  python -m epropnp.predict best.pt --frames frames.jsonl --bop-csv method_lm-test.csv
      a list, as `pipelines/prepare.py frames` writes it: {"image": "x.png", "K": [...], "box": [x, y, w, h],
      "object": "cat", "scene_id": 2, "image_id": 12} in each line; a second start goes on

Pixels are as stored: an EXIF orientation turns nothing, and K and boxes mean stored pixels. K is a list of
3 x 3 numbers, BOP's camera.json, or its scene_camera.json with --image-id.
"""
TOLD = 10  # notes and errors of a list that are printed


@dataclass(frozen=True, kw_only=True)
class Arguments:
    """What to look at, and with which network."""

    model: tyro.conf.Positional[Path]
    """Folder of a trial, or a checkpoint such as its best.pt."""
    image: Annotated[Path | None, shown_as("PICTURE")] = None
    """One picture; or give --frames."""
    camera: Annotated[Path | None, shown_as("FILE")] = None
    """Its camera, a JSON file."""
    box: Annotated[tuple[str, ...], shown_as("X,Y,W,H ...")] = ()
    """Around each object, in pixels; --box=-5,... where one begins with a minus."""
    object: Annotated[tuple[str, ...], shown_as("NAME ...")] = ()
    """What is in each box, by name or number; one for all. Default: what the network knows, if only one."""
    image_id: Annotated[int | None, shown_as("NUMBER")] = None
    """Of the picture, in a scene_camera.json."""
    frames: Annotated[Path | None, shown_as("FILE")] = None
    """A list of pictures with cameras and boxes, in JSON lines."""
    output: Annotated[Path | None, shown_as("FOLDER")] = None
    """Where poses.jsonl and pictures go. Default: poses-NAME, after the picture or list."""
    overlays: int = 100
    """Draw contour, axes and box into copies of so many pictures, the first ones of a list; 0: none."""
    posterior: bool = False
    """Also draw weights, coordinates and the posterior of each object in those pictures."""
    hypotheses: Annotated[int | None, shown_as("NUMBER")] = None
    """Different poses to look for. Default: as in the network's training."""
    samples: int = 512
    """Of each posterior, for log-evidence and credible region; 0: none."""
    device: Annotated[str | None, shown_as("DEVICE")] = None
    """Such as `cpu`. Default: a GPU where there is one."""
    precision: Annotated[str | None, shown_as("float32|bf16|fp16")] = None
    """Of the network; the poses are always computed in float32. Default: as in its training."""
    bop_csv: Annotated[Path | None, shown_as("FILE")] = None
    """Also write a results file of the BOP challenge, in millimetres."""


def predict(arguments: Arguments, console: Console) -> int:
    """Look, write, and print; returns 1 if a frame of a list has failed, else 0.

    Raises:
        UserError: what is wrong with the model, the list, the folder or, without a list, with the picture.
    """
    _check(arguments)
    frames = None if arguments.frames is not None else [_single(arguments)]
    from epropnp.evaluation.bop_results import write_bop_rows  # these load torch
    from epropnp.prediction.frames import count_lines, read_frames
    from epropnp.prediction.pose_lines import POSES, bop_rows, opened
    from epropnp.prediction.stream import solved

    total = 1 if arguments.frames is None else count_lines(arguments.frames)
    predictor, folder = _predictor(arguments, console), _folder(arguments)
    with opened(folder, _about(arguments, predictor), fresh=arguments.frames is None) as lines:
        if lines.done:
            say(console, f"{folder / POSES} has lines 1 to {lines.done}: going on behind them")
        listed = frames if arguments.frames is None else read_frames(arguments.frames, skip=lines.done)
        told = 0
        with _progress(console) as bar:
            task = bar.add_task("frames", total=total, completed=lines.done)
            for each in solved(predictor, listed or []):
                if each.error is not None and arguments.frames is None:
                    raise UserError(each.error)
                lines.write(each.line, each.rows())
                told = _tell(each, arguments, bar.console, told)
                _draw(each, predictor, arguments, folder)
                bar.update(task, completed=each.line)
        failed = lines.failed
    say(console, f"wrote {folder / POSES}")
    if arguments.bop_csv is not None:
        count = write_bop_rows(bop_rows(folder / POSES), arguments.bop_csv)
        say(console, f"wrote {arguments.bop_csv} ({count} poses)")
    if failed:
        say(console, f"{failed} of {total} lines have failed: see 'error' in {folder / POSES}")
    return int(failed > 0)


def _check(arguments: Arguments) -> None:
    if (arguments.image is None) == (arguments.frames is None):
        raise UserError("give one picture by --image, or a list by --frames")
    of_image = {
        "--camera": arguments.camera is not None,
        "--box": bool(arguments.box),
        "--object": bool(arguments.object),
        "--image-id": arguments.image_id is not None,
    }
    if arguments.frames is not None and (given := [name for name, there in of_image.items() if there]):
        raise UserError(f"{given[0]} is of --image: a list says it in each line")
    if arguments.image is not None and not (of_image["--camera"] and of_image["--box"]):
        missing = "--box X,Y,W,H" if of_image["--camera"] else "--camera FILE"
        raise UserError(f"--image needs {missing}, too")
    if arguments.posterior and not arguments.samples:
        raise UserError("--posterior draws samples: give --samples more than 0")
    for name in ("samples", "overlays"):
        if getattr(arguments, name) < 0:
            raise UserError(f"--{name} is {getattr(arguments, name)}, it must not be negative")


def _single(arguments: Arguments) -> "Frame":
    """The frame of one picture. UserError for what is wrong with its flags, before anything is loaded."""
    from epropnp.data.cameras import read_camera
    from epropnp.data.pictures import picture_size
    from epropnp.prediction.frames import Frame

    assert arguments.image is not None
    assert arguments.camera is not None
    boxes = [_box(text) for text in arguments.box]
    with _named("--camera"):
        camera = read_camera(arguments.camera, arguments.image_id)
    with _named("--image"):
        picture_size(arguments.image)
    named: list[str | int] = [int(name) if name.isdecimal() else name for name in arguments.object]
    return Frame(
        line=1,
        image=arguments.image,
        camera=camera,
        boxes=boxes,
        objects=None if not named else named[0] if len(named) == 1 else named,
        image_id=arguments.image_id,
    )


@contextlib.contextmanager
def _named(flag: str) -> Iterator[None]:
    """Say which flag it was whose file is not what it should be."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{flag}: {error}") from None


def _box(text: str) -> list[float]:
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != 4:
        raise UserError(f"--box '{text}': expected four numbers x,y,w,h in pixels")
    return values


def _predictor(arguments: Arguments, console: Console) -> "PosePredictor":
    from dataclasses import replace

    from epropnp.inference.precision import HALF, computed
    from epropnp.prediction.pose_predictor import PosePredictor

    if arguments.precision not in (None, "float32", *HALF):
        raise UserError(f"--precision '{arguments.precision}': it is float32, {' or '.join(HALF)}")
    predictor = PosePredictor.load(
        arguments.model, arguments.device, hypotheses=arguments.hypotheses, samples=arguments.samples
    )
    model = predictor.model
    if arguments.precision is not None:
        inference = replace(model.inference, precision=arguments.precision)
        predictor = PosePredictor(replace(model, inference=inference), samples=arguments.samples)
    inference = predictor.model.inference
    precision = computed(inference.device, inference.precision)
    names = ", ".join(each.name for each in model.objects.values())
    say(console, f"{own_file(str(arguments.model))}: {names}; network in {precision} on {inference.device}")
    return predictor


def _folder(arguments: Arguments) -> Path:
    about = arguments.image if arguments.frames is None else arguments.frames
    assert about is not None
    return arguments.output or Path(f"poses-{about.stem}")


def _about(arguments: Arguments, predictor: "PosePredictor") -> dict[str, Any]:
    """What poses depend on, beside pictures."""
    settings = predictor.model.inference
    return {
        "network": _digest(own_file(str(arguments.model))),
        "list": None if arguments.frames is None else _digest(arguments.frames),
        "hypotheses": settings.settings.hypotheses,
        "samples": arguments.samples,
        "precision": settings.precision,
    }


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from None


def _progress(console: Console) -> Progress:
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _tell(each: "Solved", arguments: Arguments, console: Console, told: int) -> int:
    """Prints the poses of a single picture, and the first notes of a list; returns how many so far."""
    if arguments.frames is None and each.poses is not None:
        for number, estimate in enumerate(each.poses, 1):
            say(console, f"box {number}: {_words(estimate)}")
    where = "" if arguments.frames is None else f"line {each.line}: "
    for text in [*each.notes, *([] if each.error is None else [each.error])]:
        told += 1
        if told <= TOLD:
            say(console, f"{where}{text}")
        elif told == TOLD + 1:
            say(console, "and so on: all notes and errors are in the file of poses")
    return told


def _words(estimate: "Estimate") -> str:
    if not estimate.valid:
        return f"{estimate.object}: no pose"
    x, y, z = (1000 * estimate.T_cam_obj[:3, 3]).tolist()
    words = f"{estimate.object} at ({x:.1f}, {y:.1f}, {z:.1f}) mm"
    if estimate.radius_m == estimate.radius_m:
        words += f", 95 % within {1000 * estimate.radius_m:.1f} mm and {estimate.radius_deg:.1f} degrees"
    if estimate.equal_poses > 1:
        words += f"; one of {estimate.equal_poses} equal poses"
    return f"{words}; overlap with the box {estimate.overlap:.0%}"


def _draw(each: "Solved", predictor: "PosePredictor", arguments: Arguments, folder: Path) -> None:
    """The pictures of one frame, if it is among the first."""
    from epropnp.visualization.posterior import save_posterior
    from epropnp.visualization.prediction import save_png

    if each.poses is None or each.line > arguments.overlays:
        return
    name = f"{each.line:06d}-{Path(each.said['image']).stem}"
    (folder / "overlays").mkdir(exist_ok=True)
    save_png(folder / "overlays" / f"{name}.png", each.poses.plot())
    if not arguments.posterior:
        return
    for index, estimate in enumerate(each.poses):
        if estimate.valid:
            picture = predictor.posterior_picture(each.poses, index)
            save_posterior(picture, folder / "overlays" / f"{name}-posterior-{index + 1}.png")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; exit code 1 if lines of a list have failed, else see `run_program`."""
    words = sys.argv[1:] if arguments is None else arguments
    return run_program(
        lambda: predict(parse(Arguments, DESCRIPTION, words, PROG), Console()),
        "stopped: the same command goes on from here",
    )


if __name__ == "__main__":
    sys.exit(main())
