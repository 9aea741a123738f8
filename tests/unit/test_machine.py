"""What a job takes from the machine it runs on."""

import os

import numpy as np
import pytest

from lib import machine


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    folder = tmp_path / "scratch of a node"
    folder.mkdir()
    monkeypatch.setenv("NODE_DISK", str(folder))
    monkeypatch.setenv(machine.SCRATCH, "$NODE_DISK")  # expanded on the node, where it is known
    return folder


@pytest.fixture
def shared(tmp_path):
    file = tmp_path / "session.h5"
    file.write_bytes(np.arange(machine.SMALL, dtype=np.uint8).tobytes())
    return file


def test_a_file_is_copied_to_the_node_once(scratch, shared):
    """Fails if each job copies again: all stages of all units of a node read the session."""
    copy = machine.local_copy(shared)
    assert copy.parent == scratch and copy.suffix == ".h5"
    assert copy.read_bytes() == shared.read_bytes()
    copy.write_bytes(b"this one")
    assert machine.local_copy(shared) == copy and copy.read_bytes() == b"this one"


def test_a_file_that_was_made_again_is_copied_again(scratch, shared):
    first = machine.local_copy(shared)
    shared.write_bytes(bytes(machine.SMALL))
    os.utime(shared, ns=(1, 1))
    second = machine.local_copy(shared)
    assert second != first and second.read_bytes() == bytes(machine.SMALL)


def test_a_full_disk_leaves_the_file_where_it_is(scratch, shared, monkeypatch):
    def full(source, target):
        target.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(machine.shutil, "copyfile", full)
    assert machine.local_copy(shared) == shared
    assert list(scratch.iterdir()) == []


def test_without_scratch_or_for_a_small_file_nothing_is_copied(scratch, shared, tmp_path, monkeypatch):
    small = tmp_path / "cnn.json"
    small.write_text("{}")
    assert machine.local_copy(small) == small
    monkeypatch.delenv(machine.SCRATCH)
    assert machine.local_copy(shared) == shared


def test_the_cores_are_those_that_the_cluster_gave(monkeypatch):
    """Fails if a job of one core on a node of many starts a thread for each of them."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(16)), raising=False)
    monkeypatch.delenv("SLURM_CPUS_PER_TASK", raising=False)
    assert machine.cores() == 16
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", "3")
    assert machine.cores() == 3
