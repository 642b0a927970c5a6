"""Where the datasets of a sweep's cells lie, and that all of them are tested on the same images."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path

from epropnp.data.reader import ArrowDataset
from epropnp.data.remote import is_uri
from epropnp.errors import UserError
from sweeps.build_settings import Build
from sweeps.space import Cell

Places = Path | str | Mapping[Build, Path | str]  # folder or URI: of one for all, or of each by its settings


def by_build(dataset: Places, cells: Sequence[Cell]) -> dict[Build, str]:
    """The place of each cell's dataset by its settings; folders are absolute.

    Raises:
        UserError: there are settings of which no dataset is given.
    """
    given: Mapping[Build, Path | str] = dataset if isinstance(dataset, Mapping) else {(): dataset}
    found: dict[Build, str] = {}
    for build in dict.fromkeys(cell.build for cell in cells):
        if build not in given:
            raise UserError(f"no dataset is given for trials with {' '.join(build) or 'no settings of data'}")
        place = given[build]
        found[build] = str(place) if is_uri(place) else str(Path(place).resolve())
    return found


def check_one_test(datasets: Mapping[Build, ArrowDataset]) -> None:
    """UserError, naming the settings that changed it, where datasets are not tested on the same images."""
    if len(datasets) < 2:
        return
    tests = {build: dataset.test_id for build, dataset in datasets.items()}
    apart = [(one, other) for one, other in combinations(tests, 2) if tests[one] != tests[other]]
    if not apart:
        return
    # Where two differ in several settings, any may have done it: those that differ least tell which.
    differing = [{setting.partition("=")[0] for setting in set(one) ^ set(other)} for one, other in apart]
    least = min(map(len, differing))
    names = sorted({key for keys in differing if len(keys) == least for key in keys})
    raise UserError(
        f"{' and '.join(names)} changed which images are tested, so that these trials cannot be compared: "
        f"give all of them one value, --set {names[0]}=VALUE, and each other value a sweep of its own"
    )
