"""Seeds of random choices: no two are alike."""

from epropnp.training.seeds import mixed_seed


def test_seeds_differ_in_every_random_choice() -> None:
    numbers = [mixed_seed(seed, draw) for seed in (0, 1, 2**32, 2**32 + 1) for draw in range(50)]
    assert len({number % 2**32 for number in numbers}) == 200
