"""Where a folder lies: on file systems that several hosts share, SQLite may lose what it is told."""

from pathlib import Path

MOUNTS = Path("/proc/self/mounts")  # of Linux; elsewhere nothing is known, and nothing said
SHARED = (
    "nfs",
    "nfs4",
    "lustre",
    "gpfs",
    "beegfs",
    "ceph",
    "glusterfs",
    "cifs",
    "smb3",
    "9p",
    "afs",
    "pvfs2",
)
SERVER = "infra/mlflow/start.sh"


def shared_kind(folder: Path) -> str | None:
    """The kind of a file system that hosts share on which a folder lies, or is to be made; else None."""
    try:
        lines = MOUNTS.read_text().splitlines()
    except OSError:
        return None
    folder, found, longest = folder.resolve(), "", -1
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        mounted = Path(place.replace("\\040", " "))
        if len(mounted.parts) >= longest and folder.is_relative_to(mounted):  # the last of several counts
            found, longest = kind, len(mounted.parts)
    shared = found in SHARED or found.startswith("fuse.")
    return found if shared else None


def database_warning(folder: Path) -> str | None:
    """What to say of a database in that folder, if something is to be said."""
    kind = shared_kind(folder)
    if kind is None:
        return None
    return (
        f"WARNING: {folder} lies on {kind}, where several hosts may not write one SQLite database safely: "
        f"start an MLflow server ({SERVER}), and set MLFLOW_TRACKING_URI to what it says"
    )
