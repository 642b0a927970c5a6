"""What a training starts from, told from its settings."""

import pytest

from epropnp.models.config import ModelConfig
from epropnp.models.pretraining import pretraining_of


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"backbone": "resnet34.tv_in1k", "pretrained": True}, ("tv_in1k", "in1k")),
        ({"backbone": "convnext_tiny", "pretrained": True}, ("in12k_ft_in1k", "in12k + in1k")),
        ({"backbone": "convnext_tiny.fb_in22k", "pretrained": True}, ("fb_in22k", "in22k")),
        ({"backbone": "resnet34.tv_in1k"}, ("none", "none")),
        ({"pretrained": True, "weights_file": "/a/b/mine.pth"}, ("mine.pth", "unknown")),
        ({"weights_file": "/a/b/mine.pth"}, ("none", "none")),
        ({"released": "there/cdpn.pth"}, ("cdpn.pth", "unknown")),
    ],
)
def test_tag_and_data(settings: dict[str, object], expected: tuple[str, str]) -> None:
    assert pretraining_of(ModelConfig(**settings)) == expected  # type: ignore[arg-type]
