"""A file of poses: whole frames, gone on with after a kill at any byte, of one network and list alone."""

import json
from pathlib import Path

import pytest

from epropnp.errors import UserError
from epropnp.prediction.pose_lines import bop_rows, opened, read_rows

ABOUT = {"network": "a", "list": "b"}
EYE = [[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0.5], [0, 0, 0, 1]]


def write(folder: Path, first: int, last: int) -> None:
    with opened(folder, ABOUT) as lines:
        for line in range(max(first, lines.done + 1), last + 1):
            lines.write(line, [{"object": "cat"}] * (1 + line % 3))


def test_cut_at_any_byte_it_is_gone_on_with_to_the_same_file(tmp_path: Path) -> None:
    write(tmp_path / "whole", 1, 7)
    expected = (tmp_path / "whole" / "poses.jsonl").read_bytes()
    for cut in range(len(expected) + 1):
        write(tmp_path / "cut", 1, 1)
        (tmp_path / "cut" / "poses.jsonl").write_bytes(expected[:cut])
        write(tmp_path / "cut", 1, 7)
        assert (tmp_path / "cut" / "poses.jsonl").read_bytes() == expected
    assert [(row["line"], row["box"], row["of"]) for row in read_rows(tmp_path / "cut" / "poses.jsonl")][
        :3
    ] == [
        (1, 1, 2),
        (1, 2, 2),
        (2, 1, 3),
    ]


def test_failed_lines_are_counted_over_all_starts(tmp_path: Path) -> None:
    for line in (1, 2):
        with opened(tmp_path, ABOUT) as lines:
            lines.write(line, [{"error": "no picture"}])
    with opened(tmp_path, ABOUT) as lines:
        lines.write(3, [{"object": "cat"}])
        assert (lines.done, lines.failed) == (3, 2)


def test_poses_of_something_else_are_not_gone_on_with(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    with (
        pytest.raises(UserError, match="has poses with another network: choose another --output"),
        opened(tmp_path, {**ABOUT, "network": "c"}),
    ):
        pass


def test_a_picture_is_looked_at_anew_but_not_over_poses_of_something_else(tmp_path: Path) -> None:
    write(tmp_path, 1, 2)
    before = (tmp_path / "poses.jsonl").read_bytes()
    with (
        pytest.raises(UserError, match="has poses with another network: choose another --output"),
        opened(tmp_path, {**ABOUT, "network": "c"}, fresh=True),
    ):
        pass
    assert (tmp_path / "poses.jsonl").read_bytes() == before
    with opened(tmp_path, ABOUT, fresh=True) as lines:
        assert lines.done == 0


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        opened(tmp_path, ABOUT),
        pytest.raises(UserError, match="another process predicts into this folder"),
        opened(tmp_path, ABOUT),
    ):
        pass


def test_rows_of_the_bop_challenge(tmp_path: Path) -> None:
    pose = {"valid": True, "object_id": 6, "cost": 3.0, "log_evidence": -5.0, "T_cam_obj": EYE}
    with opened(tmp_path, ABOUT) as lines:
        lines.write(
            1, [{"scene_id": 2, "image_id": 9, **pose}, {"scene_id": 2, "image_id": 9, "valid": False}]
        )
        lines.write(2, [{"error": "no picture"}])
    (row,) = bop_rows(tmp_path / "poses.jsonl")
    assert (row.scene_id, row.image_id, row.object_id, row.score, row.T_cam_obj) == (2, 9, 6, 2.0, EYE)
    with opened(tmp_path, ABOUT) as lines:
        lines.write(3, [json.loads(json.dumps(pose))])
    with pytest.raises(UserError, match="line 3 has no scene_id and image_id"):
        list(bop_rows(tmp_path / "poses.jsonl"))
