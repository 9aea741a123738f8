"""What is read of a cluster, and a real one where its programs are installed."""

import shutil
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from lib.errors import InputError
from lib.files import ROOT
from tests.support.project import needs_plain_path
from workflow import cluster

PROFILE = ROOT / "workflow" / "profiles" / "slurm"
INSTALLED = shutil.which("slurmctld") and shutil.which("slurmd")
CONFIG = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
MinJobAge=12
StateSaveLocation={folder}
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=900 State=UNKNOWN
PartitionName=only Nodes=ALL Default=YES MaxTime=90 State=UP
"""


def said(options, name):
    return options[options.index(name) + 1]


@pytest.mark.skipif(not INSTALLED, reason="needs Slurm's daemons (Debian: slurm-wlm)")
@needs_plain_path
def test_a_real_cluster_without_accounting_is_asked_by_squeue(tmp_path, monkeypatch):
    """Fails if `sacct` is asked, which knows of no job there, or if a small node's size is not seen."""
    host = subprocess.run(["hostname", "-s"], capture_output=True, text=True).stdout.strip()
    (tmp_path / "slurm.conf").write_text(CONFIG.format(host=host, folder=tmp_path))
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "slurm.conf"))
    daemons = [subprocess.Popen(["slurmctld", "-D"], cwd=tmp_path)]
    try:
        until = time.time() + 30
        while time.time() < until and subprocess.run(["scontrol", "ping"], capture_output=True).returncode:
            time.sleep(0.2)
        options = cluster.options(PROFILE)
    finally:
        daemons[0].terminate()
        daemons[0].wait()
    assert said(options, "--slurm-status-command") == "squeue"
    assert said(options, "--slurm-init-seconds-before-status-checks") == "4"  # three times before it forgets
    assert said(options, "--resources") == "mem_mb=900" and "runtime=90" in options
    with pytest.raises(InputError, match="Slurm does not answer"):
        cluster.options(PROFILE)


@needs_plain_path
def test_a_machine_without_slurm_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="no Slurm here"):
        cluster.options(PROFILE)


def test_a_job_that_exceeded_its_memory_is_said_in_a_line(tmp_path, capsys):
    """Fails if all that is said is what Slurm calls it: FAILED, for a reason unknown."""
    log = tmp_path / "23.log"
    log.write_text("rule oracle:\nslurmstepd: error: StepId=23.batch exceeded memory limit (2 > 1)\n")
    job = SimpleNamespace(name="oracle", wildcards=[], is_group=lambda: False)
    cluster._say(None, SimpleNamespace(job=job), "SLURM-job '23' failed", [str(log)])
    assert capsys.readouterr().err == (
        "oracle: SLURM-job '23' failed (slurmstepd: error: StepId=23.batch exceeded memory limit (2 > 1); "
        f"log: {log})\n"
    )


def test_a_partition_that_is_not_there_is_said():
    with pytest.raises(InputError, match="no partition big; name one of main"):
        cluster.largest_node("main*|2|4000|infinite", "big")


def test_a_program_that_a_cluster_cannot_be_told_is_refused(monkeypatch):
    """Fault: every job of a project whose path holds a space ends with `No such file or directory`."""
    monkeypatch.setattr(sys, "executable", "/home/me/my project/.venv/bin/python")
    with pytest.raises(InputError, match="my project.*move the project to a path"):
        cluster.options(PROFILE)
