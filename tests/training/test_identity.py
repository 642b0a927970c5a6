"""What makes a trial the one that it is: settings that are not the defaults, files, and the dataset."""

import hashlib
import importlib
from pathlib import Path
from typing import Any

import pytest

from epropnp.plain import Plain, flatten
from epropnp.training import identity as module
from epropnp.training.checkpoint import Checkpoints
from epropnp.training.config import TrialConfig
from epropnp.training.identity import identity, trial_hash
from epropnp.training.overrides import override
from epropnp.training.record import ForeignError, config_note

DATASET = "0123456789ab"
EXAMPLE = (
    "optim.lr=1e-3",
    "optim.clip_norm=5",
    "optim.milestones=0.5,0.75",
    "model.pretrained=yes",
    "data.workers=3",
    "seed=3",
    "optim.epochs=160",  # the default
)
OF_EVERY_GROUP = (
    "recipe=mine",
    "seed=1",
    "threads=2",
    "model.head=fpn",
    "pnp.centred=no",
    "loss.mc=0.03",
    "optim.lr=1e-3",
    "data.points=511",
    "data.augment.blur=0.1",
    "evaluation.samples=9",
    "evaluation.detector.scale=0.2",
)


def made(*settings: str) -> TrialConfig:
    return override(TrialConfig(), settings)


def short_sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()[:16]}"


def test_only_settings_that_are_not_the_defaults_count() -> None:
    assert identity(TrialConfig()) == {}
    assert identity(made(*EXAMPLE)) == {
        "model.pretrained": True,
        "optim.lr": 1e-3,
        "optim.clip_norm": 5.0,
        "optim.milestones": "[0.5, 0.75]",
        "seed": 3,
    }


def test_the_hash_is_one_that_other_programs_can_work_out() -> None:
    """Of `sha256sum` over the text that `identity` stands for; folders of trials are named after it."""
    assert trial_hash(TrialConfig(), DATASET) == "6593ecf6632f"
    assert trial_hash(made(*EXAMPLE), DATASET) == "8347c7796fa6"
    assert trial_hash(made(*reversed(EXAMPLE)), DATASET) == "8347c7796fa6"


def test_a_setting_of_any_group_and_the_dataset_change_the_hash() -> None:
    groups = {key.rpartition(".")[0] for key in flatten(TrialConfig())}
    assert {setting.partition("=")[0].rpartition(".")[0] for setting in OF_EVERY_GROUP} == groups
    hashes = {trial_hash(made(setting), DATASET) for setting in OF_EVERY_GROUP}
    hashes |= {trial_hash(TrialConfig(), dataset) for dataset in (DATASET, "ba9876543210")}
    assert len(hashes) == len(OF_EVERY_GROUP) + 2


def test_values_that_print_alike_are_others() -> None:
    near, nearer = made("optim.lr=0.0200000001"), made("optim.lr=0.02")
    assert f"{near.optim.lr:g}" == f"{nearer.optim.lr:g}"
    assert trial_hash(near, DATASET) != trial_hash(nearer, DATASET)


def test_a_setting_that_is_added_later_changes_nothing_until_it_is_used(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config, flat = made(*EXAMPLE), flatten
    before = trial_hash(config, DATASET)
    used = {id(config): 0.5}

    def later(given: TrialConfig) -> dict[str, Plain]:
        return flat(given) | {"optim.later": used.get(id(given), 0.5)}

    monkeypatch.setattr(module, "flatten", later)
    assert trial_hash(config, DATASET) == before
    used[id(config)] = 0.25
    assert trial_hash(config, DATASET) != before


@pytest.fixture(params=["model.weights_file", "model.released"])
def names_a_file(request: pytest.FixtureRequest) -> Any:
    """A config whose setting names the given file."""
    more = ["model.pretrained=yes"] if request.param == "model.weights_file" else []
    return lambda file: made(f"{request.param}={file}", *more), request.param


def test_of_a_file_that_a_setting_names_the_content_counts_and_not_the_place(
    names_a_file: Any, tmp_path: Path
) -> None:
    naming, key = names_a_file
    (tmp_path / "moved").mkdir()
    first, moved = tmp_path / "weights.pth", tmp_path / "moved" / "other.pth"
    first.write_bytes(b"first")
    assert identity(naming(first))[key] == short_sha256(b"first")
    before = trial_hash(naming(first), DATASET)
    moved.write_bytes(b"first")
    assert trial_hash(naming(moved), DATASET) == before
    first.write_bytes(b"other")
    assert identity(naming(first))[key] == short_sha256(b"other")
    assert trial_hash(naming(first), DATASET) != before
    first.unlink()  # such as a name on a hub: its text is all there is
    assert identity(naming(first))[key] == str(first)


def test_a_checkpoint_is_known_by_the_content_of_such_a_file_too(names_a_file: Any, tmp_path: Path) -> None:
    naming, key = names_a_file
    first, moved = tmp_path / "weights.pth", tmp_path / "moved.pth"
    first.write_bytes(b"first")
    Checkpoints(tmp_path, config_note(naming(first), DATASET), 0, 300).save({"net": {"x": 1}})
    first.rename(moved)
    found = Checkpoints(tmp_path, config_note(naming(moved), DATASET), 0, 300).load()
    assert found is not None
    assert found["net"] == {"x": 1}
    first.write_bytes(b"other")
    digests = rf"\({key} {short_sha256(b'first')}, now {short_sha256(b'other')}\)"
    with pytest.raises(ForeignError, match=f"is of another config {digests}"):
        Checkpoints(tmp_path, config_note(naming(first), DATASET), 0, 300).load()


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module of loss terms that Python finds."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.syspath_prepend(tmp_path / "here")
    monkeypatch.syspath_prepend(tmp_path / "there")
    file = tmp_path / "here" / "terms_of_a_test.py"
    file.write_text("# first")
    return file


def test_the_source_of_a_loss_term_of_ones_own_counts_and_not_its_place(own: Path, tmp_path: Path) -> None:
    config = made("loss.own=terms_of_a_test.flat:0.5,terms_of_a_test.sharp:0.25,log_scale:0.1")
    written = "[['terms_of_a_test.flat', 0.5], ['terms_of_a_test.sharp', 0.25], ['log_scale', 0.1]]"
    key = "loss.own:terms_of_a_test"
    assert identity(config) == {"loss.own": written, key: short_sha256(b"# first")}
    before = trial_hash(config, DATASET)
    own.rename(tmp_path / "there" / own.name)
    importlib.invalidate_caches()
    assert trial_hash(config, DATASET) == before
    (tmp_path / "there" / own.name).write_text("# second")
    assert identity(config)[key] == short_sha256(b"# second")
    assert trial_hash(config, DATASET) != before


@pytest.mark.parametrize("name", ["nowhere_at_all.flat", "nowhere.at.all.flat", "log_scale"])
def test_a_term_whose_source_is_not_there_counts_by_its_name(name: str) -> None:
    assert identity(made(f"loss.own={name}:0.5")) == {"loss.own": f"[['{name}', 0.5]]"}
