"""The smallest dataset with photographs and renderings, of a plain and of a symmetric object."""

from pathlib import Path


def build_tiny(photographs: Path, root: Path) -> Path:
    """Build what the fixture `tiny_dataset` tells of below `root`, from the BOP folder of photographs."""
    from pipelines.building.build import BuildConfig, build

    config = BuildConfig(
        objects=("cat", "eggbox"),
        source=photographs,
        train=24,
        validation=0,
        test=6,
        background_count=8,
        occluders=(),
    )
    return build(config, root, workers=1, progress=False)
