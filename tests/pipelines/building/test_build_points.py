"""A build says, and keeps, by which points metrics go where they do not all go by the same."""

from pathlib import Path

import pytest

from epropnp.data.manifest import read_manifest
from epropnp.data.reader import ArrowDataset
from pipelines.building.build import BuildConfig, build
from pipelines.prepare import main
from pipelines.readers.bop import BopFolder
from tests.pipelines.readers.test_bop_models import CAT, write_half


def test_points_of_two_meshes_are_kept_and_said(
    bop_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_half(bop_dir, 154.5)
    config = BuildConfig(
        objects=("cat",),
        source=bop_dir,
        train=2,
        validation=2,
        test=2,
        background_count=1,
        occluders=(),
        accept_geometry=True,
    )
    path = build(config, tmp_path / "sets", workers=1)
    count = len(data.mesh(CAT).vertices)
    line = (
        f"ADD, ADI and the projection error go by the {count} vertices of the rendered mesh, as in the "
        f"study, BOP's metrics by the {count} of the mesh for evaluation"
    )
    assert read_manifest(path)["points"] == {"cat": line}
    kept, given = ArrowDataset(path).objects[6], data.model(CAT)
    assert kept.points_bop is not None
    assert kept.points_bop.tobytes() == given.points_bop.tobytes()  # type: ignore[union-attr]
    assert main(["inspect", str(path), "--output", str(tmp_path / "sheet.png")]) == 0
    assert f"cat: {line}" in capsys.readouterr().out


def test_one_set_of_points_is_not_spoken_of(bop_dir: Path, tmp_path: Path) -> None:
    assert BopFolder(bop_dir).model(CAT).points_bop is None
    config = BuildConfig(
        objects=("cat",), source=bop_dir, train=2, validation=2, test=2, background_count=1, occluders=()
    )
    assert read_manifest(build(config, tmp_path / "sets", workers=1))["points"] == {}
