"""What a Slurm cluster has: how it is asked for the states of jobs, and how large its nodes are."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

from lib.errors import InputError

POLL = 10  # s between two questions for the states of all jobs
SOON = 3  # questions, at the least, before Slurm forgets a job that has ended (the plugin counts so)


def options(profile: Path) -> list[str]:
    """Return the options for Snakemake that suit the cluster at hand.

    The states of jobs come from the accounting database where there is one, else from the controller,
    which forgets a job some minutes after its end. No job asks for more than the largest node has.

    Parameters
    ----------
    profile : Path
        Folder of the Snakemake profile; for another executor than Slurm there are no options. The nodes
        are those of the `slurm_partition` that it names, else of the cluster's default partition.

    Raises
    ------
    InputError
        One line: a path that Slurm cannot be told; Slurm is not here, does not answer, has no such
        partition.
    """
    given = yaml.safe_load((profile / "config.yaml").read_text(encoding="utf-8"))
    if given.get("executor") != "slurm":
        return []
    if shlex.quote(sys.executable) != sys.executable:
        raise InputError(
            f"{sys.executable}: Snakemake names this program to a cluster unquoted; move the project to a "
            "path of letters, digits, - and _"
        )
    defaults = dict(part.split("=", 1) for part in given.get("default-resources", []) if "=" in str(part))
    settings = dict(re.findall(r"^(\w+) *= (.*?) *$", _ask("scontrol", "show", "config"), re.MULTILINE))
    accounting = settings.get("AccountingStorageType", "").endswith("slurmdbd") and _answers("sacct", "-n")
    kept = int((re.findall(r"\d+", settings.get("MinJobAge", "")) or [0])[0])
    memory, cores, minutes = largest_node(
        _ask("sinfo", "-h", "-N", "-o", "%P|%c|%m|%l"), defaults.get("slurm_partition", "")
    )
    return [
        "--slurm-status-command",
        "sacct" if accounting else "squeue",
        "--slurm-init-seconds-before-status-checks",
        str(max(1, min(POLL, kept // SOON)) if kept else POLL),
        *(["--set-resource-scopes", "runtime=local"] if minutes else []),
        "--resources",
        f"mem_mb={memory}",
        *([f"runtime={minutes}"] if minutes else []),
        "--max-threads",
        str(cores),
    ]


def adapt_snakemake() -> None:
    """Let Snakemake ask evenly how jobs stand, and say in a line why one failed.

    Its Slurm plugin (2.6) asks ever more rarely, up to every three minutes, for which short jobs would
    wait. What it says of a failed job is kept back with all else that it says of jobs (`quiet` of the
    profile).
    """
    RemoteExecutor.next_seconds_between_status_checks = property(
        lambda self: getattr(self.workflow.executor_settings, "init_seconds_before_status_checks", POLL),
        lambda self, seconds: None,
    )
    RemoteExecutor.print_job_error = _say


def _say(executor, submitted, msg=None, aux_logs=(), **_):
    """Print why a job failed."""
    job = submitted.job
    unit = "" if job.is_group() or not job.wildcards else f" {' '.join(map(str, job.wildcards))}"
    logs = [log for log in aux_logs or () if log and Path(log).is_file()]
    limits = [
        line.strip()
        for log in logs
        for line in Path(log).read_text(errors="replace").splitlines()
        if "exceeded memory limit" in line or "DUE TO TIME LIMIT" in line
    ]
    more = "; ".join([*limits[:1], *(f"log: {log}" for log in logs)])
    print(f"{job.name}{unit}: {msg or 'failed'}{f' ({more})' if more else ''}", file=sys.stderr, flush=True)


def largest_node(nodes: str, partition: str = "") -> tuple[int, int, int | None]:
    """Return MB and cores of the largest node of a partition, and the minutes its jobs may last.

    Parameters
    ----------
    nodes : str
        A line a node, as of `sinfo -h -N -o '%P|%c|%m|%l'`; the default partition is marked by a star.
    partition : str
        The default one if empty.

    Examples
    --------
    >>> largest_node("debug|64|9000|30:00\\nmain*|2|3900|infinite\\nmain*|8|7800+|infinite")
    (7800, 8, None)
    >>> largest_node("debug|64|9000|1-02:30:00", "debug")
    (9000, 64, 1590)
    """
    rows = [line.split("|") for line in nodes.splitlines() if line.count("|") == 3]
    names = sorted({row[0].rstrip("*") for row in rows})
    own = [row for row in rows if (row[0].rstrip("*") == partition if partition else row[0].endswith("*"))]
    if not own:
        wanted = f"no partition {partition}" if partition else "no default partition"
        raise InputError(
            f"this cluster has {wanted}; name one of {', '.join(names) or 'its partitions'} as "
            "slurm_partition in default-resources of the profile"
        )
    most = max(own, key=lambda row: int(row[2].rstrip("+")))
    limit = re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):\d+", most[3])
    days, hours, minutes = (int(part or 0) for part in limit.groups()) if limit else (0, 0, 0)
    return int(most[2].rstrip("+")), int(most[1].rstrip("+")), (days * 24 + hours) * 60 + minutes or None


def _ask(*command):
    """Return what a command of Slurm says."""
    if shutil.which(command[0]) is None:
        raise InputError(
            f"there is no Slurm here ({command[0]} is not found); start on the cluster's head node"
        )
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"Slurm does not answer ({' '.join(command)}: {reason}); is its controller up?")
    return done.stdout


def _answers(*command):
    return (
        shutil.which(command[0]) is not None and not subprocess.run(command, capture_output=True).returncode
    )
