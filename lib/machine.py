"""What a job finds on the machine it runs on: its share of the cores, and room for copies of files."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from lib.errors import InputError

SCRATCH = "REPORT_SCRATCH"  # environment variable: a folder on the node's own disk, such as '$TMPDIR'
LONGEST = 50  # bytes of the path of a folder for sockets
SMALL = 1 << 20  # bytes; a smaller file is read where it is


def cores() -> int:
    """Return how many cores this process may use: all, or those that a cluster has given it."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed, int(os.environ.get("SLURM_CPUS_PER_TASK", allowed)))


def socket_folder() -> str:
    """Return a folder for temporary sockets, whose whole paths must stay below some 100 bytes.

    Raises
    ------
    InputError
        If no folder for temporary files has a short path and may be written to.
    """
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if len(os.fsencode(folder)) <= LONGEST and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise InputError(
        f"TMPDIR={tempfile.gettempdir()} is too long for sockets and /tmp cannot be written to; set TMPDIR "
        f"to a folder of at most {LONGEST} characters"
    )


def local_copy(path: Path) -> Path:
    """Return the path of a copy on the node's own disk, made by the first job there that needs it.

    Without `REPORT_SCRATCH`, without room in it, or for a small file: the path itself.

    Parameters
    ----------
    path : Path
        A file on a disk that all nodes share.

    Returns
    -------
    Path
    """
    scratch = os.path.expandvars(os.environ.get(SCRATCH, ""))
    about = path.stat()
    if about.st_size < SMALL or not os.path.isdir(scratch):
        return path
    copy = Path(scratch) / f"report-{about.st_ino}-{about.st_mtime_ns}-{about.st_size}{path.suffix}"
    if not copy.exists():
        partial = copy.with_name(f"{copy.name}.{os.getpid()}")
        try:
            shutil.copyfile(path, partial)
        except OSError:
            partial.unlink(missing_ok=True)
            return path
        os.replace(partial, copy)
    return copy
