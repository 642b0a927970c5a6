"""Test images of a comparison, a row per setting, where the datasets of its sweeps still lie."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from epropnp.command_line import parse
from epropnp.data.reader import ArrowDataset
from epropnp.data.remote import is_uri
from epropnp.errors import UserError, first_line
from sweeps.axes import merged
from sweeps.flags import DESCRIPTION, SweepConfig
from sweeps.folder import Sweep
from sweeps.program import PROG
from sweeps.results.examples import save_examples
from sweeps.results.findings import Findings
from sweeps.results.report_page import EXAMPLES
from sweeps.results.summary import Summary


def datasets_of(findings: Findings, sweeps: Sequence[Sweep]) -> dict[str, ArrowDataset]:
    """By id, the datasets of a comparison. UserError, with the places where it was looked, where one is gone.

    Args:
        findings: the comparison.
        sweeps: that it is of: their commands say where datasets lie.
    """
    ids = dict.fromkeys(row.dataset_id for row in findings.rows if row.name in findings.images)
    places = list(dict.fromkeys(place for sweep in sweeps for place in _places(sweep, ids)))
    found = {dataset.dataset_id: dataset for dataset in _opened(places)}
    lacking = [dataset_id for dataset_id in ids if dataset_id not in found]
    if lacking:
        looked = f" in {', '.join(map(str, places))}" if places else ": no command line says where it lies"
        raise UserError(f"dataset {', '.join(lacking)} is not found{looked}")
    return {dataset_id: found[dataset_id] for dataset_id in ids}


def draw_examples(
    findings: Findings, summary: Summary, datasets: Mapping[str, ArrowDataset], folder: Path
) -> str | None:
    """Draw test images into `examples` of a folder; None, or a line that says why they are not drawn."""
    try:
        save_examples(
            findings.folders.__getitem__,
            summary,
            lambda row: findings.images[row.name],
            datasets,
            folder / EXAMPLES,
        )
    except UserError as error:
        return f"Test images are not drawn: {first_line(error)}."
    return None


def _places(sweep: Sweep, dataset_ids: Iterable[str]) -> Iterator[Path]:
    """Folders in which a sweep's datasets may lie: `--data`, and those of built ones in `--datasets`.

    A relative one counts from here, as when the sweep is resumed; a URI, which would be fetched, is none.
    """
    try:
        lines = [parse(SweepConfig, DESCRIPTION, words, PROG) for words in sweep.commands]
    except UserError:  # flags of another version
        return
    if not lines:
        return
    config = merged(lines)
    if config.data is not None and not is_uri(config.data):
        yield Path(config.data)
    for dataset_id in dataset_ids:
        yield config.datasets / dataset_id


def _opened(places: Iterable[Path]) -> Iterator[ArrowDataset]:
    for place in places:
        try:
            yield ArrowDataset(place)
        except UserError:
            continue
