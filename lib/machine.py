"""What a job finds on the machine it runs on: cores, a graphics processor, room for copies of files."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
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

    `InputError` if no folder for temporary files has a short path and may be written to.
    """
    for folder in (tempfile.gettempdir(), "/tmp", "/var/tmp", "/dev/shm"):
        if len(os.fsencode(folder)) <= LONGEST and os.access(folder, os.W_OK | os.X_OK):
            return folder
    raise InputError(
        f"TMPDIR={tempfile.gettempdir()} is too long for sockets and /tmp cannot be written to; set TMPDIR "
        f"to a folder of at most {LONGEST} characters"
    )


def use_device(choice: str, *, needs: float = 0) -> str:
    """Let torch make its tensors on a device from here on, in this thread; return the device's name.

    The one place that chooses: functions of lib make tensors where torch does by default, and the arrays that
    they return are in main memory. Convolutions keep all bits of float32, as on a CPU. `choice` is cuda, cpu,
    or auto: cuda where there is one with the memory (MB) that the work needs. `InputError` if cuda was asked
    for and is not there, or has too little memory.
    """
    if choice == "cpu" and "torch" not in sys.modules:
        return "cpu"
    import torch

    reason = None
    if choice != "cpu" and not torch.cuda.is_available():
        reason = f"torch {torch.__version__} finds no graphics processor here"
    elif choice != "cpu" and (held := torch.cuda.mem_get_info()[1] / 1e6) < needs:
        reason = f"the work needs about {needs:.0f} MB and {torch.cuda.get_device_name()} has {held:.0f}"
    if choice == "cuda" and reason:
        raise InputError(f"device: cuda: {reason}; take device: cpu, or auto")
    device = "cpu" if choice == "cpu" or reason else "cuda"
    if device != torch.get_default_device().type:
        torch.backends.cudnn.allow_tf32 = False
        torch.set_default_device(None if device == "cpu" else device)  # named, it slows each operation
    return device


@contextmanager
def side_by_side(workers: int) -> Iterator[Callable]:
    """Give a `map` whose calls run in so many threads, each of which has one thread of torch's.

    Faster than several threads within torch, which wait for each other after every operation. The common
    `map` for one worker, and where torch works on another device.
    """
    import torch

    if workers == 1 or torch.get_default_device().type != "cpu":
        yield map
        return
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(workers) as pool:
            yield pool.map
    finally:
        torch.set_num_threads(threads)


def device_name() -> str:
    """Return the device of torch's tensors, such as cpu, or cuda with the name of the processor."""
    torch = sys.modules.get("torch")
    if torch is None or torch.get_default_device().type != "cuda":
        return "cpu"
    return f"cuda ({torch.cuda.get_device_name()})"


def local_copy(path: Path) -> Path:
    """Return the path of a copy on the node's own disk, made by the first job there that needs it.

    Without `REPORT_SCRATCH`, without room in it, or for a small file: the path itself, on a disk that all
    share.
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
