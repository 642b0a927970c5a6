"""One prediction of EPro-PnP in one picture: correspondences, and the distribution of poses they make."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from epropnp.data.schema import ObjectModel
from epropnp.errors import UserError
from epropnp.inference.outline import contours, project_points
from epropnp.visualization.density import (
    effective_samples,
    highest_density_level,
    map_angles,
    plane_density,
    sphere_density,
    sphere_width_deg,
    thinned,
    weighted_quantile,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

AXIS_COLOURS = ("#D55E00", "#009E73", "#0072B2")  # x, y, z: Okabe and Ito's, told apart by all eyes
SHARES = (0.95, 0.5)  # of the posterior's mass in the regions that are drawn
NEAR_DEG = 45.0  # samples turned by less belong to the pose's own mode
FAINT = 0.03  # of the largest weight: coordinates of cells below are faded
LEAST_REACH = 1e-3  # of a panel of translations or rotations, mm or degrees
DRAWN = 1024  # samples that densities are drawn of, at most
DPI = 120
CAPTION = (
    "colour and lines: samples of the posterior, and the regions that hold 50 and 95 % of it;  dashed: one "
    "standard deviation of the covariance;  cross: the pose"
)

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PosteriorPicture:
    """What a network said of one crop, and the posterior of the pose that follows."""

    crop: NDArray[np.uint8]  # (H, W, 3) RGB
    K_crop: Array  # (3, 3) intrinsics under which poses project onto the crop's pixels
    coords: Array  # (3, h, w) metres, object frame
    weights: Array  # (2, h, w) along the image's axes, 1/px
    samples: Array  # (S, 4, 4), or (S, 7) as in `epropnp.pnp.pose`, metres
    sample_weights: Array  # (S,) normalised
    T_cam_obj: Array  # (4, 4) the pose, metres
    covariance: Array  # (6, 6) of the pose, in the local coordinates of `epropnp.pnp.space`, m and rad
    log_evidence: float
    model: ObjectModel

    @cached_property
    def T_samples(self) -> Array:
        """(S, 4, 4)."""
        if self.samples.shape[-1] == 4:
            return np.asarray(self.samples, float)
        import torch

        from epropnp.pnp.pose import to_matrix

        return to_matrix(torch.from_numpy(np.asarray(self.samples, float))).numpy()

    @cached_property
    def shift_mm(self) -> Array:
        """Translations (S, 3) from the pose to the samples, camera axes."""
        return np.asarray(1000 * (self.T_samples[:, :3, 3] - self.T_cam_obj[:3, 3]))

    @cached_property
    def turn_deg(self) -> Array:
        """Rotation vectors (S, 3) from the pose to the samples, camera axes."""
        from scipy.spatial.transform import Rotation

        relative = self.T_samples[:, :3, :3] @ self.T_cam_obj[:3, :3].T
        return np.degrees(Rotation.from_matrix(relative).as_rotvec())

    @property
    def angle_deg(self) -> Array:
        """(S,)."""
        return np.asarray(np.linalg.norm(self.turn_deg, axis=1))

    def radii(self, level: float = 0.95) -> tuple[float, float]:
        """How far from the pose that share of the posterior lies: mm, degrees."""
        distance = np.linalg.norm(self.shift_mm, axis=1)
        return (
            weighted_quantile(distance, self.sample_weights, level),
            weighted_quantile(self.angle_deg, self.sample_weights, level),
        )

    def thinned(self) -> "PosteriorPicture":
        """With so few samples that drawing is quick."""
        kept, weights = thinned(self.sample_weights, DRAWN)
        return replace(self, samples=self.samples[kept], sample_weights=weights)

    def title(self) -> str:
        """Name, log-evidence, effective samples and the radii of 95 % of the posterior."""
        shift, turn = self.radii()
        return (
            f"{self.model.name}:  95 % of the posterior within {_digits(shift)} mm and {_digits(turn)}° of "
            f"the pose\nlog-evidence {self.log_evidence:.1f},  {effective_samples(self.sample_weights):.0f} "
            f"effective of {len(self.sample_weights)} samples"
        )


def save_posterior(picture: PosteriorPicture, path: Path) -> None:
    """Draw `posterior_figure` into a PNG, SVG or PDF file. UserError where it cannot be written."""
    try:
        posterior_figure(picture).savefig(path, dpi=DPI)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror}") from None


def posterior_figure(picture: PosteriorPicture) -> "Figure":
    """The crop with the outline, weights and coordinates above; the distribution of the pose below.

    Raises:
        UserError: the pose, its covariance or the samples are not numbers.
    """
    from matplotlib.figure import Figure  # slow to import

    numbers = (picture.T_cam_obj, picture.covariance, picture.samples, picture.sample_weights)
    if not all(np.isfinite(values).all() for values in numbers):
        raise UserError(f"{picture.model.name} has no pose in this crop, hence no posterior to draw")
    figure = Figure(figsize=(13, 7.2))
    figure.text(0.03, 0.98, picture.title(), va="top", fontsize=12, linespacing=1.5)
    picture = picture.thinned()
    shown, weighed, *mapped = (figure.add_axes((0.03 + 0.194 * i, 0.52, 0.17, 0.307)) for i in range(5))
    _draw_crop(shown, picture)
    _draw_weights(weighed, picture)
    for axis, axes in enumerate(mapped):
        _draw_coordinates(axes, picture, axis)
    sphere = figure.add_axes((0.03, 0.07, 0.34, 0.29), projection="mollweide")
    _draw_sphere(sphere, picture)
    turned, across, along = (figure.add_axes((left, 0.11, 0.145, 0.255)) for left in (0.435, 0.64, 0.845))
    _draw_turns(turned, picture)
    _draw_shifts(across, picture, (0, 1))
    _draw_shifts(along, picture, (0, 2))
    figure.text(0.99, 0.012, CAPTION, ha="right", fontsize=8.5, color="0.3")
    return figure


def _draw_crop(axes: "Axes", picture: PosteriorPicture) -> None:
    """The crop, the outline under the pose, and the object's axes."""
    height, width = picture.crop.shape[:2]
    axes.imshow(picture.crop)
    for line in contours(picture.model, picture.T_cam_obj, picture.K_crop, (width, height)):
        closed = np.concatenate([line, line[:1]])
        axes.plot(*closed.T, color="black", linewidth=2.6)
        axes.plot(*closed.T, color="#F0E442", linewidth=1.3)
    ends = np.concatenate([np.zeros((1, 3)), picture.model.diameter_m / 3 * np.eye(3)])
    pixels = project_points(ends, picture.T_cam_obj, picture.K_crop)
    if pixels is not None:
        for name, colour, tip in zip("xyz", AXIS_COLOURS, pixels[1:], strict=True):
            arrow = {"arrowstyle": "-|>", "color": colour, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
            axes.annotate("", tip, pixels[0], arrowprops=arrow)
            _name(axes, name, tip, colour)
    axes.set(xlim=(-0.5, width - 0.5), ylim=(height - 0.5, -0.5))
    _as_map(axes, "outline and axes of the pose")


def _draw_weights(axes: "Axes", picture: PosteriorPicture) -> None:
    image = axes.imshow(combined_weights(picture.weights), cmap="cividis", vmin=0)
    _as_map(axes, "weights of both image axes")
    _colour_bar(axes, image, "weight of the reprojection error, 1/px")


def _draw_coordinates(axes: "Axes", picture: PosteriorPicture, axis: int) -> None:
    """Where on the object each cell lies; faint where the network does not trust it."""
    combined = combined_weights(picture.weights)
    low, high = (1000 * bound[axis] for bound in (picture.model.bounds_min, picture.model.bounds_max))
    trusted = np.where(combined >= FAINT * combined.max(), 1.0, 0.12)
    image = axes.imshow(1000 * picture.coords[axis], cmap="viridis", vmin=low, vmax=high, alpha=trusted)
    _as_map(axes, f"object coordinate {'xyz'[axis]}")
    _colour_bar(axes, image, "mm")


def _draw_sphere(axes: Any, picture: PosteriorPicture) -> None:
    """Where the object's axes point, seen from the camera."""
    axes.grid(color="0.85", linewidth=0.6)
    draw_directions(axes, picture)
    for axis, colour in enumerate(AXIS_COLOURS):
        _name(axes, "xyz"[axis], [float(angle) for angle in map_angles(picture.T_cam_obj[:3, axis])], colour)
    axes.set_xticks(np.radians([-90, 0, 90]), [""] * 3)
    axes.set_yticks(np.radians([-45, 0, 45]), [""] * 3)
    axes.set_title("directions of the object's axes: regions of 50 and 95 %", fontsize=10, pad=16)
    small = {"ha": "center", "va": "center", "fontsize": 8, "color": "0.35"}
    for name, longitude in (("left", -90), ("towards the camera", 0), ("right", 90)):
        axes.text(np.radians(longitude), np.radians(-7), name, zorder=0, **small)
    axes.text(0.5, 1.05, "up", transform=axes.transAxes, **small)
    axes.text(0.5, -0.06, "down", transform=axes.transAxes, **small)
    axes.text(1.0, 0.06, "rim: away\nfrom the camera", transform=axes.transAxes, **small)


def draw_directions(axes: Any, picture: PosteriorPicture) -> None:
    """The regions that hold 50 and 95 % of the directions of the object's axes, on a map of the sphere.

    Args:
        axes: of a map in longitude and latitude, rad; see `density.map_angles`.
        picture: with few samples (`thinned`); its pose is marked by crosses.
    """
    from matplotlib.colors import to_rgba

    weights = picture.sample_weights
    width_deg = sphere_width_deg(picture.angle_deg, weights)
    for axis, colour in enumerate(AXIS_COLOURS):
        density = sphere_density(picture.T_samples[:, :3, axis], weights, width_deg)
        levels = [highest_density_level(density.values, density.cell, share) for share in SHARES]
        tints = [to_rgba(colour, alpha) for alpha in (0.3, 0.75)]
        lon, lat = np.meshgrid(density.longitude, density.latitude)
        axes.contourf(lon, lat, density.values, [*levels, np.inf], colors=tints)
        axes.contour(lon, lat, density.values, levels[:1], colors=[colour], linewidths=0.8)
        at = [float(angle) for angle in map_angles(picture.T_cam_obj[:3, axis])]
        axes.plot(*at, marker="+", color="black", markersize=7)


def _draw_turns(axes: "Axes", picture: PosteriorPicture) -> None:
    """Rotation about the picture's axes, near the pose."""
    spread = np.degrees(np.degrees(picture.covariance[3:5, 3:5]))
    near = picture.angle_deg < NEAR_DEG
    _draw_plane(axes, picture.turn_deg[:, :2], picture.sample_weights, near, spread)
    axes.set(xlabel="about camera x, °", ylabel="about camera y, °")
    axes.set_title("rotation from the pose", fontsize=10)


def _draw_shifts(axes: "Axes", picture: PosteriorPicture, chosen: tuple[int, int]) -> None:
    """Translation along two of the camera's axes."""
    spread = 1e6 * picture.covariance[np.ix_(chosen, chosen)]
    everywhere = np.ones(len(picture.samples), bool)
    _draw_plane(axes, picture.shift_mm[:, chosen], picture.sample_weights, everywhere, spread)
    names = ("x (right)", "y (down)", "z (away)")
    first, second = (f"{names[i]}, mm" for i in chosen)
    axes.set(xlabel=first, ylabel=second)
    if chosen[1] == 1:
        axes.invert_yaxis()
    axes.set_title("translation from the pose", fontsize=10)


def _draw_plane(axes: "Axes", points: Array, weights: Array, near: NDArray[np.bool_], spread: Array) -> None:
    """A density about the pose, its regions, and the covariance's ellipse of one standard deviation."""
    share = float(weights[near].sum())
    reach = np.sqrt(np.diag(spread)) * 3.0 + LEAST_REACH
    if share > 0:
        kept, mass = points[near], weights[near] / share
        far = [weighted_quantile(np.abs(kept[:, i]), mass, 0.985) for i in range(2)]
        reach = np.maximum(1.25 * np.array(far), np.sqrt(np.diag(spread)) * 1.2) + LEAST_REACH
        density = plane_density(kept, mass, (-reach, reach))
        levels = [highest_density_level(density.values, density.cell, part) for part in SHARES]
        axes.pcolormesh(density.x, density.y, density.values, cmap="Blues", shading="nearest", vmin=0)
        axes.contour(density.x, density.y, density.values, levels, colors="#08306B", linewidths=[0.7, 1.2])
    angle = np.linspace(0, 2 * np.pi, 181)
    variance, vectors = np.linalg.eigh(spread)
    root = vectors * np.sqrt(np.maximum(variance, 0))
    axes.plot(*(root @ [np.cos(angle), np.sin(angle)]), "--", color="#D55E00", linewidth=1.4)
    axes.plot(0, 0, "+", color="black", markersize=9)
    if share < 0.995:
        axes.text(0.03, 0.03, f"{100 * share:.0f} % of the mass", transform=axes.transAxes, fontsize=8)
    axes.set(xlim=(-reach[0], reach[0]), ylim=(-reach[1], reach[1]))
    axes.tick_params(labelsize=8)
    axes.locator_params(nbins=5)


def combined_weights(weights: Array) -> Array:
    """Root mean square (h, w) of the weights of both image axes (2, h, w)."""
    return np.asarray(np.sqrt(np.square(weights).mean(0)))


def _as_map(axes: "Axes", title: str) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=10)


def _colour_bar(axes: "Axes", image: Any, label: str) -> None:
    below = axes.inset_axes((0.0, -0.09, 1.0, 0.05))
    bar = axes.figure.colorbar(image, cax=below, orientation="horizontal")
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    bar.set_label(label, fontsize=9)
    bar.ax.tick_params(labelsize=8)


def _name(axes: Any, name: str, at: Any, colour: str) -> None:
    """A letter beside a point, legible on anything."""
    from matplotlib.patheffects import withStroke

    halo = [withStroke(linewidth=2.5, foreground="white")]
    style = {"color": colour, "fontsize": 11, "fontweight": "bold", "path_effects": halo}
    axes.annotate(name, at, xytext=(5, 5), textcoords="offset points", annotation_clip=True, **style)


def _digits(value: float) -> str:
    """Two significant digits, and all before the point."""
    return f"{value:.0f}" if value >= 9.5 else f"{value:.2g}"
