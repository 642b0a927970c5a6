"""The trials of several sweeps in one comparison: those that were tested on the same images, each once."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from epropnp.errors import UserError, nearest
from epropnp.plain import flatten
from epropnp.training.overrides import key_and_text
from sweeps.folder import Sweep
from sweeps.results.columns import Row
from sweeps.results.read import by_rank, read_rows
from sweeps.space import BACKBONE, HEAD, WEIGHT

SHORT = {"backbone": BACKBONE, "head": HEAD, "loss_weight": WEIGHT}


@dataclass(frozen=True, kw_only=True)
class Joined:
    """Trials that can be compared.

    Attributes:
        rows: by rank; where there are several sweeps, their names begin with that of their sweep.
        folders: of the trials, by name.
        left_out: trials that no filter kept, and results that another sweep has, too.
    """

    rows: Sequence[Row]
    folders: Mapping[str, Path]
    left_out: Sequence[str] = ()


def join(sweeps: Sequence[Sweep], where: Sequence[str] = ()) -> Joined:
    """Read all trials of some sweeps.

    Args:
        sweeps: at least one.
        where: filters, `KEY=VALUE` each: settings that all trials are to have.

    Raises:
        UserError: two were tested on different images; a filter names no setting; nothing is left.
    """
    rows: list[Row] = []
    folders: dict[str, Path] = {}
    for sweep in sweeps:
        for row in read_rows(sweep, ()):
            name = row.name if len(sweeps) == 1 else f"{sweep.name}/{row.name}"
            rows.append(dataclasses.replace(row, name=name))
            folders[name] = sweep.trial_folder(row.name)
    kept = [row for row in rows if _fits(row, where)]
    if not kept:
        said = f" of the {len(rows)} trials has {' '.join(where)}" if where else " trial was begun"
        raise UserError(f"nothing to compare: no{said} in {', '.join(sweep.name for sweep in sweeps)}")
    once = _once(kept)
    check_same_test(once)
    left = [f"{len(rows) - len(kept)} trials do not have {' '.join(where)}"] if len(kept) < len(rows) else []
    if len(once) < len(kept):
        left.append(f"{len(kept) - len(once)} results are in several of the sweeps, and count once")
    return Joined(rows=by_rank(once), folders={row.name: folders[row.name] for row in once}, left_out=left)


def check_same_test(rows: Sequence[Row]) -> None:
    """UserError, which says what differs, where trials were tested on different images."""
    tests: dict[str | None, list[Row]] = {}
    for row in rows:
        if row.result is not None:
            tests.setdefault(row.test_id, []).append(row)
    if len(tests) > 1:
        kinds = "; ".join(_told(test_id, found) for test_id, found in tests.items())
        raise UserError(
            f"these trials were not tested on the same images, so that no score of one says anything of "
            f"another: {kinds}. Compare the sweeps of one test, or repeat a test with "
            "`python -m epropnp.evaluate TRIAL --data DATASET`"
        )


def _told(test_id: str | None, rows: Sequence[Row]) -> str:
    images = sorted({row.result.test_images for row in rows if row.result is not None})
    counts = " or ".join(map(str, images))
    data = " and ".join(sorted({row.dataset_id for row in rows}))
    test = f"test {test_id}" if test_id else "a test whose images are not recorded"
    some = ", ".join(row.name for row in rows[:2]) + (f" and {len(rows) - 2} more" if len(rows) > 2 else "")
    return f"{test} ({counts} images, dataset {data}): {some}"


def _fits(row: Row, where: Sequence[str]) -> bool:
    values = {key: str(value) for key, value in flatten(row.config).items()} | dict(
        map(key_and_text, row.build)
    )
    for setting in where:
        key, text = key_and_text(setting)
        key = SHORT.get(key, key)
        if key not in values:
            if key.startswith("build."):
                return False
            raise UserError(f"--where: there is no setting '{key}'{nearest(key, [*values, *SHORT])}")
        if values[key] != text and not _same_number(values[key], text):
            return False
    return True


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _once(rows: Sequence[Row]) -> list[Row]:
    """Without the copies of results that were taken over from another sweep among these."""
    found: dict[tuple[object, str], Row] = {}
    for row in sorted(rows, key=lambda row: (row.result is None, row.known is not None)):
        found.setdefault((row.config, row.dataset_id), row)
    chosen = {row.name for row in found.values()}
    return [row for row in rows if row.name in chosen]
