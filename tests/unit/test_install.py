"""The installation: what is there after a failed one, a killed one, another lock; and what this one is."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from importlib import metadata
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lib.params import ROOT

# Python, its copy in .venv and pip: notes what it is called for, and fails at what BREAKS names.
PYTHON = """#!/bin/sh
case "$*" in
    *ensurepip*) exit ${OTHER_VERSION:-0};;
esac
[ "$*" != "-c " ] && echo "$*" >>"$CALLS"
if [ -n "${HANGS:-}" ] && echo "$*" | grep -qF -e "$HANGS"; then
    echo >.venv/half; exec sleep 60
fi
if [ -n "${BREAKS:-}" ] && echo "$*" | grep -qF -e "$BREAKS"; then
    echo "Collecting a"; echo "${SAYS:-ERROR: it broke}" >&2; echo "the end"; exit 2
fi
[ "$2" = venv ] && mkdir -p .venv/bin && cp "$0" .venv/bin/python
exit 0
"""
UV = """#!/bin/sh
echo "uv $*" >>"$CALLS"
mkdir -p .venv/bin && cp "$STUB" .venv/bin/python
"""
LOCK = "-m pip install --no-deps -r requirements.lock"
REST = "-m pip install -c requirements.lock -c requirements-cuda.lock torch"
ALL = ["-m venv .venv", LOCK, REST, "-m pip install --no-deps --no-build-isolation -e .", "-c import torch"]


@pytest.fixture
def folder(tmp_path):
    """A clone with stubs, on a machine with no other program than the installer needs."""
    clone, programs = tmp_path / "clone", tmp_path / "bin"
    for path in ("workflow/install.sh", "requirements-cuda.lock", "pyproject.toml", "Makefile"):
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, clone / path)
    (clone / "requirements.lock").write_text("torch==2.0\nzipp==1.0\n")
    programs.mkdir()
    for name in (
        "sh",
        "cat",
        "cksum",
        "cp",
        "cut",
        "grep",
        "head",
        "make",
        "mkdir",
        "rm",
        "sed",
        "sleep",
        "tail",
    ):
        (programs / name).symlink_to(shutil.which(name))
    write(programs / "python3.11", PYTHON)
    return SimpleNamespace(
        clone=clone, programs=programs, calls=tmp_path / "calls", ready=clone / ".venv/ready"
    )


def write(path, text):
    path.write_text(text)
    path.chmod(0o755)


def start(folder, *command, **variables):
    folder.calls.write_text("")
    environment = {
        "PATH": str(folder.programs),
        "CALLS": str(folder.calls),
        "STUB": str(folder.programs / "python3.11"),
        **variables,
    }
    return subprocess.Popen(
        command or ["sh", "workflow/install.sh"],
        cwd=folder.clone,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def install(folder, *command, **variables):
    """What was called, or the line that a failed installation ends with."""
    process = start(folder, *command, **variables)
    errors = process.communicate(timeout=60)[1]
    if process.returncode:
        assert not folder.ready.exists()
        return errors
    assert folder.ready.exists() and not errors
    return folder.calls.read_text().splitlines()


def test_once(folder):
    """Fails if a step is lost, or if packages that are there are installed at each `make`."""
    assert install(folder) == ALL
    assert install(folder) == []


@pytest.mark.parametrize("breaks", ALL)
def test_a_failed_step(folder, breaks):
    """Fails if a broken installation counts as one, is not named in one line, or is built upon."""
    line = install(folder, BREAKS=breaks)
    assert line.count("\n") == 1 and "failed: ERROR: it broke. All of it is in .venv/install.log" in line
    assert "the end" in (folder.clone / ".venv/install.log").read_text()
    (folder.clone / ".venv/half").touch()
    assert install(folder) == ALL
    assert not (folder.clone / ".venv/half").exists()


def test_killed(folder):
    """Fails if pip is asked to go on with what a kill left: it takes half a package for a whole one."""
    process = start(folder, HANGS=LOCK)
    half = folder.clone / ".venv/half"
    until = time.monotonic() + 30
    while not half.exists() and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert half.exists() and not folder.ready.exists()
    assert install(folder) == ALL
    assert not half.exists()


def test_another_lock(folder):
    """Fails if a new lock leaves the old packages, or a failed renewal the mark that all is well."""
    install(folder)
    with open(folder.clone / "requirements-cuda.lock", "a") as lock:
        lock.write("nvidia-more==1\n")
    assert "it broke" in install(folder, BREAKS=REST)
    assert install(folder) == ALL


def test_moved(folder):
    """Fails if the scripts of a moved .venv, which name the old folder, are kept."""
    install(folder)
    folder.clone = folder.clone.rename(folder.clone.with_name("moved"))
    folder.ready = folder.clone / ".venv/ready"
    assert install(folder) == ALL


def test_python_is_gone(folder):
    """Fails if a .venv whose Python was removed is taken for a whole one."""
    install(folder)
    (folder.clone / ".venv/bin/python").unlink()
    assert install(folder) == ALL


def test_index_of_torch(folder):
    """Fails if TORCH_INDEX is not used, does not replace what is there, or is forgotten with a new lock."""
    install(folder)
    cpu = [ALL[0], "-m pip install --no-deps --index-url file:///cpu torch==2.0", *ALL[1:]]
    make = ["make", "-s", ".venv/ready"]
    assert install(folder, *make, "TORCH_INDEX=file:///cpu") == cpu
    assert install(folder, *make) == []
    (folder.clone / "requirements.lock").write_text("torch==2.0\n")
    assert install(folder, *make) == cpu
    assert install(folder, *make, "TORCH_INDEX=") == ALL


NONE = "ERROR: Could not find a version that satisfies the requirement a==1 (from versions: none)"
FULL = "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"
BROKEN = "WARNING: Retrying (Retry(total=0)) after connection broken by "
REFUSED = BROKEN + """'NewConnectionError("Connection(host='a'): No: [Errno 111] Connection refused")': /a/"""
UNTRUSTED = BROKEN + (
    """'SSLError(Error(1, '[SSL: FAILED] certificate verify failed: self-signed (_ssl.c:9)'))'"""
)
SLOW = BROKEN + """'ConnectTimeoutError(<a>, 'Connection to a timed out.')': /a/"""


@pytest.mark.parametrize(
    "says, reason",
    [
        (f"{REFUSED}\n{NONE}", "no connection to the package index (Connection refused)"),
        (
            f"{UNTRUSTED}\n{NONE}",
            "no connection to the package index (certificate verify failed: self-signed)",
        ),
        (f"{SLOW}\n{NONE}", "no connection to the package index"),
        (NONE, NONE),
        (f"{REFUSED}\n{FULL}", FULL),
        ("pip was ended", "the end"),
    ],
)
def test_reason(folder, says, reason):
    """Fails if the line names something else than what went wrong."""
    assert f"requirements.lock failed: {reason}. All" in install(folder, BREAKS=LOCK, SAYS=says)


def test_another_python(folder):
    """Fails if a Python that cannot carry the packages is used, or what to do is not said."""
    line = install(folder, OTHER_VERSION="1")
    assert line.startswith("install: python3 is not Python 3.11") and line.count("\n") == 1
    assert "PYTHON=/path/to/python3.11" in line and not folder.calls.read_text()
    (folder.programs / "python3.11").rename(folder.programs / "mine")
    assert "python3 is not Python 3.11" in install(folder)
    assert install(folder, "make", "-s", ".venv/ready", "PYTHON=mine") == ALL


def test_python_by_uv(folder):
    """Fails if uv is not used where Python 3.11 is missing, or used where one was named."""
    stub = folder.programs / "python3.11"
    write(folder.programs / "uv", UV)
    assert install(folder) == ALL
    stub = str(stub.rename(folder.programs / "stub"))
    (folder.clone / ".venv/ready").unlink()
    assert "nowhere is not Python 3.11" in install(folder, STUB=stub, PYTHON="nowhere")
    first, *rest = install(folder, STUB=stub)
    assert first.startswith("uv venv") and "--python 3.11" in first and "--seed" in first
    assert rest == ALL[1:]


# ---- this installation ---------------------------------------------------------------------------


def pins(*names):
    lines = [line.split("==") for name in names for line in (ROOT / name).read_text().split()]
    return {canonicalize_name(name): version for name, version in lines}


def test_what_is_installed_is_what_the_locks_say():
    """Fails if a package of the lock is missing, or if one has another version than its lock says."""
    installed = {
        canonicalize_name(one.name): one.version.split("+")[0]
        for one in metadata.distributions(path=[path for path in sys.path if path.endswith("site-packages")])
    }
    lock, cuda = pins("requirements.lock"), pins("requirements-cuda.lock")
    assert {name: installed.get(name) for name in lock} == lock
    assert all(installed[name] == cuda[name] for name in installed if name in cuda)


def test_what_torch_needs_is_there():
    """Fails if a library that this build of torch declares is not installed, which a lock can hide."""
    for requirement in map(Requirement, metadata.requires("torch")):
        if not requirement.marker or requirement.marker.evaluate({"extra": ""}):
            assert requirement.specifier.contains(metadata.version(requirement.name)), requirement


def test_no_conflict_but_the_known_ones():
    """Fails if packages do not fit each other: AllenSDK's 15 complaints are known, and of no weight here."""
    lines = subprocess.run(
        [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"],
        check=False,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    assert len(lines) == 15 and all(re.match(r"allensdk 2\.16\.2 ", line) for line in lines), lines
