"""Where the pictures of a training's epochs lie in its folder; light, for whoever only reads folders."""

FOLDER = "epochs"  # a picture of each, by its number
ANIMATION, POSTER = "epochs.png", "epochs-last.png"
