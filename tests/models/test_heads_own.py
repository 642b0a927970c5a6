"""A head of one's own is a class in any module, on the command line as in a trial."""

import textwrap
from pathlib import Path

import pytest
import torch

from epropnp.errors import UserError
from epropnp.models.config import ModelConfig
from epropnp.models.network import CorrespondenceNet
from epropnp.training.config import TrialConfig
from epropnp.training.identity import identity
from sweeps import backbones

SOURCE = """
from epropnp.models.heads import FpnHead

class Halved(FpnHead):
    def forward(self, features):
        return 0.5 * super().forward(features)

def no_class(features): ...
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module with a name of its own: imported ones stay."""
    name = f"heads_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(textwrap.dedent(SOURCE))
    monkeypatch.syspath_prepend(tmp_path)
    return name


def config(head: str) -> ModelConfig:
    return ModelConfig(backbone="test_resnet", head=head, input_px=64, deconv_stride=16, head_width=8)


def test_it_reads_and_computes_what_it_says(module: str) -> None:
    own, fpn = (CorrespondenceNet(config(head)).eval() for head in (f"{module}.Halved", "fpn"))
    own.load_state_dict(fpn.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = 0.5 * fpn.head(fpn.backbone(image))
        torch.testing.assert_close(own.head(own.backbone(image)), expected)


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("decnov", "unknown head 'decnov'; did you mean 'deconv'"),
        ("no_such_module.Head", "the module no_such_module cannot be imported"),
        ("{module}.Missing", "has no subclass Missing of epropnp.models.heads.Head"),
        ("{module}.no_class", "has no subclass no_class of"),
    ],
)
def test_what_is_no_head_is_one_line(head: str, words: str, module: str) -> None:
    with pytest.raises(UserError) as caught:
        CorrespondenceNet(config(head.format(module=module)))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_its_source_is_part_of_the_trial(module: str, tmp_path: Path) -> None:
    trial = TrialConfig(model=config(f"{module}.Halved"))
    before = identity(trial)
    assert f"model.head:{module}" in before
    (tmp_path / f"{module}.py").write_text(SOURCE.replace("0.5", "0.25"))
    assert identity(trial) != before


def test_a_sweep_takes_it_as_a_head(module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--recipe", "quick", "--backbones", "test_resnet", "--heads", f"{module}.Halved", "fpn"]
    assert backbones.main([*words, "--describe", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "Halved" in printed
    assert "fpn x 64" in printed
