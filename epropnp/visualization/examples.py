"""One image under several networks, a row each: contour, weights, coordinates, posterior of the pose."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError
from epropnp.files import replaced
from epropnp.inference.outline import contours
from epropnp.visualization.density import highest_density_level, map_angles, plane_density
from epropnp.visualization.posterior import (
    AXIS_COLOURS,
    FAINT,
    LEAST_REACH,
    SHARES,
    PosteriorPicture,
    combined_weights,
    draw_directions,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

POSE_COLOUR, TRUE_COLOUR = "#F0E442", "#56B4E9"  # Okabe and Ito's yellow and sky blue, on black
TRUE_INK = "#0072B2"  # of the same meaning, on white
DPI, WIDTH = 100, 10.0  # inches
TOP, ROW, BOTTOM = 0.86, 1.57, 0.78  # heights of titles, of a row and of the scales, inches
SIDE, GAP = 1.12, 0.07  # of a map, and between maps, inches
LEFT = 0.12
SPHERE = (LEFT + 5 * (SIDE + GAP) + 0.05, 2.2)  # left end and width, inches
PLANE = (8.82, 1.06)
WIDEST = 4.0  # times the middle row's reach, that all rows' translations are shown to
FARTHEST_D = 2.0  # diameters, that none is shown beyond
COLOURS = 255  # of the file: a third of the bytes, and no difference to be seen
LEGEND = (
    "axes\nyellow line, +: predicted pose\nblue line, o: true pose\nregions: 50 and 95 % of the posterior"
)

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ExampleRow:
    """What one network says of the image.

    Attributes:
        label: what tells the network from the others.
        verdict: its error in words.
        right: whether that counts as right.
        picture: its maps and posterior, of a crop that is the same in all rows; None where there is none.
        reason: why not.
    """

    label: str
    verdict: str
    right: bool
    picture: PosteriorPicture | None = None
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class Example:
    """An image, and what networks say of it.

    Attributes:
        title: why it is shown.
        subtitle: what it is.
        rows: one per network.
        T_true: the true pose, metres (4, 4).
        note: what a reader must know besides.
    """

    title: str
    subtitle: str
    rows: Sequence[ExampleRow]
    T_true: Array
    note: str = ""


def save_example(example: Example, path: Path) -> None:
    """Draw `example_figure` into a PNG file. UserError where it cannot be written."""
    from PIL import Image

    drawn = io.BytesIO()
    example_figure(example).savefig(drawn, dpi=DPI, format="png")
    few = Image.open(drawn).convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    with replaced(path) as unfinished:
        few.save(unfinished, format="png", optimize=True)


def example_figure(example: Example) -> "Figure":
    """One row per network, headings above and the scales that all rows share below.

    Raises:
        UserError: there is nothing to draw in any row.
    """
    from matplotlib.figure import Figure  # slow to import

    shown = [row.picture for row in example.rows if row.picture is not None]
    if not shown:
        raise UserError(f"{example.subtitle}: there is no network to draw it with")
    height = TOP + ROW * len(example.rows) + BOTTOM
    figure = Figure(figsize=(WIDTH, height))
    most_mm = 1000 * FARTHEST_D * shown[0].model.diameter_m
    reach = np.minimum(common_reach([shifts_mm(each, example.T_true) for each in shown]), most_mm)
    write = _writer(figure, height)
    write(LEFT, 0.06, example.title, fontsize=12, fontweight="bold")
    write(LEFT, 0.32, example.subtitle, fontsize=9.5, color="0.25")
    for name, left, width in _columns():
        write(left + width / 2, 0.64, name, fontsize=8.5, color="0.25", ha="center")
    for i, row in enumerate(example.rows):
        top = TOP + ROW * i
        write(LEFT, top + 0.02, row.label, fontsize=9.5, fontweight="bold")
        mark = "right" if row.right else "wrong"
        said = f"{mark}:  {row.verdict}" if row.verdict else mark
        write(
            WIDTH - LEFT,
            top + 0.02,
            said,
            fontsize=9.5,
            ha="right",
            color="black" if row.right else "#B04000",
        )
        if row.picture is None:
            write(LEFT, top + ROW / 2, row.reason, fontsize=9.5, color="0.4")
            continue
        _draw_row(figure, height, top + 0.25, row.picture, example.T_true, reach)
    _draw_scales(figure, height, shown[0])
    write(
        SPHERE[0] - 0.06,
        height - 0.6,
        LEGEND,
        fontsize=8,
        color="0.25",
        linespacing=1.35,
    )
    for i, (name, colour) in enumerate(zip("xyz", AXIS_COLOURS, strict=True)):
        write(SPHERE[0] + 0.32 + 0.17 * i, height - 0.62, name, fontsize=9, fontweight="bold", color=colour)
    write(WIDTH - LEFT, height - 0.22, example.note, fontsize=8, color="0.25", ha="right")
    return figure


def shifts_mm(picture: PosteriorPicture, T_true: Array) -> Array:
    """From the true place to the samples', camera axes (S, 3)."""
    return np.asarray(1000 * (picture.T_samples[:, :3, 3] - nearest_truth(picture, T_true)[:3, 3]))


def nearest_truth(picture: PosteriorPicture, T_true: Array) -> Array:
    """Of the true poses (4, 4) that look the same, that which is turned least from the predicted one."""
    equal = T_true @ np.asarray(picture.model.symmetries, float)  # (n, 4, 4)
    alike = np.einsum("nij,ij->n", equal[:, :3, :3], picture.T_cam_obj[:3, :3])  # 1 + 2 cos of the angle
    return np.asarray(equal[np.argmax(alike)])


def common_reach(shifts: Sequence[Array]) -> Array:
    """How far translations are shown to, across and along the view (2,) mm, in the rows of shifts (S, 3).

    As far as the widest row needs, unless that would make dots of the others.
    """
    needed = 1.15 * np.array([np.quantile(np.abs(each[:, [0, 2]]), 0.985, axis=0) for each in shifts])
    return np.asarray(np.minimum(needed.max(axis=0), WIDEST * np.median(needed, axis=0)) + LEAST_REACH)


def _columns() -> list[tuple[str, float, float]]:
    """Heading, left end and width of each, inches."""
    maps = ("crop and contours", "weights", "coordinate x", "coordinate y", "coordinate z")
    found = [(name, LEFT + i * (SIDE + GAP), SIDE) for i, name in enumerate(maps)]
    return [*found, ("object's axes, seen from camera", *SPHERE), ("position less truth", *PLANE)]


def _writer(figure: "Figure", height: float) -> Any:
    def write(x: float, y: float, text: str, **style: Any) -> None:
        """From the top left, inches."""
        figure.text(x / WIDTH, 1 - y / height, text, va="top", **style)

    return write


def _draw_row(
    figure: "Figure", height: float, top: float, picture: PosteriorPicture, T_true: Array, reach: Array
) -> None:
    def place(left: float, width: float, tall: float = SIDE, **kind: Any) -> Any:
        low = 1 - (top + tall) / height
        return figure.add_axes((left / WIDTH, low, width / WIDTH, tall / height), **kind)

    picture = picture.thinned()
    truth = nearest_truth(picture, T_true)
    crop, weights, *mapped = (place(LEFT + i * (SIDE + GAP), SIDE) for i in range(5))
    draw_contours(crop, picture, T_true)
    combined = combined_weights(picture.weights)
    weights.imshow(combined, cmap="cividis", vmin=0)
    _bare(weights)
    style = {"facecolor": "black", "alpha": 0.65, "linewidth": 0, "pad": 1.5}
    told = f"max {combined.max():.2g}/px"
    weights.text(0.03, 0.04, told, color="white", fontsize=7.5, transform=weights.transAxes, bbox=style)
    trusted = np.where(combined >= FAINT * combined.max(), 1.0, 0.12)
    for axis, axes in enumerate(mapped):
        low, high = (1000 * bound[axis] for bound in (picture.model.bounds_min, picture.model.bounds_max))
        axes.imshow(1000 * picture.coords[axis], cmap="viridis", vmin=low, vmax=high, alpha=trusted)
        _bare(axes)
    sphere = place(*SPHERE, projection="mollweide")
    sphere.grid(color="0.85", linewidth=0.5)
    draw_directions(sphere, picture)
    for axis in range(3):
        at = [float(angle) for angle in map_angles(truth[:3, axis])]
        sphere.plot(*at, "o", color=TRUE_INK, markersize=6, fillstyle="none", markeredgewidth=1.1)
    sphere.set_xticks(np.radians([-90, 0, 90]), [""] * 3)
    sphere.set_yticks(np.radians([-45, 0, 45]), [""] * 3)
    _draw_plane(place(*PLANE, tall=PLANE[1]), picture, truth, reach)


def draw_contours(axes: "Axes", picture: PosteriorPicture, T_true: Array) -> None:
    """The crop, the true pose's outline (blue) and, on top and thinner, the predicted one's (yellow)."""
    height, width = picture.crop.shape[:2]
    axes.imshow(picture.crop)
    for T, colour, wide in ((T_true, TRUE_COLOUR, 2.6), (picture.T_cam_obj, POSE_COLOUR, 1.1)):
        for line in contours(picture.model, T, picture.K_crop, (width, height)):
            closed = np.concatenate([line, line[:1]])
            axes.plot(*closed.T, color="black", linewidth=wide + 1.1)
            axes.plot(*closed.T, color=colour, linewidth=wide)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    _bare(axes)


def _draw_plane(axes: "Axes", picture: PosteriorPicture, truth: Array, reach: Array) -> None:
    """The density of translations, to the right and away from the camera, about the true one."""
    points = 1000 * (picture.T_samples[:, :3, 3] - truth[:3, 3])[:, [0, 2]]
    pose = 1000 * (picture.T_cam_obj[:3, 3] - truth[:3, 3])[[0, 2]]
    density = plane_density(points, picture.sample_weights, (-reach, reach))
    if density.values.max() * density.cell > 1e-6:
        inside = float(density.values.sum() * density.cell)
        levels = [highest_density_level(density.values, density.cell, part) for part in SHARES]
        axes.pcolormesh(density.x, density.y, density.values, cmap="Greys", shading="nearest", vmin=0)
        if inside > SHARES[0]:
            axes.contour(density.x, density.y, density.values, levels, colors="0.15", linewidths=[0.6, 1.1])
    axes.plot(0, 0, "o", color=TRUE_INK, markersize=6, fillstyle="none", markeredgewidth=1.3)
    axes.plot(*pose, "+", color="black", markersize=8)
    axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
    if (np.abs(pose) > reach).any():
        away = f"+ lies {np.linalg.norm(pose):.0f} mm off"
        axes.text(0.5, 0.97, away, fontsize=7, ha="center", va="top", transform=axes.transAxes)
    axes.tick_params(labelsize=7, length=2, pad=1)
    axes.locator_params(nbins=3)
    axes.set_ylabel("away, mm", fontsize=7.5, labelpad=0)
    axes.set_xlabel("right, mm", fontsize=7.5, labelpad=0)


def _draw_scales(figure: "Figure", height: float, picture: PosteriorPicture) -> None:
    """Colours of the maps, which mean the same in all rows."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bounds = [(1000 * picture.model.bounds_min[i], 1000 * picture.model.bounds_max[i]) for i in range(3)]
    scales = [((0.0, 1.0), "cividis", "of the row's maximum")]
    scales += [(bound, "viridis", "mm") for bound in bounds]
    for i, ((low, high), name, unit) in enumerate(scales, 1):
        left = LEFT + i * (SIDE + GAP)
        axes = figure.add_axes((left / WIDTH, 1 - (height - 0.62) / height, SIDE / WIDTH, 0.09 / height))
        bar = figure.colorbar(ScalarMappable(Normalize(low, high), name), cax=axes, orientation="horizontal")
        bar.set_label(unit, fontsize=8, labelpad=1)
        bar.ax.tick_params(labelsize=7.5, length=2, pad=1)
        bar.ax.locator_params(nbins=3)


def _bare(axes: "Axes") -> None:
    axes.set(xticks=[], yticks=[])
