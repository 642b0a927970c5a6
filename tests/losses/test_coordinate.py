"""The masked coordinate loss, by hand."""

import torch

from epropnp.losses.coordinate import coordinate_loss


def test_mean_over_visible_or_over_all_cells() -> None:
    target = torch.zeros(1, 3, 2, 2)
    coords = torch.full((1, 3, 2, 2), 0.6)
    mask = torch.tensor([[[True, False], [False, False]]])
    torch.testing.assert_close(coordinate_loss(coords, target, mask), torch.tensor(0.6))
    torch.testing.assert_close(coordinate_loss(coords, target, mask, "all"), torch.tensor(0.15))
    nothing = torch.zeros_like(mask)
    assert coordinate_loss(coords, target, nothing) == coordinate_loss(coords, target, nothing, "all") == 0
