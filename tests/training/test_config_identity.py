"""The config's hash, dictionaries and checkpoint header tell any two settings apart, leaf by leaf."""

import copy
import dataclasses
import json
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

from epropnp.errors import UserError
from epropnp.plain import differing, flatten, from_dict, to_dict
from epropnp.training import identity as identity_module
from epropnp.training.checkpoint import Checkpoints
from epropnp.training.config import TrialConfig
from epropnp.training.identity import identity, trial_hash
from epropnp.training.record import config_note
from epropnp.training.trainer import Trainer
from tests.training.tiny import tiny

NOT_PART_OF_THE_RESULT = {"data.workers"}
DATASET = "0123456789ab"


def leaves(config: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Dotted name, type hint and value of each setting."""
    hints = typing.get_type_hints(type(config))
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if dataclasses.is_dataclass(value):
            yield from leaves(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, hints[field.name], value


LEAVES = {name: (hint, value) for name, hint, value in leaves(TrialConfig())}


def other(hint: Any, value: Any) -> Any:
    """A value that the setting may have, as near to the given one as its kind allows."""
    options = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        return next(option for option in options if option != value)
    if typing.get_origin(hint) is tuple:
        return (*value, 0.5 if options[0] is float else ("own", 0.5))
    if value is None:
        kind = next(option for option in options if option is not type(None))
        if typing.get_origin(kind) is Literal:
            return typing.get_args(kind)[0]
        return {str: "somewhere", int: 3, float: 0.25}[kind]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return value + ".x"  # a head may be a class of a module
    return value + 1 if isinstance(value, int) else value * (1 - 1e-6) or 1e-9


def changed(name: str) -> TrialConfig:
    """The default config with one other setting, also where that alone would be refused."""
    config = copy.deepcopy(TrialConfig())
    owner: Any = config
    *groups, last = name.split(".")
    for group in groups:
        owner = getattr(owner, group)
    object.__setattr__(owner, last, other(*LEAVES[name]))
    return config


def plain(value: Any) -> Any:
    """As JSON has it."""
    return json.loads(json.dumps(value))


def test_all_groups_are_walked() -> None:
    groups = {name.rpartition(".")[0] for name in LEAVES}
    assert groups == {
        "",
        "model",
        "pnp",
        "loss",
        "optim",
        "data",
        "data.augment",
        "evaluation",
        "evaluation.detector",
    }
    assert len(LEAVES) >= 80


@pytest.mark.parametrize("name", sorted(LEAVES))
def test_any_other_setting_is_another_config(name: str) -> None:
    before, now = TrialConfig(), changed(name)
    value = other(*LEAVES[name])
    counts = name not in NOT_PART_OF_THE_RESULT
    assert (trial_hash(now, DATASET) != trial_hash(before, DATASET)) == counts
    assert identity(before) == {}
    assert set(identity(now)) == ({name} if counts else set())
    # Every way of writing it down shows this setting and no other.
    assert differing(to_dict(before), to_dict(now)) == [
        (name, flatten(before)[name], flatten(now)[name]),
    ]
    assert flatten(now) == flatten(before) | {
        name: value if isinstance(value, str | int | float) else str(plain(value))
    }


def test_hashes_of_all_settings_differ_from_each_other() -> None:
    hashes = {trial_hash(changed(name), DATASET) for name in LEAVES}
    assert len(hashes) == len(LEAVES)
    assert all(len(text) == 12 and set(text) <= set("0123456789abcdef") for text in hashes)


def test_the_hash_does_not_depend_on_the_order_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as of the fields in the source."""
    before, plain_order = trial_hash(tiny(), DATASET), flatten

    def turned(config: Any) -> dict[str, Any]:
        return dict(reversed(plain_order(config).items()))

    in_order = list(identity(tiny()))
    monkeypatch.setattr(identity_module, "flatten", turned)
    assert list(identity(tiny())) == in_order[::-1] != in_order
    assert trial_hash(tiny(), DATASET) == before


# These cannot stand alone: another setting has to go with them.
REFUSED_ALONE = {"pnp.dof", "model.weights_file"}


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - REFUSED_ALONE))
def test_a_setting_survives_a_file(name: str) -> None:
    now = changed(name)
    assert from_dict(TrialConfig, plain(to_dict(now))) == now


@pytest.fixture(scope="module")
def header(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """That of a trainer's checkpoints."""
    trainer = Trainer(tiny(), tiny_dataset, tmp_path_factory.mktemp("trial"), "cpu")
    return trainer.checkpoints.header


def test_the_header_holds_every_setting_and_the_dataset(header: dict[str, Any], tiny_dataset: Path) -> None:
    expected: dict[str, Any] = {}
    for name, _, value in leaves(tiny()):
        *groups, last = name.split(".")
        branch = expected
        for group in groups:
            branch = branch.setdefault(group, {})
        branch[last] = plain(value)
    assert header == {
        "config": expected,
        "dataset_id": tiny_dataset.name,
        "settings": identity(tiny()),
        "hash": trial_hash(tiny(), tiny_dataset.name),
    }


def test_a_checkpoint_with_any_other_setting_or_dataset_is_refused(tmp_path: Path) -> None:
    saved = Checkpoints(tmp_path, config_note(TrialConfig(), DATASET), 0, 300)
    saved.save({"net": {}})
    assert saved.load() is not None
    for name in sorted(LEAVES.keys() - NOT_PART_OF_THE_RESULT):
        mine = Checkpoints(tmp_path, config_note(changed(name), DATASET), 0, 300)
        then, now = (flatten(config)[name] for config in (TrialConfig(), changed(name)))
        with pytest.raises(UserError, match=r"checkpoint\.pt is of another config") as error:
            mine.load()
        assert f"({name} {then}, now {now})" in str(error.value)
    with pytest.raises(UserError, match=r"checkpoint\.pt is of another dataset_id: use another folder"):
        Checkpoints(tmp_path, config_note(TrialConfig(), "ba9876543210"), 0, 300).load()


def test_a_checkpoint_is_gone_on_from_with_any_number_of_loader_processes(tmp_path: Path) -> None:
    Checkpoints(tmp_path, config_note(TrialConfig(), DATASET), 0, 300).save({"net": {"x": 1}})
    found = Checkpoints(tmp_path, config_note(changed("data.workers"), DATASET), 0, 300).load()
    assert found is not None
    assert found["net"] == {"x": 1}
    both = dataclasses.replace(changed("data.workers"), seed=7)
    with pytest.raises(UserError, match=r"another config \(seed 0, now 7\): use"):
        Checkpoints(tmp_path, config_note(both, DATASET), 0, 300).load()
