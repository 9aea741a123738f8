"""A notebook gives the same figures in whichever way it is executed; needs the small run, like nbval."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from lib.files import ROOT
from tests.notebooks.tolerance import close

RUN = ROOT / "build" / "small"
UNIT, NOTEBOOK = 951000012, "05_mei"  # the unit of the notebooks' own parameters
STAGES = ("04_cnn", NOTEBOOK, "06_gabor", "07_metrics")
PROGRAMS = Path(sys.executable).parent


@pytest.fixture
def unit_folder():
    """The unit's folder in the small run, which is put back as it was, times and all."""
    if not (RUN / "units.csv").exists():
        pytest.skip("build/small is not there: `make small` makes it")
    kept = RUN.with_name(".small.kept")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(RUN, kept)
    yield RUN / "units" / str(UNIT)
    shutil.rmtree(RUN)
    os.replace(kept, RUN)


def figures(notebook):
    """Return the digests of all figures of an executed notebook (lib/figure_data.py), in order."""
    outputs = [output for cell in nbformat.read(notebook, 4).cells for output in cell.get("outputs", [])]
    assert not [output for output in outputs if output.output_type == "error"]
    drawn = [o.data for o in outputs if any(kind.startswith("image/") for kind in o.get("data", {}))]
    return [data["text/plain"] for data in drawn]


def call(*command, folder):
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def assert_same(notebook, expected):
    shown = figures(notebook)
    assert len(shown) == len(expected)
    for here, there in zip(shown, expected):
        assert close(there, here), f"{there}\n\n{here}"


def test_every_way_to_execute_a_notebook_gives_the_figures_of_the_report(unit_folder, tmp_path):
    """Fails if a way reads another run or other parameters, needs a folder, or draws random numbers."""
    reported = {name: figures(unit_folder / f"{name}.ipynb") for name in STAGES}
    assert len(reported[NOTEBOOK]) >= 8
    source = ROOT / "notebooks" / f"{NOTEBOOK}.ipynb"
    report = [sys.executable, "-m", "workflow.report", "tests/small.yml"]

    call(*report, "--notebook", NOTEBOOK, "--unit", UNIT, folder=ROOT)  # make notebook
    assert_same(unit_folder / f"{NOTEBOOK}.ipynb", reported[NOTEBOOK])
    call(
        PROGRAMS / "papermill",
        source,
        tmp_path / "by_papermill.ipynb",
        "-p",
        "run_folder",
        "build/small",
        "-p",
        "unit_id",
        UNIT,
        folder=ROOT,
    )
    assert_same(tmp_path / "by_papermill.ipynb", reported[NOTEBOOK])
    call(
        PROGRAMS / "jupyter",
        "nbconvert",
        "--to",
        "notebook",
        "--execute",
        source,
        "--output-dir",
        tmp_path,
        "--output",
        "by_jupyter",
        folder=tmp_path,
    )  # as Jupyter does
    assert_same(tmp_path / "by_jupyter.ipynb", reported[NOTEBOOK])
    shutil.rmtree(unit_folder)
    call(*report, "--unit", UNIT, folder=ROOT)  # make unit
    for name in STAGES:
        assert_same(unit_folder / f"{name}.ipynb", reported[name])
