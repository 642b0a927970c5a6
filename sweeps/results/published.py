"""What others have published on LineMOD: percent of its test images, averaged over 13 objects.

The report is "EPro-PnP Network Analysis & Optimization" (Wu and Ho), the official numbers are those of the
project of Chen et al. (EPro-PnP, CVPR 2022), CDPN is Li et al. (ICCV 2019), GDR-Net Wang et al. (CVPR 2021).
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of the literature: `scores` by title of `sweeps.results.tables.SCORES`."""

    name: str
    scores: Mapping[str, float]


ALL = (
    *("ADD(-S) 0.02d", "ADD(-S) 0.05d", "ADD(-S) 0.10d", "ADD(-S) area"),
    *("2deg2cm", "5deg5cm", "10deg10cm", "deg cm mean 1..10"),
)


def _row(name: str, *values: float, titles: tuple[str, ...] = ALL) -> Published:
    scores = dict(zip(titles, values, strict=False))
    adds = [scores[title] for title in ALL[:3] if title in scores]
    mean = {"ADD(-S) mean of 3": sum(adds) / 3} if len(adds) == 3 else {}
    return Published(name=name, scores=scores | mean)


PUBLISHED: tuple[Published, ...] = (
    _row("report, ResNet-34", 32.99, 73.28, 92.59, 61.83, 65.79, 96.72, 99.57, 85.88),
    _row("report, Swin-T", 36.13, 76.39, 94.55, 64.47, 67.42, 97.46, 99.75, 86.63),
    _row("report, ConvNeXt-T", 38.28, 77.11, 94.27, 65.26, 71.02, 97.73, 99.84, 87.68),
    _row("report, HRNet-W32", 41.21, 78.58, 93.98, 66.63, 76.53, 97.10, 98.92, 88.64),
    _row("official v1b", 33.05, 72.69, 92.40),
    _row("official v1b, derivatives regularised", 34.78, 74.34, 93.24),
    _row("official v1b, CDPN's start", 42.67, 81.07, 95.70),
    _row("official v1b, CDPN's start, long", 45.14, 82.21, 96.18),
    _row("official v2, no 3D model", 93.83, titles=("ADD(-S) 0.10d",)),
    _row("GDR-Net", 93.6, titles=("ADD(-S) 0.10d",)),
    _row("CDPN, stage 3", 91.36, 94.75, titles=("ADD(-S) 0.10d", "5deg5cm")),
)
