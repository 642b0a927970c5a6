"""From a BOP folder to a results file of predictions, scored by the public definitions as here."""

from pathlib import Path

import numpy as np
import pytest

from epropnp.data.reader import ArrowDataset
from epropnp.evaluation.bop_results import bop_images
from epropnp.evaluation.pose_errors import pose_errors
from epropnp.predict import main
from pipelines.building.bop_export import export_bop, source_of
from pipelines.prepare import main as prepare
from tests.bop_scores import errors
from tests.inference.trials import trial_of


@pytest.mark.slow
def test_a_made_set_is_listed_predicted_and_scored_as_the_test_of_the_network(
    tiny_dataset: Path, trained_in_fives: Path, photographs: Path, tmp_path: Path
) -> None:
    trial = trial_of(tiny_dataset, trained_in_fives, tmp_path / "alone")
    dataset = ArrowDataset(tiny_dataset)
    export_bop(dataset, source_of(dataset, photographs), tmp_path / "bop")
    assert prepare(["frames", str(tmp_path / "bop"), "--output", str(tmp_path / "list.jsonl")]) == 0
    words = [str(trial.best), "--frames", str(tmp_path / "list.jsonl"), "--output", str(tmp_path / "out")]
    assert main([*words, "--overlays", "0", "--device", "cpu", "--bop-csv", str(tmp_path / "a.csv")]) == 0
    found = errors(tmp_path / "bop", tmp_path / "a.csv")
    saved = trial.predictions
    ours = pose_errors(saved, saved.objects)
    for i, (image, key) in enumerate(zip(bop_images(saved), saved.object_id.tolist(), strict=True)):
        if not saved.valid[i]:
            continue
        theirs = found[(*image, key)]
        assert theirs["mssd"] == pytest.approx(1000 * ours.mssd_m[i], rel=1e-3)
        assert theirs["mspd"] == pytest.approx(ours.mspd_px[i], rel=1e-3)
        if not saved.objects[key].symmetric:
            assert theirs["add"] == pytest.approx(1000 * ours.add_m[i], rel=1e-3)
    assert len(found) == np.count_nonzero(saved.valid)
