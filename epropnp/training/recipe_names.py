"""The names of all recipes of `recipes`, for command lines that answer before torch is loaded."""

RECIPE_NAMES = (
    *("quick", "paper"),
    *("official_v1b", "official_reg", "official_v2", "official_v2_no_model", "best"),
)
