"""Whether the masks of a set are those that its poses, cameras and mesh make.

Those of right sets are, but for the pixels at edges, which `silhouettes` leaves out: the cat's have a median
of 1.000, and so have made ones of objects that are 20 pixels wide. With a focal length or a size 7 % off, the
median is 0.8 to 0.95, with transposed rotations 0.7.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from pipelines.readers.finding import Finding
from pipelines.readers.frames import Frame
from pipelines.readers.silhouettes import Fit, fit_of, transposed
from pipelines.rendering.renderer import Renderer

RIGHT = 0.99  # median overlap from which a set is right
WRONG = 0.93  # below which it is clearly another geometry
_STRAY = 0.05  # share of frames that may not fit in a set that does; one always may
_BEST, _BEST_MIN = 0.9, 0.9  # quantile of areas that should be whole, where no table says what is seen


def check_masks(frames: Sequence[Frame], renderer: Renderer) -> Finding:
    """Compares the masks of frames, all of which have one, with what is rendered.

    Raises:
        UserError: when a mask cannot be read.
    """
    behind = sum(not renderer.is_in_front(frame.T_cam_obj) for frame in frames)
    if 2 * behind > len(frames):
        text = f"geometry: {behind} of {len(frames)} poses put the object behind the camera, or through it"
        return Finding(text=text, refuses=True)
    fits = {frame.sample_id: fit for frame in frames if (fit := fit_of(frame, renderer)) is not None}
    if not fits:
        return Finding(text=f"geometry: nothing could be checked: {len(frames)} masks are too small for it")
    if all(frame.whole_mask_file for frame in frames):
        return _verdict(*_of_whole(fits), fits, frames, renderer)
    if all(frame.whole_mask_file or frame.visible_share is not None for frame in frames):
        return _verdict(*_of_visible(fits), fits, frames, renderer)
    return _verdict(*_of_unstated(fits), fits, frames, renderer)


Measured = tuple[float, str, bool]  # the overlap, what to say, and whether that is worth a warning


def _of_whole(fits: Mapping[str, Fit]) -> Measured:
    """By masks of whole objects: the median of their overlaps."""
    worst = min(fits, key=lambda name: fits[name].overlap)
    overlap = float(np.median([fit.overlap for fit in fits.values()]))
    text = (
        f"IoU of given and rendered masks {overlap:.3f} (median), {fits[worst].overlap:.3f} (worst: {worst})"
    )
    return overlap, text, False


def _of_visible(fits: Mapping[str, Fit]) -> Measured:
    """By masks of visible parts: the overlap that the medians of share and area make."""
    inside, text = _inside(fits)
    area = float(np.median([fit.area for fit in fits.values()]))
    overlap = inside * area / (1 + area - inside * area)
    return overlap, f"{text}, their area {area:.3f} of what should be seen (median)", False


def _of_unstated(fits: Mapping[str, Fit]) -> Measured:
    """The same where nothing says how much is visible: what is seen best should be seen wholly."""
    inside, text = _inside(fits)
    area = float(np.quantile([fit.area for fit in fits.values()], _BEST))
    text += f"; visib_fract is not given, of the tenth that is seen best {area:.3f} is seen"
    return inside / (2 - inside), text, area < _BEST_MIN


def _inside(fits: Mapping[str, Fit]) -> tuple[float, str]:
    worst = min(fits, key=lambda name: fits[name].inside)
    inside = float(np.median([fit.inside for fit in fits.values()]))
    share = f"{inside:.3f} (median), {fits[worst].inside:.3f} (worst: {worst})"
    return inside, f"share of visible masks inside rendered ones {share}"


def _verdict(
    overlap: float,
    what: str,
    warns: bool,
    fits: Mapping[str, Fit],
    frames: Sequence[Frame],
    renderer: Renderer,
) -> Finding:
    """The finding for an overlap, which says what may be wrong."""
    text = f"geometry: {what}; {len(fits)} frames looked at"
    if overlap < RIGHT:
        text += f"; {RIGHT} or more is right: {_cause(fits, frames, renderer)}"
        return Finding(text=text, warns=True, refuses=overlap < WRONG)
    stray = [name for name, fit in fits.items() if fit.inside < WRONG]
    if len(stray) > max(1, _STRAY * len(fits)):
        text += f"; {len(stray)} of them do not fit, such as {stray[0]}: look at them"
        return Finding(text=text, warns=True)
    return Finding(text=text, warns=warns)


def _cause(fits: Mapping[str, Fit], frames: Sequence[Frame], renderer: Renderer) -> str:
    """What may be wrong with a set that does not fit."""
    turned = {frame.sample_id: fit for frame in frames if (fit := fit_of(transposed(frame), renderer))}
    if turned and _of_visible(turned)[0] > RIGHT:
        return "rotations look transposed; written row by row, they fit"
    scale = float(np.median([fit.scale for fit in fits.values()]))
    offset_px = float(np.nanmedian([fit.offset_px for fit in fits.values()]))
    return (
        f"masks are {scale:.2f} times as wide as renderings and lie {offset_px:.1f} px beside them (median); "
        "do poses, K, the mesh's size and origin, and the pictures belong together?"
    )
