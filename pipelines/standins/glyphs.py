"""A 3 x 5 pixel capital alphabet: the largest lettering that a coarse mesh can still carry."""

import numpy as np
from numpy.typing import NDArray

from epropnp.errors import UserError

# Five rows of three pixels each, top to bottom; the highest bit is the left pixel.
_GLYPHS = {
    " ": "00000", "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711",
    "5": "74717", "6": "74757", "7": "71122", "8": "75757", "9": "75717", "A": "25755",
    "B": "65656", "C": "74447", "D": "65556", "E": "74647", "F": "74644", "G": "74557",
    "H": "55755", "I": "72227", "J": "11157", "K": "55655", "L": "44447", "M": "57755",
    "N": "75555", "O": "75557", "P": "75744", "Q": "75571", "R": "65655", "S": "74717",
    "T": "72222", "U": "55557", "V": "55522", "W": "55775", "X": "55255", "Y": "55222",
    "Z": "71247", "-": "00700", "+": "02720", "!": "22202",
}  # fmt: skip


def bitmap(text: str) -> NDArray[np.bool_]:
    """Boolean picture of a line of capitals, `(5, 4 n - 1)` for n characters.

    Raises:
        UserError: for an empty text, or a character without a glyph.
    """
    if not text:
        raise UserError("cannot draw an empty text")
    unknown = sorted(set(text) - set(_GLYPHS))
    if unknown:
        raise UserError(f"no glyph for {unknown} in {text!r}: use {''.join(sorted(_GLYPHS))}")
    picture = np.zeros((5, 4 * len(text)), dtype=np.bool_)
    for i, letter in enumerate(text):
        for row, bits in enumerate(_GLYPHS[letter]):
            picture[row, 4 * i : 4 * i + 3] = [int(bits) >> shift & 1 for shift in (2, 1, 0)]
    return picture[:, :-1]
