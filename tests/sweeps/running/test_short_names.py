"""What names share is said once, and what tells them apart stays whole where it can."""

import pytest

from sweeps.running.short_names import in_the_middle, shortened


@pytest.mark.parametrize(
    ("names", "shared", "short"),
    [
        (
            ["hrnet_w18 seed 0", "hrnet_w32 seed 0", "hrnet_w18_small seed 0"],
            "hrnet_… seed 0",
            ["w18", "w32", "w18_small"],
        ),
        (
            ["resnet18 optim.lr 0.001 seed 0", "resnet18 optim.lr 0.003 seed 10"],
            "resnet18 optim.lr … seed …",
            ["0.001 0", "0.003 10"],  # numbers stay whole
        ),
        (["test_resnet", "test_convnext"], "test_…", ["resnet", "convnext"]),
        (["resnet18", "resnet34"], "", ["resnet18", "resnet34"]),  # only whole parts are cut
        (["hrnet_w18", "hrnet_w18_small"], "hrnet_…", ["w18", "w18_small"]),  # something is left of each
        (["a", "b"], "", ["a", "b"]),
        (["a b"], "", ["a b"]),
        (["a b", "a b"], "", ["a b", "a b"]),
        ([], "", []),
        (["a case x seed 0", "a seed 0", "a very long case seed 0"], "", None),
        (["lr 1 case small seed 0", "lr 1 case very small seed 0"], "lr 1 case … seed 0", None),
        (["lr 1 seed 0", "lr 1 very seed 0"], "lr 1 … 0", ["seed", "very seed"]),
    ],
)
def test_what_names_share(names: list[str], shared: str, short: list[str] | None) -> None:
    found = shortened(names)
    assert len(set(found[1])) == len(set(names))
    if short is not None:
        assert found == (shared, short)


def test_what_is_too_long_loses_its_middle() -> None:
    assert in_the_middle("abcdefgh", 8) == "abcdefgh"
    assert in_the_middle("abcdefgh", 7) == "abc…fgh"
    assert in_the_middle("abcdefgh", 6) == "abc…gh"
    assert [in_the_middle("abcdefgh", room) for room in (2, 1, 0)] == ["a…", "…", ""]
