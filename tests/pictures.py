"""Pictures that a test has written, or that were written for it."""

from pathlib import Path

import cv2
import numpy as np


def picture_in(file: Path, flags: int = cv2.IMREAD_COLOR) -> np.ndarray:
    """As OpenCV reads it: blue first."""
    picture = cv2.imread(str(file), flags)
    assert picture is not None, file
    return picture
