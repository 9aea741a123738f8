"""What the pipeline takes beside the work: the plan of a run of many units, the start of a notebook.

    python benchmarks/bench_pipeline.py [--units 50 500 5000]

The limits: a plan of 5,000 units in seconds; START of workflow/cost.py.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent))

from lib.files import ROOT
from tests.support.project import Project
from workflow.cost import START


def timed(*command, folder):
    """Return the seconds and the seconds of processor time of a command, which must end well."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.time()
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=folder,
        text=True,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        time.time() - started,
        after.ru_utime - used.ru_utime + after.ru_stime - used.ru_stime,
        done.stdout,
    )


def plan(units):
    """Return the seconds of the plan of a run whose units are selected and whose stages are to do."""
    with tempfile.TemporaryDirectory() as folder:
        project, rng = Project(Path(folder)), np.random.default_rng(0)
        project.copy_sources()
        ids = np.arange(units) + 1000
        np.savez(
            project.root / "counts.npz",
            counts=rng.poisson(2, (2, 3, units)),
            unit_ids=ids,
            image_ids=np.arange(3),
            structures=np.array(["VISp"] * units),
        )
        np.savez(project.root / "images.npz", images=rng.integers(0, 256, (3, 40, 60), dtype=np.uint8))
        project.declare(
            units=ids.tolist(),
            source="arrays",
            structure="VISp",
            session={"counts": "counts.npz", "images": "images.npz"},
        )
        project.report("--notebook", "03_oracle")
        return timed(
            "workflow.report",
            "my.yml",
            "--plan",
            "--profile",
            "profiles/slurm",
            "--batch",
            "25",
            folder=project.root,
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--units", type=int, nargs="*", default=[50, 500, 5000])
    parser.add_argument("--real", help="not used: the work of the stages is left out here")
    print(f"{'':<34}{'s':>8}{'CPU s':>8}")
    for units in parser.parse_args().units:
        seconds, processor, printed = plan(units)
        print(
            f"{f'plan of {units} units':<34}{seconds:>8.1f}{processor:>8.1f}   "
            f"{next(line for line in printed.splitlines() if line.endswith('steps'))}",
            flush=True,
        )
    with tempfile.TemporaryDirectory() as folder:  # it ends as soon as its packages are there
        seconds, processor, _ = timed(
            "workflow.execute",
            f"{folder}/07_metrics.ipynb",
            json.dumps({"run_folder": folder, "unit_id": 5}),
            "--result",
            f"{folder}/metrics.json",
            folder=ROOT,
        )
    print(f"{'start of a notebook on a node':<34}{seconds:>8.1f}{processor:>8.1f}   taken as {START} s")


if __name__ == "__main__":
    main()
