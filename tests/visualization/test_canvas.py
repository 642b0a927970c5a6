"""Figures as files: of their width, lean, without a date, and plain numbers on logarithmic axes."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from epropnp.errors import UserError
from epropnp.visualization.canvas import new_figure, plain_log, save_figure
from tests.pictures import picture_in


def test_files_have_the_width_of_a_page_and_no_date(tmp_path: Path) -> None:
    figure = new_figure(2, "title", "note")
    figure.subplots().plot([0, 1])
    files = [tmp_path / "figures" / name for name in ("a.png", "a.pdf")]
    save_figure(figure, files)
    assert picture_in(files[0]).shape == (220, 1001, 3)
    content = files[1].read_bytes()
    assert content.startswith(b"%PDF")
    assert b"CreationDate" not in content
    assert sorted(file.name for file in files[0].parent.iterdir()) == ["a.pdf", "a.png"]


@pytest.fixture
def little_room(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No file of this process may grow beyond a thousand bytes; modules, which would be cut, are not kept."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
@pytest.mark.parametrize("kind", ["png", "pdf", "svg"])
def test_what_cannot_be_written_has_its_reason(kind: str, tmp_path: Path) -> None:
    figure = new_figure(2, "title")
    figure.subplots().plot([0, 1])
    with pytest.raises(UserError, match=rf"a\.{kind} cannot be written: .*File too large"):
        save_figure(figure, [tmp_path / f"a.{kind}"])
    assert not list(tmp_path.iterdir())


def test_logarithmic_ticks_read_as_plain_numbers() -> None:
    axes = new_figure(2, "title").subplots()
    axes.set(xscale="log", xlim=(0.9, 250))
    plain_log(axes, "x")
    ticks = [tick for tick in axes.get_xticks() if 0.9 <= tick <= 250]
    np.testing.assert_allclose(ticks, [1, 2, 5, 10, 20, 50, 100, 200])
    assert axes.xaxis.get_major_formatter()(200.0, 0) == "200"
