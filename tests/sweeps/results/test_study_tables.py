"""Every table of a comparison and of a sweep's end in terminals of 80, 120 and 200 characters."""

import dataclasses
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from epropnp.evaluation.table import Table, print_table
from epropnp.evaluation.table_text import to_markdown
from sweeps.results.columns import Row
from sweeps.results.findings import Findings
from sweeps.results.study_tables import accuracy_table, network_table, object_table, unfinished_table
from sweeps.results.summary import answer_table, summarise
from sweeps.results.tables import SCORES, trial_table
from sweeps.results.tested import read_tested
from tests.inference.measured import latency
from tests.sweeps import graded

Make = Callable[..., Row]
WIDTHS = (80, 120, 200)
NAMES = {  # long ones, and how often the objects were right
    "tf_efficientnet_lite0": "test_resnet",
    "vit_base_patch14_reg4_dinov2.lvd142m": "test_convnext",
    "swin_nano_patch4_window8": "test_vit",
}


def printed(table: Table, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    print_table(table, console, whole="table.md")
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def words(table: Table) -> set[str]:
    """Every word that the table has, in full or in short."""
    texts = [table.title, *(text for c in table.columns for text in (c.title, c.short_title or ""))]
    for row in table.rows:
        for column, cell in zip(table.columns, row, strict=True):
            ways = (column.text, column.short_text or column.text)
            texts += [column.missing] if cell is None else [way(cell) for way in ways]
    return {word for text in texts for word in text.split()}


@pytest.fixture
def findings(made_row: Make, tmp_path: Path) -> Findings:
    rows, images = [], {}
    for backbone, model in NAMES.items():
        (tmp_path / model).mkdir()
        graded.write(model, tmp_path / model)
        for seed in (0, 1):
            for lr in (0.001, 0.0031):
                row = made_row("quick", backbone, seed)
                optim = dataclasses.replace(row.config.optim, lr=lr)
                name = f"{row.name}-{lr}"
                config = dataclasses.replace(row.config, optim=optim)
                rows.append(dataclasses.replace(row, name=name, config=config, latency=latency(12.5)))
                images[name] = read_tested(tmp_path / model)
    reason = "interrupted after epoch 1: /a/long/path/to/a/folder/of/trials is damaged, and so is its record"
    left = dataclasses.replace(rows[0], name="quick-vit_base_patch14-fpn-mc0.5-seed1-2a1210", result=None)
    rows.append(dataclasses.replace(left, status="failed", reason=reason, scores={}))
    return Findings(
        title="T", rows=rows, summary=summarise(rows, images, titles=tuple(SCORES)), images=images
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["networks", "objects", "accuracy", "unfinished", "trials", "answer"])
def test_no_word_is_broken_and_no_line_too_long(findings: Findings, name: str, width: int) -> None:
    assert findings.summary is not None
    unfinished = unfinished_table(findings)
    assert unfinished is not None
    table = {
        "networks": network_table(findings),
        "objects": object_table(findings),
        "accuracy": accuracy_table(findings, published=True),
        "unfinished": unfinished,
        "trials": trial_table(findings.rows, "Sweep T"),
        "answer": answer_table(findings.summary),
    }[name]
    bare = dataclasses.replace(table, notes=(), short_notes=None)
    lines = printed(bare, width)
    rule = next(n for n, line in enumerate(lines) if set(line.strip()) == {"─"})
    end = next((n for n in range(rule, len(lines)) if not lines[n].strip()), len(lines))
    found = {word for line in lines[:end] if set(line.strip()) != {"─"} for word in line.split()}
    assert found <= words(table)
    assert max(map(len, lines)) <= width
    backbones = {row.config.model.backbone for row in findings.rows}
    assert name in ("unfinished", "answer") or backbones <= found


def test_what_a_terminal_shows_of_each_setting_grows_with_it(findings: Findings) -> None:
    shown = {}
    for width in WIDTHS:
        head = " ".join(printed(accuracy_table(findings), width)[1:8]).replace("\n", " ")
        shown[width] = [word for word in ("0.10d", "area", "5deg5cm", "2deg2cm", "10deg10cm") if word in head]
    assert shown[200] == ["0.10d", "area", "5deg5cm", "2deg2cm", "10deg10cm"]
    assert shown[80][:1] == ["0.10d"]
    assert set(shown[80]) <= set(shown[120]) <= set(shown[200])


def test_of_many_settings_the_best_are_shown_and_the_others_counted(made_row: Make) -> None:
    rows = [
        dataclasses.replace(row, config=dataclasses.replace(row.config, seed=seed), name=f"r{seed}")
        for seed in range(180)
        for row in [made_row()]
    ]
    lines = printed(trial_table(rows, "T"), 80)
    assert sum(line.startswith(" test_resnet") for line in lines) == 12
    assert sum("168 more rows" in line for line in lines) == 1
    assert lines[-1].endswith("table.md.")
    assert len(lines) < 30


def test_networks_tell_multiply_adds_and_memory_where_they_are_known(findings: Findings) -> None:
    assert findings.summary is not None
    known = dataclasses.replace(latency(12.5), multiply_adds=4_123_000_000)
    history = [{"usage/process_memory_peak_megabytes": mib} for mib in (1000.0, 2.341e9 / 2**20, 1500.0)]
    (first, *group), *_ = findings.summary.settings.values()
    label = next(iter(findings.summary.settings))
    settings = {
        **findings.summary.settings,
        label: [dataclasses.replace(first, latency=known, history=history), *group],
    }
    table = network_table(
        dataclasses.replace(findings, summary=dataclasses.replace(findings.summary, settings=settings))
    )
    lines = to_markdown(table).splitlines()
    titles, *rows = ([cell.strip() for cell in line.split("|")] for line in lines if line.startswith("| "))
    cells = sorted([(row[titles.index("GFLOPs")], row[titles.index("memory")]) for row in rows], reverse=True)
    assert cells == [("4.12", "2.34 GB"), *[("-", "-")] * (len(rows) - 1)]
    assert sum("multiply-adds" in line for line in lines) == 1
    assert sum("main memory of its process" in line for line in lines) == 1
    bare = to_markdown(network_table(findings))  # of an older version
    assert "multiply-adds" not in bare
    assert "memory:" not in bare


def test_nothing_stands_out_where_all_score_the_same(findings: Findings) -> None:
    assert accuracy_table(findings).strong
    assert object_table(findings).strong
    lost = {
        name: dataclasses.replace(each, values={key: 0 * value for key, value in each.values.items()})
        for name, each in findings.images.items()
    }
    tied = dataclasses.replace(
        findings, images=lost, summary=summarise(findings.rows, lost, titles=[*SCORES])
    )
    assert not accuracy_table(tied).strong
    assert not object_table(tied).strong


@pytest.mark.parametrize("finished", [0, 1, 4])
def test_headers_of_a_sweep_that_was_interrupted_are_whole(findings: Findings, finished: int) -> None:
    reason = "interrupted after epoch 0, with its sweep"
    waiting = [
        dataclasses.replace(row, result=None, latency=None, status="waiting", reason=reason, scores={})
        for row in findings.rows[finished:-1]
    ]
    table = trial_table([*findings.rows[:finished], *waiting], "Sweep T")
    lines = printed(dataclasses.replace(table, notes=(), short_notes=None), 200)
    rule = next(n for n, line in enumerate(lines) if set(line.strip()) == {"─"})
    heads = {word for column in table.columns for word in column.title.split()}
    heads |= {word for column in table.columns for word in (column.short_title or "").split()}
    assert {word for line in lines[1:rule] for word in line.split()} <= heads
    assert ("parameters" in " ".join(lines[1:rule])) == bool(finished)
    assert max(map(len, lines)) <= 200
