"""The light list of recipe names is the registry's, and stays light."""

import subprocess
import sys

from epropnp.training.recipe_names import RECIPE_NAMES
from epropnp.training.recipes import RECIPES


def test_the_names_are_those_of_the_registry() -> None:
    assert tuple(RECIPES) == RECIPE_NAMES


def test_the_names_load_nothing() -> None:
    code = "import sys, epropnp.training.recipe_names; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
