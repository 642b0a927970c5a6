"""The images of a sweep's examples, chosen by plain code, and what a setting without a network leaves."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from epropnp.errors import UserError
from sweeps.results import examples
from sweeps.results.examples import choose, save_examples, standing

BEST_OF = [0.02, 0.5, 0.09, 0.3, 0.05, 0.01, 0.2]
OTHERS = [
    [0.02, 0.6, 0.15, 0.05, 0.25, 0.01, 0.3],
    [0.03, 0.7, 0.05, 0.08, 0.45, 0.05, 0.05],
]


def plain_choice(best: list[float], others: list[list[float]]) -> dict[str, int]:
    """One image after the other, without arrays."""
    order = sorted(range(len(best)), key=lambda i: best[i])
    found = {"best": order[0], "median": order[(len(best) - 1) // 2], "worst": order[-1]}

    def gap(i: int) -> float:
        middle = sorted(min(row[i], 1) for row in others)
        half = len(middle) // 2
        median = middle[half] if len(middle) % 2 else (middle[half - 1] + middle[half]) / 2
        return abs(min(best[i], 1) - min(median, 1))

    here, there = [], []
    for i, error in enumerate(best):
        right = [row[i] < 0.1 for row in others]
        if i in found.values():
            continue
        if error < 0.1 and not all(right):
            here.append((-sum(right), gap(i), i))
        if error >= 0.1 and any(right):
            there.append((sum(right), gap(i), i))
    if here:
        found["right-here"] = max(here)[2]
    there = [each for each in there if each[2] not in found.values()]
    if there:
        found["wrong-here"] = max(there)[2]
    return found


def test_images_are_those_that_a_reader_would_pick() -> None:
    found = choose(np.array([BEST_OF, *OTHERS]))
    assert found == {"best": 5, "median": 2, "worst": 1, "right-here": 4, "wrong-here": 3}


@pytest.mark.parametrize("seed", range(20))
def test_images_are_those_of_plain_code(seed: int) -> None:
    errors = np.random.default_rng(seed).lognormal(-2.3, 1.0, (4, 30))
    assert choose(errors) == plain_choice(errors[0].tolist(), errors[1:].tolist())


def test_one_setting_has_no_flips_and_no_image_is_shown_twice() -> None:
    assert choose(np.array([BEST_OF])) == {"best": 5, "median": 2, "worst": 1}
    assert choose(np.array([[0.3]])) == {"best": 0}


def test_an_image_without_a_pose_is_the_worst() -> None:
    assert choose(np.array([[0.3, np.inf, 0.1], [0.3, np.inf, 0.2]]))["worst"] == 1


def _sweep(folder: Path, kept: set[str]) -> Any:
    for name in ("a0", "a1", "b0"):
        (folder / name).mkdir()
        if name in kept:
            (folder / name / "best.pt").touch()
    return folder.joinpath


def _row(name: str) -> Any:
    return SimpleNamespace(name=name, config=SimpleNamespace(seed=int(name[1])), dataset_id="d")


def _summary() -> Any:
    settings = {"alpha": [_row("a1"), _row("a0")], "beta": [_row("b0")]}
    ranked = SimpleNamespace(settings=[SimpleNamespace(name="beta"), SimpleNamespace(name="alpha")])
    return SimpleNamespace(settings=settings, ranked={examples.SELECTION: ranked})


def _images(row: Any) -> Any:
    errors = SimpleNamespace(add_m=np.array([0.011, np.nan]), diameter_m=np.array([0.1, 0.1]))
    return SimpleNamespace(errors=errors, of=row.name)


@pytest.mark.parametrize(("kept", "names"), [({"a1"}, ["b0", "a1"]), ({"a0", "a1"}, ["b0", "a0"])])
def test_a_setting_is_shown_by_its_first_seed_that_has_a_network(
    tmp_path: Path, kept: set[str], names: list[str]
) -> None:
    found = standing(_sweep(tmp_path, kept), _summary(), _images)
    assert [stand.label for stand in found] == ["beta", "alpha"]
    assert [stand.row.name for stand in found] == names
    assert [stand.images.of for stand in found] == names  # type: ignore[attr-defined]
    assert found[0].relative.tolist() == [pytest.approx(0.11), np.inf]


@pytest.mark.parametrize(
    ("tied", "rank"), [(False, "the best setting"), (True, "first of 2 equal settings")], ids=["best", "tied"]
)
def test_of_equal_settings_none_is_called_the_best(tmp_path: Path, tied: bool, rank: str) -> None:
    stands = standing(_sweep(tmp_path, set()), _summary(), _images)
    assert examples._title("worst", 0, stands, tied) == f"The worst image of beta, {rank}"
    here = examples._title("wrong-here", 0, stands, tied)
    assert here == f"Wrong in beta, {rank}; right in 0 of 1 others"


def test_a_sweep_that_kept_no_network_says_so(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no best.pt of the best 2 settings is kept"):
        save_examples(_sweep(tmp_path, set()), _summary(), _images, {}, tmp_path / "out")


def test_a_row_without_a_network_says_so_beside_its_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand = standing(_sweep(tmp_path, set()), _summary(), _images)[0]
    model: Any = SimpleNamespace(symmetric=True)
    dataset: Any = SimpleNamespace(
        split=lambda _: [SimpleNamespace(sample_id="x", object_id=1)] * 2, objects={1: model}
    )
    monkeypatch.setattr(examples, "read_predictions", lambda _: SimpleNamespace(sample_id=["x", "x"]))
    first, second = examples._rows(stand, dataset, [0, 1])
    assert (first.label, first.verdict, first.right) == ("beta  (seed 0)", "ADI 11.0 mm = 0.110 d", False)
    assert first.picture is None
    assert "best.pt is not kept" in first.reason
    assert second.verdict == "no pose"
    dataset.split = lambda _: [SimpleNamespace(sample_id="y", object_id=1)] * 2
    with pytest.raises(UserError, match="the predictions of b0 are not of"):
        examples._rows(dataclasses.replace(stand), SimpleNamespace(**vars(dataset), path="there"), [0])  # type: ignore[arg-type]
