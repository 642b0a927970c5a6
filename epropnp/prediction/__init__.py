"""From pictures and boxes to poses: the predictor of pictures, lists of frames, what is written of them."""
