"""Colours of settings: no two alike, and how many are grey is known."""

from epropnp.visualization.palette import GREY, Palette, dark

SIXTY = Palette([f"setting {k}" for k in range(60)])


def test_no_two_of_the_best_look_alike_and_the_rest_is_grey() -> None:
    colours = [SIXTY.colour(name) for name in SIXTY.named]
    assert len(set(colours)) == len({SIXTY.marker(name) for name in SIXTY.named}) == len(colours) == 7
    assert GREY not in colours
    assert {SIXTY.colour(name) for name in SIXTY.ranked[7:]} == {GREY}
    assert (SIXTY.rest, SIXTY.note()) == (53, "Grey: 53 other settings, not among the best.")
    assert SIXTY.note(SIXTY.ranked[:7]) == ""


def test_letters_are_dark_enough_to_be_read() -> None:
    assert dark("#000000") == "#000000"
    red, green, blue = (int(dark("#56B4E9")[i : i + 2], 16) / 255 for i in (1, 3, 5))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2
    assert 4.4 < 1.05 / (luminance + 0.05) < 5
