"""The layer's examples, of its module and in docs/layer.md: they run and find what they should."""

import inspect
import re
import textwrap
from pathlib import Path
from typing import Any

import pytest
import torch

import epropnp.pnp.layer

PAGE = Path(__file__).parents[2] / "docs" / "layer.md"
README = PAGE.parents[1] / "README.md"


def of_the_page() -> list[str]:
    """Indented parts of the module's page before the formulas."""
    page = inspect.getdoc(epropnp.pnp.layer)
    assert page is not None
    parts = re.findall(r"(?:^    .*\n+)+", page[: page.index("How that works")], re.MULTILINE)
    return [textwrap.dedent(part) for part in parts]


def of_the_docs() -> list[str]:
    """The fenced parts about the layer alone."""
    return re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("parts_of", [of_the_page, of_the_docs])
def test_the_examples_run_and_find_the_poses_that_they_are_made_from(
    parts_of: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    shortest, samples, loss = parts_of()
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(shortest, names)
        found, true = names["solution"], torch.tensor([0, 0, 0.8])
        torch.testing.assert_close(found.pose[:, :3], true.expand(8, 3), atol=1e-3, rtol=0)
        torch.testing.assert_close(found.pose[:, 3].abs(), torch.ones(8), atol=1e-5, rtol=0)
        assert found.covariance.shape == (8, 6, 6)
        assert "tensor" in capsys.readouterr().out
        exec(samples, names)
        posterior = names["posterior"]
        assert posterior.samples.shape == (512, 8, 7)
        weights = posterior.log_weights.softmax(0)[..., None]
        mean = (weights * posterior.samples[..., :3]).sum(0)
        torch.testing.assert_close(mean, true.expand(8, 3), atol=3e-3, rtol=0)
        exec(loss, names)
    gradient = names["correspondences"].weights.grad
    assert gradient.isfinite().all()
    assert (gradient.sum((1, 2)) < 0).all()  # exact points deserve more weight


@pytest.mark.parametrize("parts_of", [of_the_page, of_the_docs])
def test_the_shortest_use_comes_first_poses_then_samples_then_the_loss(parts_of: Any) -> None:
    called = [re.findall(r"layer\.(\w+)\(", part) for part in parts_of()]
    assert called == [["solve"], ["monte_carlo"], ["monte_carlo", "cost"]]


def test_page_and_readme_show_the_same_code() -> None:
    page, readme = (
        [re.sub(r" *#.*", "", part).strip() for part in parts()] for parts in (of_the_page, of_the_docs)
    )
    assert page == readme


def test_the_example_of_the_readme_finds_its_poses() -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        exec(block, names)
    expected = torch.tensor([0, 0, 0.8, 1, 0, 0, 0]).expand(8, 7)
    torch.testing.assert_close(names["solution"].pose.abs(), expected, atol=1e-3, rtol=0)
