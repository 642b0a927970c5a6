"""The share of an object that is seen, against shares counted in whole pictures of full size."""

import json
import shutil
from pathlib import Path

import pytest

from pipelines.readers.bop import BopFolder
from pipelines.readers.visibility import seen_share
from pipelines.rendering.renderer import Renderer
from tests.pipelines.folders import bop_files, write_files

TEST = "test/000002"


@pytest.mark.parametrize("masks", [True, False])
@pytest.mark.parametrize("name", ["obj_000001", "obj_000007"])
def test_measured_shares_are_those_of_the_table(tmp_path: Path, masks: bool, name: str) -> None:
    """The table counts within the picture; what lies outside of it makes our share smaller."""
    root = write_files(bop_files(), tmp_path)
    table = json.loads((root / TEST / "scene_gt_info.json").read_text())
    if not masks:
        shutil.rmtree(root / TEST / "mask_visib")
    data = BopFolder(root)
    info = data.objects()[name]
    renderer = Renderer(data.mesh(info))
    shares = []
    for frame in data.frames(info).by_split["test"]:
        image, number = (int(word) for word in frame.sample_id[-13:].split("_"))
        stated, found = table[str(image)][number]["visib_fract"], seen_share(frame, renderer)
        assert found <= stated + 1e-9
        shares.append((found, stated))
    assert any(found == pytest.approx(stated, abs=1e-9) for found, stated in shares)
