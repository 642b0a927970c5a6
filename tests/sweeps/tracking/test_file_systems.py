"""Which file systems are shared by several hosts, as the system lists them."""

from pathlib import Path

import pytest

from sweeps.tracking import file_systems
from sweeps.tracking.file_systems import database_warning, shared_kind

MOUNTS = """/dev/vda / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/home /home nfs4 rw,vers=4.2 0 0
tmpfs /home/local tmpfs rw 0 0
a@b:/x /mnt/my\\040cluster fuse.sshfs rw 0 0
mds:/scratch /scratch lustre rw,localflock 0 0
/dev/vdb /scratch ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ("folder", "kind"),
    [
        ("/runs", None),
        ("/home/me/runs", "nfs4"),
        ("/home/local/runs", None),
        ("/homes/me", None),
        ("/mnt/my cluster/runs", "fuse.sshfs"),
        ("/scratch/runs", None),  # something else was mounted over it
    ],
)
def test_the_innermost_mount_counts(
    folder: str, kind: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "mounts")
    assert shared_kind(Path(folder)) == kind
    warning = database_warning(Path(folder))
    if kind is None:
        assert warning is None
    else:
        assert warning is not None
        assert f"{folder} lies on {kind}" in warning
        assert "infra/mlflow/start.sh" in warning


def test_where_the_system_does_not_tell_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(file_systems, "MOUNTS", tmp_path / "mounts")
    assert shared_kind(tmp_path) is None


def test_the_servers_command_is_there() -> None:
    assert (Path(file_systems.__file__).parents[2] / file_systems.SERVER).is_file()
